// `symbolon users list`: everybody, in pages whose end is told.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSqliteStore } from '#stores/sqlite'
import { setCommandLine } from '../setting/command-line.ts'

const { set, dev } = setCommandLine()
const list = (...words: string[]) => dev('users', 'list', ...words)

it('tells where it goes on when there are more than it shows', async () => {
  expect(await list()).toMatchObject({ code: 0, out: 'No users yet.\n', err: '' })
  const store = await openSqliteStore({ path: join(set.folder, 'data', 'symbolon.db') })
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
