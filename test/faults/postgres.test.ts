// The short form of the fault suite: every scenario once, each for some seconds. `npm run faults` runs the same for longer.
// Some at once: for the most part they wait.

import { writeFileSync } from 'node:fs'
import { afterAll, describe, expect, it } from 'vitest'
import { canMount } from '../disk.ts'
import { createLanes } from './lanes.ts'
import { type Outcome, runScenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const seed = Number(process.env.LOAD_SEED ?? Math.floor(Math.random() * 1_000_000))
/** Minutes over all scenarios, those whose names hold a text; each once unless said. */
const only = process.env.FAULTS_ONLY ?? ''
const minutes = Number(process.env.FAULTS_MINUTES ?? 0)
const chosen = scenarios.filter(
  ({ name, long, disk }) => name.includes(only) && (minutes > 0 || long !== true) && (disk === undefined || canMount),
)
const lanes = minutes > 0 ? 2 : 3
const lane = createLanes(lanes)
const seconds = (minutes * 60) / Math.ceil(chosen.length / lanes || 1)
/** Whatever waits for a lane does so within its time. */
const timeout = 3 * (120_000 + seconds * 1000)

/** What came of each: what a longer run is summed up by. */
const report: { name: string; seconds: number; acts: number; calls: number; violations: readonly string[] }[] = []
afterAll(() => {
  if (process.env.FAULTS_REPORT !== undefined) writeFileSync(process.env.FAULTS_REPORT, JSON.stringify({ chosen: chosen.length, report }))
})

describe.concurrent(`two nodes on PostgreSQL keep every promise (LOAD_SEED=${seed})`, () => {
  it.each(chosen)('$name', { timeout }, (scenario) =>
    lane(async () => {
      const began = performance.now()
      let outcome: Outcome | undefined
      const violations: string[] = []
      try {
        // Beside other tests callers take their time, but where something must be found broken.
        const pace = minutes > 0 || scenario.breaks !== undefined ? 80 : 240
        outcome = await runScenario(scenario, { seed, lasts: seconds * 1000, spell: seconds > 30 ? 6000 : 2500, pace })
        const { broken, late } = outcome
        const rules = new Set(broken.map(({ rule }) => rule))
        if (scenario.breaks === undefined) violations.push(...broken.map(({ rule, sentence }) => `${rule}: ${sentence}`), ...late)
        else if (!rules.has(scenario.breaks)) violations.push(`${scenario.breaks} must be found broken, and is not.`)
      } catch (error) {
        violations.push(error instanceof Error ? error.message : String(error))
      }
      const { acts = 0, calls = 0 } = outcome ?? {}
      report.push({ name: scenario.name, seconds: Math.round((performance.now() - began) / 1000), acts, calls, violations })
      expect({ seed, violations }).toEqual({ seed, violations: [] })
    }),
  )
})
