// `symbolon users delete`: asks, or is told not to, and leaves nobody. `symbolon users email`: another address.

import { expect, it } from 'vitest'
import { setCommandLine } from '../setting/command-line.ts'

const set = setCommandLine()
const cli = (words: readonly string[], answer?: boolean) => set.cli([...words, '--dev'], answer === undefined ? {} : { answer })

it('deletes a user only when told so', async () => {
  const [user] = JSON.parse((await cli(['users', 'create', 'ada@example.com', '--json'])).out) as { id: string }[]
  const unasked = await cli(['users', 'delete', 'ada@example.com'])
  expect([unasked.code, unasked.err]).toEqual([1, expect.stringContaining('say --yes')])
  const refused = await cli(['users', 'delete', 'ada@example.com'], false)
  expect([refused.code, refused.err, refused.asked]).toEqual([
    1,
    expect.stringContaining('Nothing was done'),
    expect.stringContaining(String(user?.id)),
  ])
  expect((await cli(['users', 'show', 'ada@example.com'])).code).toBe(0)
  const done = await cli(['users', 'delete', 'ada@example.com', '--yes', '--json'])
  expect([done.code, JSON.parse(done.out)]).toEqual([0, [{ deleted: user?.id, sessions_ended: 0 }]])
  expect((await cli(['users', 'show', String(user?.id)])).code).toBe(1)
  expect((await cli(['users', 'delete', 'ada@example.com', '--yes'])).code).toBe(1)
  await cli(['users', 'create', 'ada@example.com'])
  expect((await cli(['users', 'delete', 'ada@example.com'], true)).code).toBe(0)
})

it('gives a user another address, and tells the old one', async () => {
  const [bob] = JSON.parse((await cli(['users', 'create', 'bob@example.com', '--json'])).out) as { id: string }[]
  await cli(['users', 'create', 'eve@example.com'])
  const done = await cli(['users', 'email', 'bob@example.com', 'Bob@New.example', '--json'])
  expect([done.code, JSON.parse(done.out)]).toEqual([
    0,
    [expect.objectContaining({ id: bob?.id, email: 'bob@new.example', epoch: 2, sessions_ended: 0 })],
  ])
  for (const [who, address, said] of [
    ['bob@new.example', 'eve@example.com', /exists already/],
    ['bob@new.example', 'nonsense', /not an e-mail address/],
    ['bob@example.com', 'b@example.com', /no such user/],
  ] as const)
    expect(await cli(['users', 'email', who, address])).toMatchObject({ code: 1, err: expect.stringMatching(said) })
})
