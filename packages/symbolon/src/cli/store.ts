// `symbolon store`: moving everything from one store to another, and opening the one it was moved from again.

import type { Command } from 'commander'
import { type CopyProgress, copyStore, reopenStore } from '#embed'
import type { CommonOptions, Terminal } from './terminal.ts'

const about = `
FROM and TO are each a data directory (.symbolon), an SQLite file (sqlite:PATH), or a database with its schema behind # when
that is not symbolon (postgres://symbolon@db.example/symbolon#schema). Give passwords in PGPASSWORD or ~/.pgpass, not here.

FROM must not be in use, TO must be empty. From the beginning on no service starts on FROM, and none on TO before everything
has arrived and both sides were compared. After an interruption the same command goes on.

Examples:
  symbolon store copy .symbolon postgres://symbolon@db.example/symbolon
  symbolon store reopen .symbolon`

const number = (n: number) => n.toLocaleString('en-US')
/** Lines of a log: one for each table when it is done, and at most so often before, from the first page of a long one on. Milliseconds. */
const every = 5000
const longTable = 1000

/** Says how far it is: in one line that changes, or in lines for a log. */
function createTeller(terminal: Terminal): { tell(progress: CopyProgress): void; end(): void } {
  let said = ''
  let line = ''
  let last = Number.NEGATIVE_INFINITY
  return {
    tell({ doing, table, done, total, part }) {
      const before = line
      line = `${`${Math.floor(part * 100)}`.padStart(3)} %  ${doing} ${table}: ${number(done)} of ${number(total)} rows`
      if (terminal.update !== undefined) return terminal.update(line)
      const now = performance.now()
      const begins = said !== doing + table && total > longTable
      if (line === before || (done < total && !begins && now - last < every)) return
      said = doing + table
      last = now
      terminal.err(line)
    },
    end: () => terminal.update?.(''),
  }
}

async function copy(terminal: Terminal, from: string, to: string, options: CommonOptions, untilStopped: () => Promise<void>) {
  let stopped = false
  void untilStopped().then(() => {
    stopped = true
  })
  const teller = createTeller(terminal)
  const done = await copyStore(from, to, { stopped: () => stopped, progress: teller.tell }).finally(teller.end)
  if (options.json === true) return terminal.out(JSON.stringify(done, null, 2))
  if (done.before) return terminal.out(`Everything of ${done.from} was moved to ${done.to} before; nothing is left to do.`)
  const rows = (name: string) => {
    const many = done.tables.find(({ table }) => table === name)?.rows ?? 0
    return `${number(many)} ${many === 1 ? name.slice(0, -1) : name}`
  }
  terminal.out(
    [
      `Moved ${rows('sessions')}, ${rows('users')} and ${rows('clients')} to ${done.to}; both sides are the same in all ${done.tables.length} tables.`,
      'Bring along the same secrets (secretsFile or SYMBOLON_SECRETS; in development, the file secret of the data directory) and',
      'the admin keys (admin-keys of the data directory): they are in no store, and nothing opens without the secrets.',
      `No service starts on ${done.from} any more. To undo, before anything is written to the new place: symbolon store reopen ${done.from}`,
    ].join('\n'),
  )
}

async function reopen(terminal: Terminal, address: string, options: CommonOptions) {
  const done = await reopenStore(address)
  if (options.json === true) return terminal.out(JSON.stringify(done, null, 2))
  if (done.other === null) return terminal.out(`${done.place} is open; nothing was to be done.`)
  terminal.out(
    done.complete
      ? `${done.place} is open again, as it was when it was moved to ${done.other}. Run no service there beside it: sign-outs of one would not reach the other.`
      : `${done.place} is open again; the unfinished copy in ${done.other} is worth nothing any more.`,
  )
}

/** Adds the commands. */
export function addStore(program: Command, terminal: Terminal, untilStopped: () => Promise<void>): void {
  const store = program.command('store').description('where everything is kept: copy, reopen').addHelpText('after', about)
  store
    .command('copy <from> <to>')
    .description('move everything to another store; users stay signed in')
    .option('--json', 'print JSON')
    .addHelpText('after', about)
    .action((from: string, to: string, options: CommonOptions) => copy(terminal, from, to, options, untilStopped))
  store
    .command('reopen <from>')
    .description('let services start on a store again that was moved')
    .option('--json', 'print JSON')
    .addHelpText('after', about)
    .action((from: string, options: CommonOptions) => reopen(terminal, from, options))
}
