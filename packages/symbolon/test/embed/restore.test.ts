// A store that went back in time is noticed and refused; a restore makes it safe: nothing from before is believed, and
// everybody can sign in anew. On a real file and on a real database, each put back from a backup.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AuthOptions, createAuth, createUpkeep } from '#embed'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'

let server: Postgres
const folders: string[] = []
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => {
  server.stop()
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** A place for a service, how it is backed up, and how the backup is put back. */
const places = {
  async SQLite(data: string) {
    const files = ['symbolon.db', 'symbolon.db-wal', 'symbolon.db-shm']
    const copy = (from: string, to: string) => {
      for (const file of files) {
        rmSync(join(to, file), { force: true })
        if (existsSync(join(from, file))) cpSync(join(from, file), join(to, file))
      }
    }
    const backup = mkdtempSync(join(tmpdir(), 'symbolon-backup-'))
    folders.push(backup)
    return { options: {}, save: async () => copy(data, backup), put: async () => copy(backup, data) }
  },
  async PostgreSQL() {
    const database = await server.create()
    const file = join(server.folder, `${database}.dump`)
    const bin = process.env.POSTGRES_BIN
    const run = (program: string, ...args: string[]) => {
      const done = spawnSync(bin === undefined ? program : join(bin, program), args, { encoding: 'utf8' })
      if (done.status !== 0) throw new Error(done.stderr)
    }
    return {
      options: { database: { url: server.url(database) } },
      save: async () => run('pg_dump', '-Fc', '-f', file, server.url(database)),
      put: async () => run('pg_restore', '--clean', '--if-exists', '-d', server.url(database), file),
    }
  },
}

describe.each(['SQLite', 'PostgreSQL'] as const)('%s', (name) => {
  it('restored from a backup, is refused until it is made safe', async () => {
    const data = mkdtempSync(join(tmpdir(), 'symbolon-restore-'))
    folders.push(data)
    const { options: place, save, put } = await places[name](data)
    const options: AuthOptions = { issuer: 'http://localhost:3000/auth', dev: true, data, ...place }
    const open = async () => {
      const auth = createAuth(options)
      await auth.ready()
      return auth
    }
    const signIn = async (auth: Awaited<ReturnType<typeof open>>, email: string) => {
      const call = async (path: string, body: object) =>
        auth.handler(
          new Request(`http://localhost:3000/auth${path}`, {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify(body),
          }),
        )
      const started = (await (await call('/v1/login/start', { method: 'email_otp', identifier: email, client_id: 'native' })).json()) as {
        login_id: string
      }
      const outbox = (await (await auth.handler(new Request('http://localhost:3000/auth/dev/outbox'))).json()) as {
        to: string
        text: string
      }[]
      const code = /\b\d{6}\b/.exec(outbox.filter(({ to }) => to === email).at(-1)?.text ?? '')?.[0]
      const answer = await call('/v1/login/verify', { login_id: started.login_id, code })
      expect(answer.status).toBe(200)
      const { refresh_token, access_token, session } = (await answer.json()) as {
        refresh_token: string
        access_token: string
        session: { sid: string }
      }
      const refresh = async (by: Awaited<ReturnType<typeof open>>) => {
        const given = await by.handler(
          new Request('http://localhost:3000/auth/v1/session/refresh', {
            method: 'POST',
            headers: { 'content-type': 'application/json' },
            body: JSON.stringify({ refresh_token }),
          }),
        )
        return given.status === 200 ? 'refreshed' : ((await given.json()) as { code: string }).code
      }
      return { sid: session.sid, access: access_token, refresh }
    }

    const first = await open()
    await first.clients.create({ id: 'native', name: 'Native', transport: 'native' }, 'test')
    const kept = await signIn(first, 'ada@example.com')
    const ended = await signIn(first, 'eve@example.com')
    await first.close()
    await save()

    const second = await open()
    await second.sessions.revoke({ sid: ended.sid }, 'sign_out', { actor: 'test' })
    expect((await second.tokens.verify(kept.access)).ok).toBe(true)
    await second.close()
    await put()

    const refused = createAuth(options)
    await expect(refused.ready()).rejects.toThrow(/older than what was acknowledged.*symbolon restore/)
    await refused.close()

    const upkeep = await createUpkeep(options)
    const done = await upkeep.restore('test', () => {})
    expect(done).toMatchObject({ sessions: 2, keys: 2 })
    await upkeep.close()

    const third = await open()
    expect(await ended.refresh(third)).toBe('session_revoked')
    expect(await kept.refresh(third)).toBe('session_revoked')
    expect((await third.tokens.verify(kept.access)).ok).toBe(false)
    expect((await signIn(third, 'ada@example.com')).sid).not.toBe(kept.sid)
    await third.close()
    // It stays so, and nothing is refused any more.
    await (await open()).close()
  })
})
