#!/usr/bin/env node
// The executable: this process's streams, signals and exit code, and nothing else.

import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline/promises'
import { run } from './program.ts'

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

let asked = false

/** Resolves at the first signal; a second one ends the process at once. */
const untilStopped = () =>
  new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => {
        if (asked) process.exit(130)
        asked = true
        resolve()
      })
  })

const readInput = async () => {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) {
    text += chunk
    if (text.length > 16_384) break
  }
  return text
}

const ask = async (question: string) => {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return /^y(?:es)?$/i.test((await lines.question(`${question} [y/N] `)).trim())
  } finally {
    lines.close()
  }
}
const update = (text: string) => void process.stderr.write(`\r\u001b[2K${text}`)

process.exitCode = await run(
  process.argv.slice(2),
  {
    env: process.env,
    out: (text) => void process.stdout.write(`${text}\n`),
    err: (text) => void process.stderr.write(`${text}\n`),
    colour: process.stdout.isTTY === true && process.env.NO_COLOR === undefined,
    readInput,
    update: process.stderr.isTTY === true ? update : undefined,
    ask: process.stdin.isTTY === true && process.stderr.isTTY === true ? ask : undefined,
  },
  untilStopped,
  version,
)
// Who was asked to end has done all it could by now: nothing that is still open holds the process.
if (asked) setTimeout(() => process.exit(), 500).unref()
