// Very many at once, at a real service: a mass revocation, and a large log that is being handed over, with something urgent
// in the middle. What is urgent waits for neither.

import { type ChildProcess, spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createVerifier, type Verifier } from '@symbolon/verifier'
import Database from 'libsql'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Pulse, startPulse } from '../faults/pulse.ts'
import { type ServiceProcess, type SignedIn, startServiceProcess, until } from '../faults/service-process.ts'

const main = fileURLToPath(new URL('../../packages/symbolon/dist/cli/main.js', import.meta.url))
const mass = 50_000
const logged = 200_000
const masses = ['by-admin', 'by-command']
const children: ChildProcess[] = []
let data: string
let service: ServiceProcess
let secret: string
let verifier: Verifier | undefined
let people: SignedIn[]
let pulse: Pulse

const id = () => randomBytes(16).toString('base64url')

/** Writes rows into the service's file while it is stopped, in one transaction. */
function write(fill: (db: Database.Database) => void): void {
  const db = new Database(join(data, 'symbolon.db'))
  db.exec('BEGIN IMMEDIATE')
  fill(db)
  db.exec('COMMIT')
  db.close()
}
/** Many sessions like one that is there, of another client. */
function multiply(db: Database.Database, like: string, client: string): void {
  const columns = (db.prepare("SELECT name FROM pragma_table_info('sessions')").all() as { name: string }[]).map(({ name }) => name)
  const values = columns.map((name) => ({ sid: 'j.value', client_id: `'${client}'` })[name] ?? `s.${name}`)
  const sids = JSON.stringify(Array.from({ length: mass }, id))
  db.prepare(`INSERT INTO sessions (${columns}) SELECT ${values} FROM json_each(?) j, sessions s WHERE s.sid = ?`).run([sids, like])
}
/** Many sessions that ended. */
function log(db: Database.Database): void {
  const sids = JSON.stringify(Array.from({ length: logged }, id))
  db.prepare(
    `INSERT INTO feed (tenant, seq, kind, id, at, expires)
     SELECT 'main', (SELECT seq FROM feed_head) + key + 1, 'session', value, ?, ? FROM json_each(?)`,
  ).run([Date.now(), Date.now() + 800_000, sids])
  db.exec(`UPDATE feed_head SET seq = seq + ${logged}`)
}
const seq = async () => (await service.admin<{ head: number }>('GET', '/feed')).head

/** From when to when something lasted here. */
interface Span {
  readonly began: number
  readonly ended: number
}
/** Somebody signs out; from then until the follower refuses their token. */
async function urgent(one: SignedIn): Promise<Span> {
  expect(await verifier?.verify(one.accessToken)).toMatchObject({ ok: true })
  const began = performance.now()
  const position = await service.signOut(one)
  expect(position).toMatch(/^[0-9a-f]{16}\.\d+$/)
  for (;;) {
    const result = await verifier?.verify(one.accessToken)
    if (result?.ok === false) {
      expect(result.code).toBe('session_revoked')
      return { began, ended: performance.now() }
    }
    if (performance.now() - began > 20_000) throw new Error('The follower does not hear of it.')
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
/** Whether that took less than a second, but for what this process was kept from running: known at the next beat. */
async function expectQuick({ began, ended }: Span): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, 25))
  expect(ended - began).toBeLessThan(1000 + 2 * pulse.lost(began, ended))
}

beforeAll(async () => {
  pulse = startPulse()
  data = mkdtempSync(join(tmpdir(), 'symbolon-mass-'))
  service = await startServiceProcess(data)
  secret = await service.register()
  for (const client of masses) await service.admin('POST', '/clients', { id: client, name: client, transport: 'native' })
  people = []
  for (let i = 0; i < 20; i++) people.push(await service.signIn(`person-${i}@example.com`))
  await service.stop('SIGTERM')
  write((db) => {
    for (const client of masses) multiply(db, people[0]?.facts.sid ?? '', client)
  })
  await service.start()
})
afterAll(async () => {
  pulse.stop()
  for (const child of children) child.kill('SIGKILL')
  await verifier?.close()
  await service.stop('SIGKILL')
  rmSync(data, { recursive: true, force: true })
})

const endings: Record<string, () => Promise<unknown>> = {
  'by-admin': () => service.admin('DELETE', '/clients/by-admin/sessions'),
  'by-command': () =>
    new Promise((resolve, reject) => {
      const env = { PATH: process.env.PATH ?? '', SYMBOLON_DATA: data, SYMBOLON_PORT: String(service.ports.port) }
      const child = spawn(process.execPath, [main, 'sessions', 'revoke-all', '--client', 'by-command', '--dev', '--json'], { env })
      children.push(child)
      let printed = ''
      child.stdout.on('data', (chunk) => {
        printed += chunk
      })
      child.once('exit', (code) => (code === 0 ? resolve(JSON.parse(printed)[0]) : reject(new Error(`The command ended with ${code}.`))))
    }),
}
it.each(masses)(
  'a sign-out during a mass revocation %s is in the log and at a follower within a second',
  async (client) => {
    verifier ??= createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: secret })
    await verifier.ready()
    const before = await seq()
    const times: Span[] = []
    let over = false
    const ending = (endings[client] as () => Promise<{ ended: number }>)().finally(() => {
      over = true
    })
    ending.catch(() => {})
    await until('the mass is under way', async () => over || (await seq()) > before)
    let amid = 0
    while (!over && times.length < 8) {
      times.push(await urgent(people.pop() as SignedIn))
      if (!over) amid++
    }
    expect((await ending).ended).toBe(mass)
    // In the middle of it, not after.
    expect(amid).toBeGreaterThanOrEqual(3)
    for (const one of times) await expectQuick(one)
    // All of the mass arrives too.
    const head = await seq()
    expect(head).toBe(before + mass + times.length)
    await until('the follower has all of it', () => verifier?.status().applied === head)
    expect(verifier.status().entries).toBeGreaterThanOrEqual(mass + times.length)
  },
  120_000,
)

it('a snapshot of a large log is handed over whole while something urgent comes, which is known meanwhile', async () => {
  await verifier?.close()
  await service.stop('SIGTERM')
  write(log)
  await service.start()
  const head = await seq()
  expect(head).toBeGreaterThan(logged)
  const one = createVerifier({ issuer: service.origin, clientId: 'api', clientSecret: secret })
  verifier = one
  await one.ready()
  expect(one.status()).toMatchObject({ applied: head, snapshots: 1 })
  expect(one.status().entries).toBeGreaterThanOrEqual(logged)

  // A follower whose snapshot stops in the middle of its way, until it is let go on.
  let release = () => {}
  const released = new Promise<void>((resolve) => {
    release = resolve
  })
  let passed = 0
  const late = createVerifier({
    issuer: service.origin,
    clientId: 'api',
    clientSecret: secret,
    fetch: async (input, init) => {
      const answer = await fetch(input, init)
      if (!String(input).endsWith('/snapshot') || answer.body === null) return answer
      const held = new TransformStream<Uint8Array, Uint8Array>({
        async transform(chunk, controller) {
          controller.enqueue(chunk)
          passed += chunk.length
          if (passed > 1_000_000) await released
        },
      })
      return new Response(answer.body.pipeThrough(held), { status: answer.status, headers: answer.headers })
    },
  })
  try {
    await until('a part of the snapshot is there', () => passed > 1_000_000)
    const [urgentOne, other] = [people.pop() as SignedIn, people.pop() as SignedIn]
    // Who is caught up hears of it as ever; who is not knows it too, and nothing else as yet.
    await expectQuick(await urgent(urgentOne))
    await until('the late one has heard', () => late.status().entries === 1)
    expect(late.status()).toMatchObject({ snapshots: 0, stalenessMs: Number.POSITIVE_INFINITY })
    expect(await late.verify(urgentOne.accessToken)).toMatchObject({ ok: false, code: 'session_revoked' })
    expect(await late.verify(other.accessToken)).toMatchObject({ ok: false, code: 'revocation_unknown' })
    release()
    await late.ready()
    expect(late.status()).toMatchObject({ applied: head + 1, snapshots: 1 })
    expect(late.status().entries).toBe(one.status().entries)
    expect(await late.verify(urgentOne.accessToken)).toMatchObject({ ok: false, code: 'session_revoked' })
    expect(await late.verify(other.accessToken)).toMatchObject({ ok: true })
  } finally {
    await late.close()
  }

  // Counted and hashed by ourselves, with a sign-out in the middle: it stands behind the head, so the snapshot is without it.
  const authorization = `Basic ${Buffer.from(`api:${secret}`).toString('base64')}`
  const answer = await fetch(`${service.origin}/v1/revocations/snapshot`, { headers: { authorization } })
  const body = answer.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>
  const chunks = [(await body.read()).value as Uint8Array]
  const last = people.pop() as SignedIn
  await expectQuick(await urgent(last))
  for (let read = await body.read(); !read.done; read = await body.read()) chunks.push(read.value)
  const lines = Buffer.concat(chunks).toString().trimEnd().split('\n')
  const end = JSON.parse(lines.pop() ?? '') as { count: number; sha256: string }
  const digests = lines.map((line) => createHash('sha256').update(line).digest())
  expect(end.sha256).toBe(createHash('sha256').update(Buffer.concat(digests)).digest('base64url'))
  const [start, ...pages] = lines.map((line) => JSON.parse(line)) as [{ feed: string; head: number }, ...(readonly [string, string])[][]]
  const entries = pages.flat()
  expect([start.head, entries.length, entries.some(([, sid]) => sid === last.facts.sid)]).toEqual([head + 1, end.count, false])
  expect(end.count).toBeGreaterThan(logged)
  const page = await fetch(`${service.origin}/v1/revocations?after=${start.feed}.${start.head}&wait=0`, { headers: { authorization } })
  expect(await page.json()).toMatchObject({ entries: [{ kind: 'session', id: last.facts.sid }] })
})
