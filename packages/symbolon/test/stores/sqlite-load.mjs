// A process that opens, rotates and revokes sessions in the store it is given, many at once, and prints a line for each
// that was acknowledged, at once. It goes on until it is stopped.

import { randomBytes } from 'node:crypto'
import { writeSync } from 'node:fs'
import { openSqliteStore } from '#stores/sqlite'

const store = await openSqliteStore({ path: process.argv[2] })
const user = { email: 'ada@example.com', create: { id: 'usr_ada', roles: [] } }
const policy = { scopes: [], audiences: [], origins: [], returnTo: [], secretHashes: [], keys: [], policy: {} }
await store.clients.put({ id: 'app', name: 'App', transport: 'native', status: 'active', accessTokenFormat: 'jwt', ...policy }, null, [])

const acknowledged = (what, sid, more) => writeSync(1, `${what} ${sid} ${more}\n`)
const lives = async () => {
  for (;;) {
    const sid = randomBytes(16).toString('base64url')
    const times = { idle: 3_600_000, absolute: 36_000_000 }
    const keys = { credentialHash: randomBytes(32), sealedKey: randomBytes(61) }
    const from = { ip: null, userAgent: null, binding: null }
    const session = { sid, kind: 'token', parent: null, clientId: 'app', acr: 'a', amr: ['otp'], ...times, ...from, ...keys }
    await store.sessions.open({ session, attempt: null, user, maxSessions: 0, onLimit: 'deny', replaces: null, audit: [] })
    acknowledged('opened', sid, 1)
    for (let generation = 1; generation < 4; generation++) {
      const epochs = { userEpoch: 1, clientEpoch: 1 }
      const { outcome } = await store.sessions.rotate({
        sid,
        from: generation,
        ...epochs,
        credentialHash: randomBytes(32),
        as: 'rotated',
        active: true,
        audit: [],
      })
      if (outcome === 'rotated') acknowledged('rotated', sid, generation + 1)
    }
    const { head } = await store.sessions.revoke({ sid }, 'sign_out', [])
    acknowledged('revoked', sid, head.seq)
  }
}
await Promise.all(Array.from({ length: 12 }, lives))
