// What `symbolon doctor` says of clocks, on a real database: a node whose own clock is apart from the database's, either way;
// and of a disk with little room.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { command } from '../command.ts'
import { canMount, mountDisk } from '../disk.ts'
import { type Postgres, startPostgres } from '../postgres.ts'

let postgres: Postgres
let folder: string
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-doctor-'))
  // Something is wrong with the store, and nothing with the mail.
  postgres = await startPostgres(['fsync=off'])
})
afterAll(() => {
  postgres.stop()
  rmSync(folder, { recursive: true, force: true })
})

const clock = fileURLToPath(new URL('../faults/clock-shift.mjs', import.meta.url))

it('finds a clock that is apart from the store’s, and tells the store from the mail', async () => {
  const url = postgres.url(await postgres.create())
  const findings = async (shift: number) => {
    const env = { SYMBOLON_DATABASE_URL: url, SYMBOLON_DATA: folder, CLOCK_SHIFT: `${shift}` }
    const { out } = await command(['doctor', '--dev', '--json'], {
      ...env,
      NODE_OPTIONS: `--import ${clock}`,
      SYMBOLON_LOG_LEVEL: 'silent',
    })
    return JSON.parse(out) as { readonly check: string; readonly ok: boolean; readonly says: string }[]
  }
  const clockAt = async (shift: number) => (await findings(shift)).find(({ check }) => check === 'clock')
  const all = await findings(0)
  expect(all.find(({ check }) => check === 'clock')).toMatchObject({ ok: true })
  expect(all.find(({ check }) => check === 'store')).toMatchObject({ ok: false, says: expect.stringContaining('fsync') })
  expect(all.find(({ check }) => check === 'mail')).toMatchObject({ ok: true })
  expect(await clockAt(-1_200_000)).toMatchObject({ ok: false, says: expect.stringContaining('behind the store') })
  expect(await clockAt(1_200_000)).toMatchObject({ ok: false, says: expect.stringContaining('ahead of the store') })
})

it.skipIf(!canMount)('finds a disk with little room (needs root, to mount one)', async () => {
  const disk = mountDisk(join(folder, 'small'), 20, { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 })
  try {
    const dataOf = async (data: string) => {
      const { out } = await command(['doctor', '--dev', '--json'], { SYMBOLON_DATA: data, SYMBOLON_LOG_LEVEL: 'silent' })
      return (JSON.parse(out) as { check: string }[]).find(({ check }) => check === 'data')
    }
    expect(await dataOf(join(disk.place, 'data'))).toMatchObject({ ok: false, says: expect.stringMatching(/has \d\d? MB of room left/) })
    expect(await dataOf(join(folder, 'large'))).toMatchObject({ ok: true })
  } finally {
    disk.remove()
  }
})
