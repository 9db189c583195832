// 64 connections that ask for a path as fast as they are answered. By autocannon, which comes with the benchmark; or, where so
// many must really wait at once for what is measured (checks that share a statement), by wrk if it is installed: beside a
// database, two cores leave autocannon too little to ask that fast.

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'

const run = promisify(execFile)
const connections = 64

/** Autocannon has no types. */
const autocannon = createRequire(import.meta.url)('autocannon') as (
  options: object,
) => Promise<{ '2xx': number; non2xx: number; errors: number }>

/** Of one request. */
export type Headers = Readonly<Record<string, string>>

const wrk = run('wrk', ['-v']).then(
  () => true,
  // It ends with 1 when asked for its version.
  (error: { readonly code?: unknown }) => error.code === 1,
)

/** Asks for an address with these headers in turn; returns how many answers there were. Throws if one was a refusal. */
export type Load = (url: string, headers: readonly Headers[], seconds: number) => Promise<number>

/** wrk, or autocannon where it is not installed, and which of them it is, for the table. */
export async function heavyLoad(): Promise<{ readonly load: Load; readonly name: string }> {
  if (await wrk) return { load: loadByWrk, name: 'load by wrk, 64 connections' }
  return { load: loadByAutocannon, name: 'load by autocannon, 64 connections; wrk, which asks for more at once, is not installed' }
}

async function loadByWrk(url: string, headers: readonly Headers[], seconds: number): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  try {
    const table = headers.map(
      (one) => `{${Object.entries(one).map(([name, value]) => `[${JSON.stringify(name)}]=${JSON.stringify(value)}`)}}`,
    )
    const script = join(folder, 'load.lua')
    writeFileSync(
      script,
      `local all = {${table.join(',')}}\nlocal at = 0\nrequest = function() at = at % #all + 1; return wrk.format('GET', nil, all[at]) end\n`,
    )
    const { stdout } = await run('wrk', ['-t1', `-c${connections}`, `-d${seconds}s`, '-s', script, url])
    const refused = /Non-2xx or 3xx responses: \d+|Socket errors: .*/.exec(stdout)
    if (refused !== null) throw new Error(`${url}: ${refused[0]}`)
    return Number(/(\d+) requests in/.exec(stdout)?.[1])
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** By autocannon. */
export async function loadByAutocannon(url: string, headers: readonly Headers[], seconds: number): Promise<number> {
  // Each connection takes turns with some of them: it makes all its requests ahead, which would take longer than to ask.
  let next = 0
  const setupClient = (client: { setRequests(requests: readonly object[]): void }) => {
    const first = next++
    client.setRequests(headers.filter((_, at) => at % connections === first % connections).map((one) => ({ method: 'GET', headers: one })))
  }
  const result = await autocannon({ url, connections, duration: seconds, setupClient })
  if (result.non2xx + result.errors > 0) throw new Error(`${url}: ${result.non2xx} refused, ${result.errors} errors`)
  return result['2xx']
}
