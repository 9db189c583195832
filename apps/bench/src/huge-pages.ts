// Huge pages for a server with many gigabytes of buffers: with pages of 4 kB each of its processes has to be shown each page of
// them once, and a look-up among millions costs several times what it costs among thousands.

import { readFileSync, writeFileSync } from 'node:fs'

const pages = '/proc/sys/vm/nr_hugepages'
const read = () => Number(readFileSync(pages, 'utf8'))

/** Reserves so many more, where the system lets us; returns what gives them back, or `undefined`. */
export function reserveHugePages(count: number): (() => void) | undefined {
  try {
    const before = read()
    const giveBack = () => writeFileSync(pages, `${before}`)
    writeFileSync('/proc/sys/vm/compact_memory', '1')
    writeFileSync(pages, `${before + count}`)
    if (read() >= before + count) return giveBack
    giveBack()
  } catch {
    // Not Linux, or not ours to say.
  }
  return undefined
}
