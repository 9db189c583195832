// Everything moves from a file to a database and back, by the built command between two runs of the built service: who was
// signed in stays so, who was not stays out, and a verifier that follows goes on following.

import { type ChildProcess, spawn } from 'node:child_process'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import Database from 'libsql'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../../packages/symbolon/test/setting/browser.ts'
import { type ServiceProcess, startServiceProcess, until } from '../faults/service-process.ts'
import { startTcpProxy } from '../faults/tcp-proxy.ts'
import { type Postgres, startPostgres } from '../postgres.ts'

const main = fileURLToPath(new URL('../../packages/symbolon/dist/cli/main.js', import.meta.url))

let server: Postgres
let folder: string
let data: string
const children: ChildProcess[] = []
const ends: (() => Promise<unknown>)[] = []
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
})
afterAll(() => server.stop())
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-move-'))
  data = join(folder, 'data')
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  for (const child of children.splice(0)) if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL')
  rmSync(folder, { recursive: true, force: true })
})

/** Runs a command; `seen` hears of everything that it has printed so far, with the process. */
function cli(
  words: readonly string[],
  env: Readonly<Record<string, string>> = {},
  seen: (text: string, child: ChildProcess) => void = () => {},
) {
  const child = spawn(process.execPath, [main, ...words], { cwd: folder, env: { PATH: process.env.PATH ?? '', ...env }, stdio: 'pipe' })
  children.push(child)
  const said = { out: '', err: '' }
  child.stdout.on('data', (chunk) => {
    said.out += chunk
  })
  child.stderr.on('data', (chunk) => {
    said.err += chunk
    seen(said.err, child)
  })
  return new Promise<{ code: number | null; signal: string | null; out: string; err: string }>((resolve) =>
    child.once('close', (code, signal) => resolve({ code, signal, ...said })),
  )
}
const json = (word: string) => JSON.parse(word)
const claims = (token: string) => json(Buffer.from(token.split('.')[1] as string, 'base64url').toString()) as { sub: string; sid: string }
const post = async (service: ServiceProcess, path: string, body: unknown) => {
  const answer = await fetch(service.origin + path, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: answer.status, body: (await answer.json()) as Record<string, string> }
}
const refresh = (service: ServiceProcess, refresh_token: string) => post(service, '/v1/session/refresh', { refresh_token })
const ask = async (verifier: Verifier, token: string, level: 'token' | 'session') => {
  const result = await verifier.guard(level)({
    method: 'GET',
    url: '/',
    header: (name) => (name === 'authorization' ? `Bearer ${token}` : undefined),
  })
  return result.ok ? (result.auth?.checked ?? '') : (json(result.body) as { code: string }).code
}

it('moves to PostgreSQL and back: cookies, refresh tokens, access tokens, refusals and followers stay what they were', async () => {
  const service = await startServiceProcess(data)
  ends.push(() => service.stop('SIGKILL'))
  const secret = await service.register()
  const browser = createBrowser(service.origin)
  await signInOver(browser, '', 'ada@example.com')
  const one = await service.signIn('bob@example.com')
  const two = await service.signIn('eve@example.com')
  const out = await service.signIn('out@example.com')
  // A generation that is old by more than its window, once the places have changed.
  const grown = await service.refresh(two)
  await service.refresh(grown)
  await service.signOut(out)
  const heard = { snapshots: 0, connected: 0, feeds: new Set<string>(), reasons: new Set<string>() }
  const verifier = createVerifier({
    issuer: service.origin,
    clientId: 'api',
    clientSecret: secret,
    observe: (event) => {
      if (event.event === 'snapshot') heard.snapshots++
      if (event.event === 'reconnect') heard.reasons.add(event.reason)
      if (event.event === 'connected') {
        heard.connected++
        heard.feeds.add(event.feedId)
      }
    },
  })
  ends.push(() => verifier.close())
  await verifier.ready()
  expect(await ask(verifier, one.accessToken, 'token')).toBe('local')
  const before = await service.admin<{ feed: string; head: number }>('GET', '/feed')

  // While it runs, nothing moves; nor while it may still run.
  const address = server.url(await server.create())
  const running = await cli(['store', 'copy', data, address])
  expect([running.code, running.out]).toEqual([1, ''])
  expect(running.err).toMatch(/is in use by a service or a command; stop it/)
  expect(running.err.trim().split('\n')).toHaveLength(1)
  await service.stop('SIGTERM')
  const moved = await cli(['store', 'copy', data, address, '--json'])
  expect([moved.code, moved.err.match(/ copying sessions: 4 of 4 rows/)?.length]).toEqual([0, 1])
  expect(json(moved.out)).toMatchObject({ before: false, feed: { feedId: before.feed, seq: before.head } })

  // The old place is shut, and says where everything is.
  const refused = await cli(['serve', '--dev'], { SYMBOLON_DATA: data, SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0' })
  expect([refused.code, refused.err]).toEqual([
    1,
    expect.stringMatching(/was moved to postgres:\/\/127\.0\.0\.1:\d+\/test_\w+; .*symbolon store reopen/),
  ])
  expect(refused.err).not.toContain('postgres@')

  const check = async () => {
    expect((await browser.fetch('/v1/session')).status).toBe(200)
    const minted = (await (await browser.fetch('/v1/session/token', { method: 'POST', json: {} })).json()) as { access_token: string }
    await expect.poll(() => ask(verifier, one.accessToken, 'token'), { timeout: 30_000, interval: 20 }).toBe('local')
    expect(await ask(verifier, one.accessToken, 'session')).toBe('live')
    expect(await ask(verifier, minted.access_token, 'token')).toBe('local')
    expect(await ask(verifier, out.accessToken, 'token')).toBe('session_revoked')
    expect(await ask(verifier, out.accessToken, 'session')).toBe('session_revoked')
    expect(await refresh(service, out.refreshToken)).toMatchObject({ status: 401, body: { code: 'session_revoked' } })
  }
  await service.start({ SYMBOLON_DATABASE_URL: address })
  // What it knew before is young enough for some seconds: what is revoked here it hears when it follows here.
  await expect.poll(() => heard.connected, { timeout: 30_000 }).toBeGreaterThanOrEqual(2)
  await check()
  const renewed = await refresh(service, one.refreshToken)
  expect(renewed.status).toBe(200)
  // What is revoked here reaches who followed there.
  const late = await service.signIn('late@example.com')
  expect(await ask(verifier, late.accessToken, 'token')).toBe('local')
  await service.signOut(late)
  await expect.poll(() => ask(verifier, late.accessToken, 'token'), { timeout: 5000, interval: 10 }).toBe('session_revoked')
  // The oldest copy of a refresh token is a theft here as there.
  expect(await refresh(service, two.refreshToken)).toMatchObject({ status: 401, body: { code: 'session_reused' } })

  await service.stop('SIGTERM')
  const again = join(folder, 'again')
  expect((await cli(['store', 'copy', address, data])).err).toMatch(/was moved to postgres/)
  const back = await cli(['store', 'copy', address, again])
  expect([back.code, back.err.split('\n').length > 10]).toEqual([0, true])
  expect(back.out).toMatch(/Moved 5 sessions, 5 users and 3 clients to .*again; both sides are the same in all \d+ tables/)
  mkdirSync(again, { recursive: true })
  for (const name of ['secret', 'admin.key']) copyFileSync(join(data, name), join(again, name))
  await service.start({ SYMBOLON_DATA: again })
  await check()
  expect(await ask(verifier, late.accessToken, 'token')).toBe('session_revoked')
  expect((await refresh(service, renewed.body.refresh_token as string)).status).toBe(200)
  // It followed all three in turn, as one log: it never had to begin anew.
  await expect.poll(() => heard.connected, { timeout: 30_000 }).toBeGreaterThanOrEqual(3)
  expect(heard).toMatchObject({ snapshots: 1, feeds: new Set([before.feed]) })
  expect(heard.reasons).not.toContain('a gap')
})

it('goes on after Ctrl-C and after kill -9, starts nothing in between, and ends with the same on both sides', async () => {
  const service = await startServiceProcess(data)
  await service.register()
  const one = await service.signIn('ada@example.com')
  await service.stop('SIGTERM')
  const rows = 20_000
  const db = new Database(join(data, 'symbolon.db'))
  const copied = "SELECT name FROM pragma_table_info('sessions') WHERE name <> 'sid'"
  const names = (db.prepare(copied).all() as { name: string }[]).map(({ name }) => name).join(', ')
  db.exec(
    `INSERT INTO sessions (sid, ${names}) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
     SELECT printf('%022d', i), ${names} FROM sessions, n`,
  )
  db.close()

  // The way leads through this process: nothing is copied behind its back, however long it is kept from running.
  const proxy = await startTcpProxy(server.port)
  ends.push(() => proxy.close())
  const database = await server.create()
  const address = server.url(database)
  const words = ['store', 'copy', data, server.url(database, proxy.port)]
  const serve = (env: Readonly<Record<string, string>>) =>
    cli(['serve', '--dev'], { SYMBOLON_DATA: data, SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0', ...env })
  const number = async (text: string) => Number((await server.sql(database, text))[0]?.count)
  const count = () => number('SELECT count(*) FROM symbolon.sessions')
  const killedAt = async (signal: NodeJS.Signals) =>
    cli(words, {}, (text, child) => {
      // Once: the second Ctrl-C ends a process on the spot.
      if (text.includes('copying sessions') && !child.killed) child.kill(signal)
    })
  const connected = "datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
  const left = () => number(`SELECT count(*) FROM pg_stat_activity WHERE ${connected}`)

  const stopped = await killedAt('SIGINT')
  expect([stopped.code, stopped.err]).toEqual([1, expect.stringMatching(/Stopped before the end; run the same command again/)])
  // It stops between two pages.
  const first = await count()
  expect(first).toBeGreaterThan(0)
  expect(first).toBeLessThan(rows)
  const killed = await killedAt('SIGKILL')
  expect(killed.signal).toBe('SIGKILL')
  expect(killed.err).toContain(`copying sessions: ${first.toLocaleString('en-US')} of 20,001 rows`)
  // What had reached the database by then may still be written.
  await until('the database has let go of who was killed', async () => (await left()) === 0)
  const second = await count()
  expect(second).toBeGreaterThanOrEqual(first)
  expect(second).toBeLessThan(rows)
  expect((await serve({})).err).toMatch(/is being moved to postgres.* has not all arrived/)
  expect((await serve({ SYMBOLON_DATABASE_URL: address })).err).toMatch(/holds an unfinished copy of /)

  // What was killed while it moved holds no claim.
  const done = await cli(words)
  expect([done.code, done.out]).toEqual([0, expect.stringMatching(/Moved 20,001 sessions/)])
  // It went on where it was.
  expect(done.err).toContain(`copying sessions: ${second.toLocaleString('en-US')} of 20,001 rows`)
  expect(await count()).toBe(rows + 1)
  expect((await cli(words)).out).toMatch(/before; nothing is left to do/)

  ends.push(() => service.stop('SIGKILL'))
  await service.start({ SYMBOLON_DATABASE_URL: address })
  expect((await refresh(service, one.refreshToken)).status).toBe(200)
  expect(claims(one.accessToken).sid).toBe(one.facts.sid)
})

it('opens the old place again when asked, and a service that was asleep meanwhile writes nothing', async () => {
  const service = await startServiceProcess(data)
  ends.push(() => service.stop('SIGKILL'))
  await service.register()
  const one = await service.signIn('ada@example.com')
  service.signal('SIGSTOP')
  // As if it had slept for longer than its claim.
  const db = new Database(join(data, 'symbolon.db'))
  db.exec("UPDATE leases SET until = 1 WHERE name LIKE 'serving %'")
  db.close()
  const address = server.url(await server.create())
  expect((await cli(['store', 'copy', data, address])).code).toBe(0)
  service.signal('SIGCONT')
  expect((await refresh(service, one.refreshToken)).status).toBe(503)
  await until('it notices and is not ready', async () => !(await fetch(`${service.origin}/readyz`)).ok)
  await service.stop('SIGTERM')

  const reopened = await cli(['store', 'reopen', data])
  expect([reopened.code, reopened.out]).toEqual([0, expect.stringMatching(/is open again, as it was when it was moved to postgres/)])
  expect((await cli(['store', 'reopen', data])).out).toMatch(/nothing was to be done/)
  await service.start()
  expect((await refresh(service, one.refreshToken)).status).toBe(200)
})

it.each<[string, readonly string[], number, RegExp]>([
  ['nothing named', ['store', 'copy'], 2, /missing required argument 'from'/],
  ['one side only', ['store', 'copy', 'a'], 2, /missing required argument 'to'/],
  ['a source that is not there', ['store', 'copy', 'nothing', 'to'], 1, /There is no data of Symbolon in .*nothing/],
  ['another kind of address', ['store', 'copy', 'mysql://x/y', 'to'], 1, /A store is a data directory, sqlite:FILE, or an address/],
  ['an address that is none', ['store', 'copy', 'postgres:x', 'to'], 1, /A database is named by an address/],
  ['a schema that is no plain name', ['store', 'copy', 'postgres://127.0.0.1:1/x#A-b', 'to'], 1, /must be a plain name/],
  ['a database that does not answer', ['store', 'copy', 'postgres://u:geheim@127.0.0.1:1/x', 'to'], 1, /Nothing answers/],
  ['reopening what is not there', ['store', 'reopen', 'nothing'], 1, /There is no data of Symbolon/],
])('refuses %s in a sentence', async (_, words, code, sentence) => {
  const refused = await cli(words)
  expect(refused.code).toBe(code)
  expect(refused.err).toMatch(sentence)
  expect(refused.err.trim().split('\n')).toHaveLength(1)
  expect(refused.err + refused.out).not.toMatch(/geheim|\bat .*:\d+:\d+/)
})
