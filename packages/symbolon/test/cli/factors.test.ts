// `symbolon users factors`: what a person can sign in by, and what an operator takes away, on a real data directory.

import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openSqliteStore } from '#stores/sqlite'
import { setCommandLine } from '../setting/command-line.ts'
import { handle, passkey } from '../suites/store/passkeys.ts'

const { set, dev: cli, rows } = setCommandLine()

it('lists and removes passkeys', async () => {
  const [user] = await rows('users', 'create', 'ada@example.com')
  const [other] = await rows('users', 'create', 'eve@example.com')
  const store = await openSqliteStore({ path: join(set.folder, 'data', 'symbolon.db') })
  const [one, two] = [passkey(String(user?.id), { name: 'Laptop' }), passkey(String(user?.id), { name: 'Phone', counter: 7 })]
  await store.passkeys.handle(String(user?.id), handle())
  for (const each of [one, two]) await store.passkeys.add(each, 20, [], null)
  await store.close()
  expect(await rows('users', 'factors', 'ada@example.com')).toMatchObject([
    { id: one.id, kind: 'passkey', name: 'Laptop', synced: true, counter: 0, last_used: '' },
    { id: two.id, name: 'Phone', counter: 7 },
  ])
  expect((await cli('users', 'factors', 'eve@example.com')).out).toContain('No passkeys.')
  const strange = await cli('users', 'factors', String(other?.id), '--remove', one.id)
  expect([strange.code, strange.err]).toEqual([1, expect.stringContaining('none of that id')])
  expect(await rows('users', 'factors', 'ada@example.com', '--remove', one.id)).toMatchObject([{ id: two.id }])
  // An operator may take the last one, too.
  expect(await rows('users', 'factors', 'ada@example.com', '--remove', two.id)).toEqual([])
  expect((await cli('users', 'factors', 'nobody@example.com')).code).toBe(1)
})
