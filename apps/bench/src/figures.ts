// What is measured: named figures, a line of progress, and the middle of several rounds.

import { writeFileSync } from 'node:fs'
import { cpus, loadavg } from 'node:os'

/** Collects figures. */
export interface Figures {
  /** Says what is being measured. */
  begin(text: string): void
  /** Notes a figure; `floor` says what it has to reach, for the table. */
  put(name: string, value: number, unit: string, floor?: string): void
  /** Says under what conditions the figures that follow were measured, or why one was not. */
  note(text: string): void
}

/** The middle value. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}

/** The value that a share `q` of all does not pass. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN
}

/** CPU microseconds used while something ran, and how long it took on the wall. */
export async function spent(run: () => Promise<void> | void): Promise<{ readonly cpu: number; readonly wall: number }> {
  const before = process.cpuUsage()
  const began = performance.now()
  await run()
  const { user, system } = process.cpuUsage(before)
  return { cpu: user + system, wall: (performance.now() - began) * 1000 }
}

/** What alternatives measured side by side came to. */
export interface SideBySide<K extends string> {
  /** What each came to, round by round. */
  readonly rounds: Readonly<Record<K, readonly number[]>>
  /** Each one's middle value. */
  readonly median: Readonly<Record<K, number>>
  /**
   * The middle of what one was of the other in each round: a machine that is slow for a while is so for both of a round,
   * which the quotient of two medians, each perhaps of another round, does not know.
   */
  ratio(one: K, other: K): number
}

function sumUp<K extends string>(rounds: Readonly<Record<K, readonly number[]>>): SideBySide<K> {
  const names = Object.keys(rounds) as K[]
  return {
    rounds,
    median: Object.fromEntries(names.map((name) => [name, median(rounds[name])])) as Record<K, number>,
    ratio: (one, other) => median(rounds[one].map((value, round) => value / (rounds[other][round] as number))),
  }
}

/** Measures alternatives side by side: each round runs every one, in turn. */
export async function sideBySide<K extends string>(
  rounds: number,
  runs: Readonly<Record<K, () => Promise<number> | number>>,
): Promise<SideBySide<K>> {
  const names = Object.keys(runs) as K[]
  const found = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>
  for (let round = 0; round <= rounds; round++)
    for (const name of round % 2 === 0 ? names : [...names].reverse()) {
      globalThis.gc?.()
      const value = await runs[name]()
      // The first round warms up.
      if (round > 0) found[name].push(value)
    }
  return sumUp(found)
}

/** The rounds of all of them as if they were of one. */
export function together<K extends string>(parts: readonly SideBySide<K>[]): SideBySide<K> {
  const names = Object.keys(parts[0]?.rounds ?? {}) as K[]
  return sumUp(Object.fromEntries(names.map((name) => [name, parts.flatMap(({ rounds }) => rounds[name])])) as Record<K, number[]>)
}

/** Prints figures as they come, and writes them when asked. */
export function createFigures(file: string | undefined): Figures & { finish(): void } {
  const all: Record<string, number> = {}
  const notes: string[] = []
  const tty = process.stderr.isTTY === true
  const clear = () => tty && process.stderr.write('\r\u001b[K')
  const machine = {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    /** What ran beside it before: much more than nothing, and the figures are noisy. */
    load: Number((loadavg()[0] ?? 0).toFixed(2)),
  }
  process.stdout.write(`${machine.cpu}, ${machine.cores} cores, load ${machine.load}, Node ${machine.node}, ${machine.platform}\n`)
  return {
    begin(text) {
      clear()
      process.stderr.write(tty ? `… ${text}` : `… ${text}\n`)
    },
    put(name, value, unit, floor) {
      clear()
      all[name] = Number(value.toPrecision(4))
      process.stdout.write(
        `${name.padEnd(34)} ${String(all[name]).padStart(10)} ${unit.padEnd(8)} ${floor === undefined ? '' : `(to reach: ${floor})`}\n`,
      )
    },
    note(text) {
      clear()
      notes.push(text)
      process.stdout.write(`${text}\n`)
    },
    finish() {
      clear()
      if (file !== undefined)
        writeFileSync(file, `${JSON.stringify({ machine, at: new Date().toISOString(), notes, figures: all }, null, 2)}\n`)
    },
  }
}
