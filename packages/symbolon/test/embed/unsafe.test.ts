// What a start says of a database whose settings would lose what was acknowledged: told once, while it serves.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createAuth } from '#embed'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { tellUnsafe } from '../../src/embed/standing.ts'

let server: Postgres
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-unsafe-'))
  server = await startPostgres(['fsync=off'])
})
afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** What a start tells, once it has looked: nothing of a database is closed before that. */
async function told() {
  const events: { readonly event: string; readonly [field: string]: unknown }[] = []
  const url = server.url(await server.create())
  const auth = createAuth({
    issuer: 'http://localhost:3000/auth',
    dev: true,
    data: mkdtempSync(join(folder, 'data-')),
    database: { url },
    observe: (event) => void events.push(event),
  })
  await auth.ready()
  await auth.close()
  return events.filter(({ event }) => event === 'store.unsafe')
}

it('names fsync that is off, and says nothing where all is well', async () => {
  expect(await told()).toEqual([{ event: 'store.unsafe', detail: expect.stringMatching(/^PostgreSQL: fsync is off: /) }])
  server.halt('fast')
  await server.start(['-c', 'fsync=on'])
  expect(await told()).toEqual([])
})

it('is no fault of the start where it cannot look', async () => {
  const events: unknown[] = []
  await tellUnsafe({ examine: async () => Promise.reject(new Error('no')) }, (event) => void events.push(event))
  expect(events).toEqual([])
})
