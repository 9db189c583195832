// The command line on a data directory of its own, for the tests of one file.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { run } from '#cli'

/** How a command is run. `answer`: what is said to a question; without it nobody is there to be asked. */
interface Running {
  readonly env?: Readonly<Record<string, string>>
  readonly answer?: boolean
}

/** Makes the directory, and removes it at the end. `set.folder`: known once the tests run; the data lie in `data` below it. */
export function setCommandLine() {
  const set = { folder: '' }
  beforeAll(() => {
    set.folder = mkdtempSync(join(tmpdir(), 'symbolon-cli-'))
  })
  afterAll(() => rmSync(set.folder, { recursive: true, force: true }))

  /** Runs a command; its exit code, and what it printed and asked. */
  const cli = async (words: readonly string[], { env = {}, answer }: Running = {}) => {
    const printed = { out: '', err: '', asked: '' }
    const terminal = {
      env: { SYMBOLON_DATA: join(set.folder, 'data'), ...env },
      out: (text: string) => {
        printed.out += `${text}\n`
      },
      err: (text: string) => {
        printed.err += `${text}\n`
      },
      colour: false,
      readInput: async () => '',
      ...(answer !== undefined && {
        ask: async (question: string) => {
          printed.asked = question
          return answer
        },
      }),
    }
    const code = await run(words, terminal, async () => {}, '0')
    return { code, ...printed }
  }
  /** The same in development, and the rows that it printed. */
  const dev = (...words: string[]) => cli([...words, '--dev'])
  const rows = async (...words: string[]) => JSON.parse((await dev(...words, '--json')).out) as Record<string, unknown>[]
  return { set, cli, dev, rows }
}
