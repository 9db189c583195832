// The bound on staleness against what is true: for any delays, lost and reordered beats, clocks whose rates differ by
// 0.1 %, machines that are suspended and wall clocks that are set, it is never too small.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { createElapsed } from '../../src/source/elapsed.ts'
import { createStaleness } from '../../src/source/staleness.ts'

const beat = fc.record({
  /** Milliseconds between this beat and the one before, on its way, and whether it is lost. */
  gap: fc.integer({ min: 0, max: 3000 }),
  delay: fc.oneof(fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 40_000 })),
  lost: fc.boolean(),
  /** What happens at this side meanwhile: nothing, a suspension (the monotonic clock stands), or a set wall clock. */
  event: fc.oneof(
    { weight: 6, arbitrary: fc.constant(undefined) },
    { weight: 1, arbitrary: fc.record({ suspended: fc.integer({ min: 1, max: 100_000 }) }) },
    { weight: 1, arbitrary: fc.record({ set: fc.integer({ min: -1e9, max: 1e9 }) }) },
  ),
})

it('is never below the true staleness', () => {
  fc.assert(
    fc.property(
      fc.array(beat, { maxLength: 40 }),
      fc.integer({ min: 0, max: 20_000 }),
      fc.integer({ min: 0, max: 20_000 }),
      fc.constantFrom(0.999, 1, 1.001),
      fc.integer({ min: -1e9, max: 1e9 }),
      (beats, requestDelay, openDelay, rate, offset) => {
        // True time runs; here is this side, whose clocks are right but for what happens to them.
        let time = 1_000_000
        let stood = 0
        let setBy = 0
        const elapsed = createElapsed({ monotonic: () => time - stood, now: () => Math.floor(time + setBy) })
        const staleness = createStaleness(elapsed)
        // The sender's monotonic clock.
        const theirs = (then: number) => offset + then * rate
        const sent = elapsed.read()
        expect(staleness.value()).toBe(Number.POSITIVE_INFINITY)
        const t0 = theirs(time + requestDelay)
        // What arrives when; a beat's knowledge is of when it was read there.
        let readAt = time + requestDelay
        const arrivals = beats
          .filter(({ lost, gap }) => {
            readAt += gap
            return !lost
          })
          .map((one) => ({ ...one, readAt: 0, arrives: 0 }))
        readAt = time + requestDelay + openDelay
        let i = 0
        for (const one of beats) {
          readAt += one.gap
          if (one.lost) continue
          const arrival = arrivals[i++] as (typeof arrivals)[number]
          arrival.readAt = readAt
          arrival.arrives = readAt + one.delay
        }
        // Reordered as delays have it.
        arrivals.sort((a, b) => a.arrives - b.arrives)
        let best = Number.NEGATIVE_INFINITY
        for (const one of arrivals) {
          // This side reads its clock before and after whatever happens, as its watch does twice a second.
          time = Math.max(time, one.arrives)
          elapsed.read()
          if (one.event !== undefined && 'suspended' in one.event) {
            time += one.event.suspended
            stood += one.event.suspended
          } else if (one.event !== undefined) setBy += one.event.set
          elapsed.read()
          expect(staleness.complete({ sent, t0 }, theirs(one.readAt))).toBe(true)
          best = Math.max(best, one.readAt)
          // A wall clock set back by no more than rounding is not seen.
          const truth =
            time - best - 2 * beats.filter(({ event }) => event !== undefined && 'set' in event && event.set >= -2 && event.set < 0).length
          expect(staleness.value()).toBeGreaterThanOrEqual(truth - 1e-6)
          time += 700
          expect(staleness.value()).toBeGreaterThanOrEqual(truth + 700 - 1e-6)
        }
      },
    ),
    { numRuns: Number(process.env.RUNS ?? 2000) },
  )
})

it('is close to the truth where nothing goes wrong: delays of the request and of the beat, and a thousandth', () => {
  let time = 0
  const elapsed = createElapsed({ monotonic: () => time, now: () => Math.floor(time) })
  const staleness = createStaleness(elapsed)
  const sent = elapsed.read()
  time = 600_000
  staleness.complete({ sent, t0: 20 }, 600_000 - 10)
  expect(staleness.value()).toBeLessThan(10 + 20 + 601 + 61)
})

it('refuses a beat from a time that cannot have come, and takes the one before', () => {
  let time = 0
  const elapsed = createElapsed({ monotonic: () => time, now: () => time })
  const staleness = createStaleness(elapsed)
  const zero = { sent: elapsed.read(), t0: 5000 }
  time = 1000
  expect(staleness.complete(zero, 6500)).toBe(false)
  expect(staleness.value()).toBe(Number.POSITIVE_INFINITY)
  expect(staleness.complete(zero, 5990)).toBe(true)
  expect(staleness.value()).toBeCloseTo(11, 5)
})

it('does not run fast either when it is read very often', () => {
  let time = 0.5
  const elapsed = createElapsed({ monotonic: () => time, now: () => Math.floor(time) })
  for (let i = 0; i < 600_000; i++) {
    time += 1.0001
    elapsed.read()
  }
  expect(elapsed.read() / time).toBeLessThan(1.0003)
})

it('counts by the other clock what a wall clock loses that is slowed down, or set back before anybody looked', () => {
  let time = 0
  let wall = 0
  let stood = 0
  const elapsed = createElapsed({ monotonic: () => time - stood, now: () => wall })
  // Slewed by one in a hundred: no single look sees it go back.
  for (let i = 0; i < 1000; i++) {
    time += 100
    wall += 99
    elapsed.read()
  }
  expect(elapsed.read()).toBeGreaterThanOrEqual(time)
  // Five seconds asleep, seen; then three more, and the wall clock set back within them.
  time += 5000
  wall += 5000
  stood += 5000
  elapsed.read()
  time += 3000
  wall += 3000 - 3_600_000
  expect(elapsed.read()).toBeGreaterThanOrEqual(time)
  expect(elapsed.read()).toBeLessThan(time + 2000)
})
