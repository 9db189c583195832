// What is remembered of sessions keeps nothing else in memory: not the rows that stood beside them in an answer.

import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, it } from 'vitest'
import { createGlance } from '../../src/stores/postgres/glance.ts'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void
const used = () => {
  collect()
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers
}

const [field, row] = ['\u001f', '\u001e']
const client = JSON.stringify([1, 'app', 'main', 'App', 'cookie', 'active', 1, '[]', '[]', '[]', '[]', '[]', '{}', 0, '[]', 'jwt'])
const fields = (place: number, sid: string) => [
  ...[place, client, 7, 1, 1, 'urn:symbolon:acr:email', '["otp"]', 9e12, 9e12, 1, 1, '', 1, 1],
  ...['ab'.repeat(32), '', 'app', `user-of-${sid}-${'x'.repeat(30)}`, '', '', 'active', 1, '[]'],
]

it('keeps of an answer with many rows only what it remembers', async () => {
  const groups = 150
  const perGroup = 400
  const glance = createGlance({
    // As the database answers: one text for all rows.
    read: async (_, [sids]) => {
      const asked = String(sids).replace(/[{}"]/g, '').split(',')
      return [[1, false, null, Buffer.from(asked.map((sid, at) => fields(at + 1, sid).join(field)).join(row)).toString()]]
    },
  })
  const sid = (group: number, at: number) => `${group}-${at}-`.padEnd(22, 's')
  const before = used()
  for (let group = 0; group < groups; group++) {
    // The first comes a second time: that one is remembered.
    await Promise.all(Array.from({ length: perGroup }, (_, at) => glance(sid(group, at))))
    const again = await Promise.all(Array.from({ length: perGroup }, (_, at) => glance(sid(group, at === 0 ? 0 : perGroup + at))))
    expect(again.every((one) => one?.session.amr[0] === 'otp')).toBe(true)
  }
  // Every answer kept would be 150 kB for each of them.
  expect((used() - before) / groups).toBeLessThan(15_000)
})
