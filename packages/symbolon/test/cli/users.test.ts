// `symbolon users list`: everybody, in pages whose end is told.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '#cli'
import { openSqliteStore } from '#stores/sqlite'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-users-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function list(...words: string[]) {
  const printed = { out: '', err: '' }
  const terminal = {
    env: { SYMBOLON_DATA: join(folder, 'data') },
    out: (text: string) => {
      printed.out += `${text}\n`
    },
    err: (text: string) => {
      printed.err += `${text}\n`
    },
    colour: false,
    readInput: async () => '',
  }
  const code = await run(['users', 'list', ...words, '--dev'], terminal, async () => {}, '0')
  return { code, ...printed }
}

it('tells where it goes on when there are more than it shows', async () => {
  expect(await list()).toMatchObject({ code: 0, out: 'No users yet.\n', err: '' })
  const store = await openSqliteStore({ path: join(folder, 'data', 'symbolon.db') })
  const id = (n: number) => `usr_${String(n).padStart(22, '0')}`
  await Promise.all(
    Array.from({ length: 1001 }, (_, n) => store.users.create({ id: id(n), email: `person${n}@example.com`, roles: [] }, [])),
  )
  await store.close()
  const ids = (out: string) => (JSON.parse(out) as { readonly id: string }[]).map((one) => one.id)
  const first = await list('--json')
  expect(first.err).toBe(`There may be more: go on with --after ${id(999)}\n`)
  const rest = await list('--json', '--after', id(999))
  expect([...ids(first.out), ...ids(rest.out)]).toEqual(Array.from({ length: 1001 }, (_, n) => id(n)))
  expect(rest.err).toBe('')
  expect((await list('--after', id(1000))).out).toBe('No more users.\n')
})
