// Revocation: from the acknowledgement to the last of twenty verifiers, a million live entries, coalesced live checks, and
// a snapshot of a million while something urgent happens.

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { createVerifier } from '@symbolon/verifier'
import { type Figures, quantile, sideBySide, spent } from './figures.ts'
import { freePort } from './free-port.ts'
import { fill, openCore, secret } from './rooms.ts'
import { measureKnown } from './tokens.ts'

const main = fileURLToPath(new URL('../../../packages/symbolon/dist/cli/main.js', import.meta.url))
const now = () => performance.timeOrigin + performance.now()

interface Place {
  readonly issuer: string
  readonly clientId: string
  readonly clientSecret: string
  readonly admin: (method: string, path: string, body?: unknown) => Promise<Record<string, never>>
  /** Access tokens of live sessions. */
  readonly tokens: readonly { readonly sid: string; readonly token: string }[]
  stop(): Promise<void>
}

/** A service in a process of its own, over a directory with sessions in it. `prepare` may put more into the database first. */
async function openPlace(sessions: number, prepare: (path: string) => void = () => {}): Promise<Place> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
  writeFileSync(join(folder, 'secret'), `${secret}\n`, { mode: 0o600 })
  const [port, adminPort] = [await freePort(), await freePort()]
  const issuer = `http://localhost:${port}`
  const open = await openCore(join(folder, 'symbolon.db'), issuer)
  const credentials = await fill(open, sessions, 'native')
  const tokens: { sid: string; token: string }[] = []
  for (const credential of credentials) {
    const outcome = await open.core.sessions.refresh({ credential, kind: 'token', background: true, caller: { ip: null, userAgent: null } })
    tokens.push({ sid: outcome.snapshot.session.sid, token: outcome.minted.accessToken })
  }
  await open.store.close()
  prepare(join(folder, 'symbolon.db'))
  const child: ChildProcess = spawn(process.execPath, [main, 'serve', '--dev'], {
    env: { PATH: process.env.PATH, SYMBOLON_DATA: folder, SYMBOLON_PORT: String(port), SYMBOLON_ADMIN_PORT: String(adminPort) },
    stdio: 'ignore',
  })
  for (let i = 0; ; i++) {
    const ok = await fetch(`${issuer}/readyz`).then(
      (response) => response.ok,
      () => false,
    )
    if (ok) break
    if (i > 1000) throw new Error('The service does not start.')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const admin: Place['admin'] = async (method, path, body) => {
    const answer = await fetch(`http://127.0.0.1:${adminPort}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${readFileSync(join(folder, 'admin.key'), 'utf8').trim()}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}`)
    return (await answer.json()) as Record<string, never>
  }
  const api = { id: 'api', name: 'API', transport: 'service', audiences: [issuer], scopes: ['revocations:read'] }
  const { client_secret: clientSecret } = await admin('POST', '/clients', api)
  return {
    issuer,
    clientId: 'api',
    clientSecret: clientSecret as unknown as string,
    admin,
    tokens,
    async stop() {
      const gone = new Promise((resolve) => child.once('exit', resolve))
      child.kill('SIGTERM')
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

interface Watcher {
  readonly ready: Promise<{ readonly readyMs: number; readonly pauseMs: number; readonly mb: number; readonly entries: number }>
  /** Resolves to the time of the first refusal, once watching has begun. */
  watch(token: string): Promise<{ readonly refused: Promise<number> }>
  close(): Promise<void>
}

function startWatcher({ issuer, clientId, clientSecret }: Place): Watcher {
  const worker = new Worker(new URL('./revocation-worker.js', import.meta.url), { workerData: { issuer, clientId, clientSecret } })
  const hear = <T>(name: string) =>
    new Promise<T>((resolve, reject) => {
      const listen = (message: object) => {
        if (!(name in message)) return
        worker.off('message', listen)
        resolve(message as T)
      }
      worker.on('message', listen)
      worker.once('error', reject)
    })
  worker.setMaxListeners(0)
  return {
    ready: hear('readyMs'),
    async watch(token) {
      const watching = hear('watching')
      const refused = hear<{ refusedAt: number; status: number }>('refusedAt').then(({ refusedAt, status }) => {
        if (status !== 401) throw new Error(`A verifier answered ${status}.`)
        return refusedAt
      })
      worker.postMessage({ watch: token })
      await watching
      return { refused }
    },
    async close() {
      const gone = new Promise((resolve) => worker.once('exit', resolve))
      worker.postMessage({ close: true })
      await gone
    },
  }
}

async function measureReach(figures: Figures): Promise<void> {
  const rounds = 150
  const place = await openPlace(rounds)
  const watchers = Array.from({ length: 20 }, () => startWatcher(place))
  try {
    figures.begin('20 verifiers get ready')
    await Promise.all(watchers.map((one) => one.ready))
    const times: number[] = []
    for (const [round, { sid, token }] of place.tokens.entries()) {
      if (round % 25 === 0) figures.begin(`revoking ${round} of ${rounds}`)
      const watched = await Promise.all(watchers.map((one) => one.watch(token)))
      await place.admin('DELETE', `/sessions/${sid}`)
      const acknowledged = now()
      const refused = await Promise.all(watched.map((one) => one.refused))
      times.push(Math.max(0, ...refused.map((at) => at - acknowledged)))
    }
    figures.put('feed.ack_to_refused_ms.p50', quantile(times, 0.5), 'ms', '≤ 10')
    figures.put('feed.ack_to_refused_ms.p99', quantile(times, 0.99), 'ms', '≤ 100')
    figures.put('feed.ack_to_refused_ms.max', Math.max(...times), 'ms', '≤ 10000')
  } finally {
    await Promise.all(watchers.map((one) => one.close()))
    await place.stop()
  }
}

async function measureCoalesced(figures: Figures): Promise<void> {
  figures.begin('64 live checks at once, coalesced and one by one')
  const place = await openPlace(64)
  const verifier = createVerifier(place)
  try {
    await verifier.ready()
    const guard = verifier.guard('session')
    const basic = `Basic ${btoa(`${place.clientId}:${place.clientSecret}`)}`
    const all = async (one: (token: string) => Promise<boolean>) => {
      const { wall } = await spent(async () => {
        for (let round = 0; round < 10; round++) {
          const held = await Promise.all(place.tokens.map(({ token }) => one(token)))
          if (held.includes(false)) throw new Error('refused')
        }
      })
      return 640 / wall
    }
    const rates = await sideBySide(5, {
      single: () =>
        all(async (token) => {
          const answer = await fetch(`${place.issuer}/oauth/introspect`, {
            method: 'POST',
            headers: { authorization: basic, 'content-type': 'application/x-www-form-urlencoded' },
            body: new URLSearchParams({ token }).toString(),
          })
          return ((await answer.json()) as { active: boolean }).active
        }),
      coalesced: () =>
        all(async (token) => {
          const header = (name: string) => (name === 'authorization' ? `Bearer ${token}` : undefined)
          return (await guard({ method: 'GET', url: '/', header })).ok
        }),
    })
    figures.put('introspect.coalesced.vs_single', rates.ratio('coalesced', 'single'), '×', '≥ 6')
  } finally {
    await verifier.close()
    await place.stop()
  }
}

/** A million live entries, straight into the log. */
function fillFeed(path: string): void {
  const db = new (createRequire(import.meta.url)('libsql'))(path)
  const expires = Date.now() + 1_000_000
  db.exec('BEGIN')
  const insert = db.prepare(
    "INSERT INTO feed (tenant, seq, kind, id, epoch, state, at, expires) VALUES ('main', ?, 'session', ?, NULL, NULL, ?, ?)",
  )
  const [{ seq }] = db.prepare('SELECT seq FROM feed_head').all([])
  for (let i = 1; i <= 1_000_000; i++) insert.run([seq + i, randomBytes(16).toString('base64url'), Date.now(), expires])
  db.exec('UPDATE feed_head SET seq = seq + 1000000; COMMIT')
  db.close()
}

async function measureSnapshot(figures: Figures): Promise<void> {
  figures.begin('a log of 1,000,000 entries')
  const place = await openPlace(4, fillFeed)
  const first = startWatcher(place)
  let second: Watcher | undefined
  try {
    figures.begin('its snapshot')
    const taken = await first.ready
    if (taken.entries < 1_000_000) throw new Error(`The snapshot held ${taken.entries} entries.`)
    figures.put('snapshot.1m.s', taken.readyMs / 1000, 's', '≤ 5')
    figures.put('snapshot.1m.mb', taken.mb, 'MB', '≤ 100')
    figures.put('snapshot.1m.pause_ms', taken.pauseMs, 'ms', '≤ 50')
    // Something urgent, while another one takes the snapshot.
    const { sid, token } = place.tokens[0] as Place['tokens'][number]
    const { refused } = await first.watch(token)
    second = startWatcher(place)
    await new Promise((resolve) => setTimeout(resolve, 300))
    await place.admin('DELETE', `/sessions/${sid}`)
    const acknowledged = now()
    figures.put('snapshot.1m.urgent_ms', Math.max(0, (await refused) - acknowledged), 'ms', '≤ 1000')
    await second.ready
  } finally {
    await first.close()
    await second?.close()
    await place.stop()
  }
}

/** Measures. */
export async function measureRevocation(figures: Figures): Promise<void> {
  await measureKnown(figures)
  await measureReach(figures)
  await measureCoalesced(figures)
  await measureSnapshot(figures)
}
