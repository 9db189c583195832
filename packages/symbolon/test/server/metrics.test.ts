// Metrics of work that some node must do: an alarm on an age must come for a job that never ran, too.

import { expect, it } from 'vitest'
import { createMetrics, type JobsState } from '../../src/server/metrics.ts'

const agesOf = async (leases: JobsState['leases']) => {
  const metrics = createMetrics(
    async () => ({ followers: 0, head: 0 }),
    async () => ({ now: 1_000_000, leases }),
    async () => [],
  )
  const lines = (await metrics.print()).matchAll(/^symbolon_job_last_run_seconds\{job="(\w+)"\} (\S+)$/gm)
  return Object.fromEntries([...lines].map(([, job, age]) => [job, Number(age)]))
}

it('counts from the start of the process for jobs that never ran on any node', async () => {
  const none = await agesOf([])
  expect(Object.keys(none).sort()).toEqual(['clean_up', 'keys'])
  expect(await agesOf([{ name: 'clean_up', ranAt: null }])).toEqual({ keys: expect.any(Number), clean_up: expect.any(Number) })
  for (const age of Object.values(none)) expect(age > 0 && age < 60, `${age}`).toBe(true)
})

it('counts from the last run of those that did, and lists others only then', async () => {
  const ages = await agesOf([
    { name: 'keys', ranAt: 300_000 },
    { name: 're_seal', ranAt: null },
  ])
  expect(ages).toEqual({ keys: 700, clean_up: expect.any(Number) })
  expect(await agesOf([{ name: 're_seal', ranAt: 0 }])).toMatchObject({ re_seal: 1000 })
})
