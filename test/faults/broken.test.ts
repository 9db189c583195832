// The load is held against builds that are broken on purpose: each break is found, and what is no break is not. A node is
// killed in each run, and stays away for longer than a verifier may go without knowing. `npm run faults` plays all of them.

import { afterAll, describe, expect, it } from 'vitest'
import { sharePostgres } from '../postgres.ts'
import { type Break, breaks } from './breaks.ts'
import { breakBuild, edited, editedFiles } from './broken.ts'
import { startCluster } from './cluster.ts'
import { judgeHistory } from './history/judge.ts'
import { createLanes } from './lanes.ts'
import { pause } from './load/people.ts'
import { startLoad } from './load.ts'

const window = 1000
const bound = 2000
const terms = { window, seenWithin: 3000, slack: 25 }
const seed = Number(process.env.LOAD_SEED ?? Math.floor(Math.random() * 1_000_000))
/** How long a break may stay unfound, and how long a run without one is. Milliseconds. */
const patience = 150_000
const quiet = 4000
/** How old what was found must be: calls that were under way then, and may explain it, are recorded by now. Milliseconds. */
const settled = 1500

/** Two at once: for the most part they wait. */
const lane = createLanes(2)

const postgres = sharePostgres()
afterAll(async () => (await postgres.started())?.stop())

/** What leads nodes to a new database. */
async function newDatabase() {
  const server = await postgres()
  const url = server.url(await server.create())
  return () => ({ SYMBOLON_DATABASE_URL: url, SYMBOLON_DATABASE_CONNECTIONS: '8' })
}

/** Lets a load work on a broken build until what is broken is found. */
async function play({ edits, breaks: expected, database }: Break) {
  const build = breakBuild(edits)
  const ends: (() => Promise<void> | void)[] = [build.remove]
  try {
    const env = database === undefined ? undefined : await newDatabase()
    const cluster = await startCluster({ count: 2, window, bound, build, ...(env !== undefined && { env }) })
    ends.push(cluster.close)
    const { nodes, verifiers, clientId } = cluster
    const load = startLoad({ nodes, verifiers, clientId, window, seed })
    const found = () => {
      const before = performance.now() - settled
      const { broken } = judgeHistory(load.history, terms)
      const rules = broken.filter(({ events }) => events.every((one) => (one.endedAt ?? one.startedAt) < before)).map((one) => one.rule)
      return expected.length > 0 && expected.every((rule) => rules.includes(rule))
    }
    const started = performance.now()
    const work = async (ms: number) => {
      const until = performance.now() + ms
      for (;;) {
        const asked = performance.now()
        if (asked >= until || found()) return
        // Judging takes longer the longer the history is; the load is given four times what it took.
        await pause(Math.max(250, 4 * (performance.now() - asked)))
      }
    }
    const second = nodes[1] as (typeof nodes)[number]
    do {
      await work(quiet / 2)
      if (found()) break
      await second.kill()
      load.killed(second.name)
      await work(bound + (expected.length > 0 ? 2500 : 500))
      await second.start()
      await work(quiet / 2)
    } while (expected.length > 0 && !found() && performance.now() - started < patience)
    // Judged anew when everything under way has ended: what was found meanwhile may have had a cause still unrecorded.
    const { broken } = judgeHistory(await load.stop(), terms)
    const rules = [...new Set(broken.map((one) => one.rule))]
    if (expected.length === 0) expect({ seed, broken }).toEqual({ seed, broken: [] })
    else expect({ seed, rules }).toEqual({ seed, rules: expect.arrayContaining([...expected]) })
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

describe.concurrent(`a load on builds that are broken (LOAD_SEED=${seed})`, () => {
  const all = process.env.FAULTS_MINUTES !== undefined
  it.each(breaks.filter(({ short }) => all || short))('$name', { timeout: 400_000 }, (broken) => lane(() => play(broken)))

  it.each(breaks)('$name: what is to be replaced is there', ({ edits }) => {
    expect(editedFiles(edits).size > 0).toBe(edits.length > 0)
  })

  it('is not made when a text to be replaced is not there, or not just once', () => {
    expect(() => breakBuild([{ file: 'symbolon/dist/core/decide.js', from: 'no such text', to: '' }])).toThrow(/0 times/)
    expect(() => edited('one two one', { file: 'a', from: 'one', to: 'three' })).toThrow(/2 times/)
    expect(edited('one two', { file: 'a', from: 'one', to: 'three' })).toBe('three two')
  })
})
