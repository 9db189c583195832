// A backup is put back under a service that acknowledged more since: a start is refused until `symbolon restore` has run,
// after which nothing from before is believed, by the service or by a verifier that follows. On a real file and a real
// database.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import Database from 'libsql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { command } from '../command.ts'
import { type ServiceProcess, startServiceProcess, until } from '../faults/service-process.ts'
import { freePort } from '../free-port.ts'
import { type Postgres, startPostgres } from '../postgres.ts'

let folder: string
let server: Postgres
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-restore-'))
  server = await startPostgres(['fsync=off'])
})
afterAll(() => {
  server.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Where a service keeps everything, and how that is backed up and put back. */
interface Place {
  readonly env: Readonly<Record<string, string>>
  backup(): void | Promise<void>
  putBack(): void | Promise<void>
}

const places = {
  async SQLite(data: string): Promise<Place> {
    const [path, copy] = [join(data, 'symbolon.db'), join(data, '..', 'backup.db')]
    return {
      env: {},
      backup() {
        const db = new Database(path)
        db.exec(`VACUUM INTO '${copy}'`)
        db.close()
      },
      putBack() {
        for (const end of ['-wal', '-shm']) rmSync(path + end, { force: true })
        writeFileSync(path, readFileSync(copy))
      },
    }
  },
  async PostgreSQL(data: string): Promise<Place> {
    const database = await server.create()
    const copy = join(data, '..', 'backup.sql')
    const run = (program: string, ...args: string[]) => {
      const done = spawnSync(program, args, { encoding: 'utf8' })
      if (done.status !== 0) throw new Error(`${program}: ${done.stderr}`)
    }
    return {
      env: { SYMBOLON_DATABASE_URL: server.url(database) },
      backup: () => run('pg_dump', '-d', server.url(database), '-n', 'symbolon', '-f', copy),
      async putBack() {
        await server.sql(database, 'DROP SCHEMA symbolon CASCADE')
        run('psql', '-q', '-v', 'ON_ERROR_STOP=1', '-d', server.url(database), '-f', copy)
      },
    }
  },
}

const ask = async (verifier: Verifier, token: string, level: 'token' | 'session' = 'token') => {
  const result = await verifier.guard(level)({
    method: 'GET',
    url: '/',
    header: (name) => (name === 'authorization' ? `Bearer ${token}` : undefined),
  })
  return result.ok ? 'ok' : (JSON.parse(result.body) as { code: string }).code
}
const markOf = (data: string) => JSON.parse(readFileSync(join(data, 'high-water'), 'utf8')) as { feed: string; seq: number; kids: string[] }

describe.each(['SQLite', 'PostgreSQL'] as const)('%s', (name) => {
  it('is refused when it went back, and is safe to serve from after a restore', { timeout: 180_000 }, async () => {
    const data = join(mkdtempSync(join(folder, 'place-')), 'data')
    const { env, backup, putBack } = await places[name](data)
    const ports = { port: await freePort(), admin: await freePort() }
    const all = {
      ...env,
      SYMBOLON_DATA: data,
      SYMBOLON_PORT: String(ports.port),
      SYMBOLON_ADMIN_PORT: String(ports.admin),
      SYMBOLON_LOG_LEVEL: 'silent',
    }
    const cli = (...words: string[]) => command([...words, '--dev'], all)
    const service: ServiceProcess = await startServiceProcess(data, { ports, env })
    let verifier: Verifier | undefined
    try {
      const clientSecret = await service.register()
      const [ada, bob] = [await service.signIn('ada@example.com'), await service.signIn('bob@example.com')]
      verifier = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret })
      await verifier.ready()
      await backup()

      // After the backup: a session ends, a key is made, somebody signs in, and some role changes.
      await service.signOut(ada)
      expect((await cli('keys', 'rotate')).code).toBe(0)
      const carl = await service.signIn('carl@example.com')
      const late = await service.refresh(bob)
      const seq = Number((await service.signOut(await service.signIn('dan@example.com')))?.split('.')[1])
      await until('the mark follows', () => markOf(data).seq >= seq)
      expect(statSync(join(data, 'high-water')).mode & 0o777).toBe(0o600)
      await until('the new key signs', async () => (await service.signIn('eve@example.com')).facts.kid !== bob.facts.kid)
      const eve = await service.signIn('eve@example.com')
      expect([await ask(verifier, carl.accessToken), await ask(verifier, late.accessToken), await ask(verifier, eve.accessToken)]).toEqual([
        'ok',
        'ok',
        'ok',
      ])
      await until('the mark knows every key', () => markOf(data).kids.includes(eve.facts.kid))
      await service.stop('SIGKILL')
      const mark = markOf(data)

      await putBack()
      const refused = await cli('serve')
      expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/older than what was acknowledged.*symbolon restore/)])
      const doctor = await cli('doctor')
      expect([doctor.code, doctor.out]).toEqual([1, expect.stringContaining('symbolon restore')])
      expect((await cli('restore')).err).toContain('say --yes')
      const dry = await cli('restore', '--dry-run')
      expect([dry.code, dry.err]).toEqual([0, expect.stringContaining('revoke every signing key')])
      expect(markOf(data)).toEqual(mark)
      expect((await cli('serve')).code).toBe(1)

      // Killed in the middle, it is not served from, and can be run again.
      const killed = await command(['restore', '--yes', '--dev'], { ...all, SYMBOLON_CRASH_POINT: 'restore.sessions' })
      expect(killed.code).toBeNull()
      expect((await cli('serve')).err).toContain('has not come to its end')
      const done = await cli('restore', '--yes', '--json')
      expect([done.code, JSON.parse(done.out)]).toEqual([0, expect.objectContaining({ users: 2, keys: 0, sessions: 0 })])
      expect(markOf(data).feed).not.toBe(mark.feed)

      await service.start(env)
      // Everybody signs in anew; nothing from before opens anything.
      for (const old of [ada, bob, late]) await expect(service.refresh(old)).rejects.toThrow(/answered 401/)
      for (const old of [carl, eve]) await expect(service.refresh(old)).rejects.toThrow(/answered 401/)
      const again = await service.signIn('bob@example.com')
      const follower = verifier
      for (const old of [ada, bob, late, carl, eve])
        await expect.poll(() => ask(follower, old.accessToken), { timeout: 40_000, interval: 100 }).toMatch(/revoked|invalid|stale/)
      await expect.poll(() => ask(follower, again.accessToken), { timeout: 40_000, interval: 100 }).toBe('ok')
      // By knowledge alone, and when the service is asked.
      const answers = async (level: 'token' | 'session') =>
        Promise.all([bob, late, carl, eve].map((old) => ask(follower, old.accessToken, level)))
      expect(await answers('token')).not.toContain('ok')
      expect(await answers('session')).not.toContain('ok')
      expect(await ask(follower, again.accessToken, 'session')).toBe('ok')
      // A verifier that comes now knows the same.
      const fresh = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret })
      await fresh.ready()
      expect(await Promise.all([bob, carl, eve, again].map((one) => ask(fresh, one.accessToken).then((code) => code === 'ok')))).toEqual([
        false,
        false,
        false,
        true,
      ])
      await fresh.close()

      // From now on a start is a start.
      await service.stop('SIGTERM')
      await service.start(env)
      await service.refresh(again)
    } finally {
      await verifier?.close()
      await service.stop('SIGKILL')
    }
  })

  it('says what to do when it is new under an old data directory, and lets nobody be locked out by a renewed log', {
    timeout: 120_000,
  }, async () => {
    const data = join(mkdtempSync(join(folder, 'place-')), 'data')
    const { env } = await places[name](data)
    const service = await startServiceProcess(data, { env })
    const all = { ...env, SYMBOLON_DATA: data, SYMBOLON_LOG_LEVEL: 'silent', SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0' }
    try {
      await service.signOut(await service.register().then(() => service.signIn('ada@example.com')))
      await service.stop('SIGTERM')
      const before = markOf(data)
      // As a node does that is asked for more than there is.
      if (name === 'SQLite') {
        const db = new Database(join(data, 'symbolon.db'))
        db.exec(`INSERT INTO meta VALUES ('feed ' || (SELECT feed_id FROM feed_head), ''); UPDATE feed_head SET feed_id = 'renewed'`)
        db.close()
      } else {
        const database = new URL(env.SYMBOLON_DATABASE_URL as string).pathname.slice(1)
        await server.sql(database, `SELECT symbolon.renew_feed('${before.feed}')`)
      }
      await service.start(env)
      await until('the mark follows', () => markOf(data).feed !== before.feed)
      await service.stop('SIGTERM')

      const elsewhere = name === 'SQLite' ? all : { ...all, SYMBOLON_DATABASE_URL: server.url(await server.create()) }
      for (const end of ['', '-wal', '-shm']) rmSync(join(data, `symbolon.db${end}`), { force: true })
      const refused = await command(['serve', '--dev'], elsewhere)
      expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/new and empty.*symbolon restore/)])
      expect((await command(['restore', '--yes', '--dev'], elsewhere)).code).toBe(0)
      const users = await command(['users', 'list', '--dev'], elsewhere)
      expect([users.code, users.out]).toEqual([0, 'No users yet.\n'])
    } finally {
      await service.stop('SIGKILL')
    }
  })
})
