// The built command line as a process: what it printed and how it ended.

import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const main = fileURLToPath(new URL('../packages/symbolon/dist/cli/main.js', import.meta.url))

/** Runs a command in an environment of its own, without a terminal, by another build if said; `code` is null when a signal ended it. */
export function command(
  words: readonly string[],
  env: Readonly<Record<string, string>>,
  program = main,
): Promise<{ readonly code: number | null; readonly out: string; readonly err: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [program, ...words], {
      env: { PATH: process.env.PATH ?? '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    const printed = { out: '', err: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed.out += text
    })
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      printed.err += text
    })
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...printed }))
  })
}
