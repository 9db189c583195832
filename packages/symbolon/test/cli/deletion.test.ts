// `symbolon users delete`: asks, or is told not to, and leaves nobody.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { run } from '#cli'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-deletion-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

async function cli(words: readonly string[], answer?: boolean) {
  const printed = { out: '', err: '', asked: '' }
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
    ...(answer !== undefined && {
      ask: async (question: string) => {
        printed.asked = question
        return answer
      },
    }),
  }
  const code = await run([...words, '--dev'], terminal, async () => {}, '0')
  return { code, ...printed }
}

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
