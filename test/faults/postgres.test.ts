// The short form of the fault suite: every scenario once, each for some seconds. `npm run faults` runs the same for longer.

import { describe, expect, it } from 'vitest'
import { canMount } from '../disk.ts'
import { runScenario } from './scenario.ts'
import { scenarios } from './scenarios.ts'

const seed = Number(process.env.LOAD_SEED ?? Math.floor(Math.random() * 1_000_000))
/** Minutes over all scenarios, those whose names hold a text; each once unless said. */
const only = process.env.FAULTS_ONLY ?? ''
const isLong = process.env.FAULTS_MINUTES !== undefined
const chosen = scenarios.filter(
  ({ name, long, disk }) => name.includes(only) && (isLong || long !== true) && (disk === undefined || canMount),
)
const seconds = (Number(process.env.FAULTS_MINUTES ?? 0) * 60) / Math.max(1, chosen.length)

describe(`two nodes on PostgreSQL keep every promise (LOAD_SEED=${seed})`, () => {
  it.each(chosen)('$name', { timeout: 180_000 + seconds * 1000 }, async (scenario) => {
    const { broken, late, counts, acts } = await runScenario(scenario, { seed, lasts: seconds * 1000, spell: seconds > 0 ? 6000 : 2500 })
    if (seconds > 0) console.info(scenario.name, { acts }, counts)
    if (scenario.breaks !== undefined) {
      expect({ seed, rules: broken.map(({ rule }) => rule) }).toEqual({ seed, rules: expect.arrayContaining([scenario.breaks]) })
      return
    }
    expect({ seed, broken, late }).toEqual({ seed, broken: [], late: [] })
    expect(counts.rotated).toBeGreaterThan(10)
    expect(Math.min(...Object.values(counts.accepted))).toBeGreaterThan(10)
  })
})
