// `symbolon feed tail`: the revocation log of the configured data, one line an entry, as it grows.

import { formatPosition, type Revocation } from '@symbolon/protocol'
import type { Command } from 'commander'
import { type CommonOptions, type Terminal, time, withAuth } from './terminal.ts'

const look = 250

interface TailOptions extends CommonOptions {
  readonly once?: boolean
}

const lineOf = ({ seq, at, kind, id, epoch, state }: Revocation) =>
  [String(seq).padStart(6), time(at), kind.padEnd(7), id, ...(epoch === undefined ? [] : [`epoch ${epoch}`]), state ?? '']
    .join('  ')
    .trimEnd()

/** Prints what the log holds and, unless `once`, what comes, until the process is asked to end. */
async function tail(terminal: Terminal, options: TailOptions, untilStopped: () => Promise<void>): Promise<void> {
  await withAuth(terminal, options, async ({ feed }) => {
    let stop = () => {}
    let stopped = false
    if (options.once !== true)
      void untilStopped().then(() => {
        stopped = true
        stop()
      })
    for (let seq = 0, feedId = ''; !stopped; ) {
      const head = await feed.head()
      if (feedId !== '' && head.feedId !== feedId) {
        seq = 0
        terminal.err(`The feed has a new id: ${head.feedId}`)
      }
      feedId = head.feedId
      const entries = await feed.entries(seq)
      for (const entry of entries) terminal.out(options.json === true ? JSON.stringify({ feed: feedId, ...entry }) : lineOf(entry))
      seq = entries.at(-1)?.seq ?? seq
      if (entries.length > 0) continue
      if (options.once === true) {
        if (options.json !== true) terminal.err(`head ${formatPosition(head)}`)
        return
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, look)
        stop = () => {
          clearTimeout(timer)
          resolve()
        }
      })
    }
  })
}

/** Adds the command. */
export function addFeed(program: Command, terminal: Terminal, untilStopped: () => Promise<void>): void {
  program
    .command('feed')
    .description('the revocation log: tail')
    .command('tail')
    .description('print the log and what comes, one line an entry, until Ctrl-C')
    .option('--once', 'print what there is, then end')
    .option('--json', 'print JSON, one object a line')
    .option('--dev', 'use the development service')
    .option('--config <file>', 'configuration file')
    .action((options: TailOptions) => tail(terminal, options, untilStopped))
}
