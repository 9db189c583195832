// What every command shares: the way to a service, output for people or machines, and exit codes.

import { type AuthObject, createAuth, sentenceOf } from '#embed'
import { type Configuration, readConfiguration } from '#server'

/** Exit codes: 0 done, 1 refused or failed, 2 used wrongly. */
export const exit = { done: 0, failed: 1, usage: 2 } as const

/** What commands stand on, given by `main`. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly out: (text: string) => void
  readonly err: (text: string) => void
  readonly colour: boolean
  readonly readInput: () => Promise<string>
  /** Writes a line over the last one, an empty one takes it away; only there when a person watches. */
  readonly update?: ((text: string) => void) | undefined
  /** Asks a person, who must answer yes; only there when one can. */
  readonly ask?: ((question: string) => Promise<boolean>) | undefined
}

/** Options that every command has. */
export interface CommonOptions {
  readonly json?: boolean
  readonly dev?: boolean
  readonly config?: string
}

/** A failure whose message is the whole story. */
export function failure(sentence: string): Error {
  return new Error(sentence)
}

/** A command that was used wrongly; its message says how it is used. */
export class Misuse extends Error {}

/** Development is taken from the configuration or from `--dev`. */
export function configurationOf(terminal: Terminal, options: CommonOptions): Configuration {
  return readConfiguration({ env: terminal.env, dev: options.dev === true, file: options.config })
}

/** Runs a command on the service's data, and closes it whatever happens. */
export async function withAuth<T>(terminal: Terminal, options: CommonOptions, run: (auth: AuthObject) => Promise<T>): Promise<T> {
  const auth = createAuth(configurationOf(terminal, options).auth)
  try {
    await auth.ready()
    return await run(auth)
  } finally {
    await auth.close()
  }
}

/** Prints records as JSON, or as a table with a header. */
export function show(terminal: Terminal, options: CommonOptions, rows: readonly Readonly<Record<string, unknown>>[], empty: string): void {
  const first = rows[0]
  if (options.json === true || first === undefined) {
    terminal.out(options.json === true ? JSON.stringify(rows, null, 2) : empty)
    return
  }
  const names = Object.keys(first)
  const cells = rows.map((row) => names.map((name) => textOf(row[name])))
  const widths = names.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)))
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join('  ')
      .trimEnd()
  terminal.out([line(names), ...cells.map(line)].join('\n'))
}

const textOf = (value: unknown): string =>
  value === null || value === undefined
    ? '–'
    : Array.isArray(value)
      ? value.join(',') || '–'
      : typeof value === 'object'
        ? JSON.stringify(value)
        : String(value)

/** The sentence of an error. */
export const sentence = (error: unknown) => sentenceOf(error)

/** The time as people and machines read it. */
export const time = (ms: number) => new Date(ms).toISOString()

const plainEvery = 5000

/** Tells how long work goes: one line that changes for a person, a plain line now and then otherwise. `end` closes the line. */
export function createProgress(terminal: Terminal) {
  let at = performance.now()
  let open = false
  return {
    say(text: string) {
      if (terminal.update !== undefined) {
        terminal.update(text)
        open = true
      } else if (performance.now() - at >= plainEvery) {
        at = performance.now()
        terminal.err(text)
      }
    },
    end() {
      if (open) terminal.update?.('')
      open = false
    },
  }
}
