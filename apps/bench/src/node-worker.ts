// A node under load: told a number, it makes so many live checks for 64 callers, and answers how many a second they were.

import { credentialAt, drawn } from './load.ts'
import { rateOf } from './rates.ts'
import { openPostgresCore } from './rooms.ts'

const [url = '', sessions = ''] = process.argv.slice(2)
const { core } = await openPostgresCore(url)
const credentials = drawn(5000, Number(sessions), false).map(credentialAt)

process.on('message', async (count) => {
  const rate = await rateOf(64, count as number, async (n) => {
    const checked = await core.sessions.check(credentials[(n * 7919) % credentials.length], 'cookie')
    if (!checked.ok) throw new Error(checked.code)
  })
  process.send?.(rate)
})
process.on('disconnect', () => process.exit())
process.send?.(0)
