// While the database is away, `token` routes answer as before, by what verifiers know, until that is older than they may
// go by; everything else is refused at once and in words that a client understands; and when it is back, all is as before,
// without a hand on a node and without a rush at the database.

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Postgres, startPostgres } from '../postgres.ts'
import { type Cluster, type ClusterNode, startCluster } from './cluster.ts'
import { createCalls, type Held } from './load/calls.ts'
import { pause } from './load/people.ts'
import { type Pulse, startPulse } from './pulse.ts'
import { until } from './service-process.ts'
import { type Asked, startStream } from './stream.ts'
import { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

/** What verifiers may go by. Milliseconds, as everywhere here. */
const bound = 3500
/** How long `token` routes are watched while they still may: what they know can be a second old when the outage begins. */
const within = 1500
const past = 700
const calm = 1000
/** Two seconds, and what a machine that runs all of this on two cores may add to them; and twice what this process was kept from running. */
const inTime = 2400

let server: Postgres
let cluster: Cluster
const ways: TcpProxy[] = []
let stream: ReturnType<typeof startStream>
let pulse: Pulse
const ends: (() => Promise<void> | void)[] = []

const signIn = (names: string, count: number): Promise<readonly Held[]> =>
  Promise.all(
    Array.from({ length: count }, async (_, at) => {
      const calls = createCalls(() => {}, cluster.clientId)
      const { held } = await calls.signIn(nodeAt(0), nodeAt(0), `${names}${at}@example.com`, null, `10.0.${names.length}.${at}`)
      if (held === null) throw new Error(`${names}${at} could not sign in.`)
      return held
    }),
  )
const nodeAt = (turn: number) => cluster.nodes[turn % cluster.nodes.length] as ClusterNode
const of = <T>(all: readonly T[], turn: number) => all[turn % all.length] as T
const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const json = (body: unknown, headers = {}) => ({ headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) })

beforeAll(async () => {
  pulse = startPulse()
  ends.push(() => pulse.stop())
  server = await startPostgres(['log_min_duration_statement=0', 'log_connections=on'])
  ends.push(() => server.stop())
  const database = await server.create()
  for (let at = 0; at < 2; at++) {
    const way = await startTcpProxy(server.port)
    ends.push(() => way.close())
    ways.push(way)
  }
  const env = (at: number) => ({
    SYMBOLON_DATABASE_URL: server.url(database, ways[at]?.port),
    SYMBOLON_DATABASE_CONNECTIONS: '8',
  })
  cluster = await startCluster({ count: 2, window: 1000, bound, env })
  ends.push(() => cluster.close())
  const people = await signIn('reader', 6)
  // Whose refresh is under way does not begin another one: that many are never under way.
  // A few at once: a node that has just started opens its connections meanwhile.
  const credentials: string[] = []
  for (let group = 0; group < 6; group++) for (const { credential } of await signIn(`renewer${group}x`, 5)) credentials.push(credential)
  const renew = async (turn: number) => {
    const credential = credentials.shift() as string
    let next = credential
    try {
      const response = await fetch(`${nodeAt(turn).origin}/v1/session/refresh`, { method: 'POST', ...json({ refresh_token: credential }) })
      if (response.ok) next = ((await response.clone().json()) as { refresh_token: string }).refresh_token
      return response
    } finally {
      credentials.push(next)
    }
  }
  stream = startStream([
    {
      kind: 'token',
      every: 20,
      ask: (turn) => fetch(`${of(cluster.verifiers, turn).origin}/token`, { headers: bearer(of(people, turn).token) }),
    },
    {
      kind: 'session',
      every: 100,
      ask: (turn) => fetch(`${of(cluster.verifiers, turn).origin}/session`, { headers: bearer(of(people, turn).token) }),
    },
    { kind: 'look', every: 100, ask: (turn) => fetch(`${nodeAt(turn).origin}/v1/session`, { headers: bearer(of(people, turn).token) }) },
    { kind: 'refresh', every: 200, ask: renew },
    {
      kind: 'start',
      every: 400,
      ask: (turn) =>
        fetch(`${nodeAt(turn).origin}/v1/login/start`, {
          method: 'POST',
          ...json(
            { method: 'email_otp', identifier: `guest${turn}@example.com`, client_id: cluster.clientId },
            { 'x-forwarded-for': `10.1.${turn >> 8}.${turn & 255}` },
          ),
        }),
    },
    {
      kind: 'read',
      every: 400,
      ask: (turn) =>
        fetch(`${nodeAt(turn).admin}/admin/v1/users/${of(people, turn).facts.sub}`, { headers: bearer(nodeAt(turn).adminKey) }),
    },
  ])
  ends.push(() => stream.stop())
})
afterAll(async () => {
  for (const end of ends.reverse()) await end()
})

const isOk = ({ status }: Asked) => status === 200
const share = (asked: readonly Asked[]) => asked.filter(isOk).length / asked.length
const isLate = ({ at, took }: Asked) => took === null || took > inTime + 2 * pulse.lost(at, at + took)
const ofToken = (asked: readonly Asked[]) => asked.filter(({ kind }) => kind === 'token')
const inShort = (asked: readonly Asked[]) =>
  asked.map(({ kind, status, code, took }) => `${kind} ${status} ${code} ${Math.round(took ?? -1)}`)

/** What the database did since a place in its log. */
function didSince(from: number) {
  const text = readFileSync(join(server.folder, 'log')).subarray(from).toString('utf8')
  const count = (pattern: RegExp) => text.match(pattern)?.length ?? 0
  return { connections: count(/connection authorized/g), statements: count(/ms {2}(?:execute|statement)/g) }
}
const logged = () => statSync(join(server.folder, 'log')).size

/** Waits for a second without a failure, which begins ten seconds after a time at the latest; returns when it was over. */
async function normal(since: number): Promise<number> {
  for (;;) {
    await pause(100)
    const now = performance.now()
    const lately = stream.between(Math.max(since, now - 1000), now)
    if (now - since > 1000 && lately.every((one) => one.took === null || isOk(one)) && lately.some(isOk)) return now
    if (now - since < 11_000) continue
    const verifiers = await Promise.all(cluster.verifiers.map((one) => one.status()))
    throw new Error(`Not as before: ${inShort(lately.filter((one) => !isOk(one)))}; ${JSON.stringify(verifiers)}`)
  }
}

const outages: readonly (readonly [string, () => void, () => Promise<void> | void])[] = [
  ['frozen', () => server.signal('SIGSTOP'), () => server.signal('SIGCONT')],
  ['stopped', () => server.halt('immediate'), () => server.start()],
  [
    'two seconds further away',
    () => {
      for (const way of ways) way.become({ as: 'delay', ms: 2000 })
    },
    () => {
      for (const way of ways) way.become({ as: 'pass' })
    },
  ],
]

describe('while the database is away', () => {
  it.each(outages)('%s', async (_, go, comeBack) => {
    await normal(performance.now())
    const since = logged()
    const began = performance.now()
    await pause(calm)
    const usual = didSince(since)
    await until('verifiers know of the last second', async () =>
      (await Promise.all(cluster.verifiers.map((one) => one.status()))).every(({ stalenessMs }) => Number(stalenessMs ?? bound) < 1000),
    )
    const gone = performance.now()
    let over = gone
    go()
    try {
      await pause(bound + past)
      // However slow this machine is: until enough was asked of verifiers that know too little.
      await until('enough was asked', () => ofToken(stream.between(gone + bound + 100, performance.now() - 100)).length > 10)
    } finally {
      over = performance.now()
      await comeBack()
    }
    const back = performance.now()
    const log = logged()
    const good = await normal(back)

    const before = stream.between(began, gone - 200)
    expect(share(ofToken(before))).toBe(1)
    const during = ofToken(stream.between(gone, gone + within))
    expect(during.length).toBeGreaterThan(10)
    expect(share(during), `${inShort(during.filter((one) => !isOk(one)))}`).toBeGreaterThanOrEqual(0.95)
    const blind = ofToken(stream.between(gone + bound + 100, over - 100))
    expect(blind.length).toBeGreaterThan(10)
    expect(inShort(blind.filter(({ status, code, retryAfter }) => status !== 503 || code !== 'revocation_unknown' || !retryAfter))).toEqual(
      [],
    )

    // What waited for the database when it came back may have been answered.
    const others = stream.between(gone + 50, back - 2000).filter(({ kind }) => kind !== 'token')
    expect(others.length).toBeGreaterThan(10)
    expect(inShort(others.filter(({ status, retryAfter }) => status !== 503 || !retryAfter))).toEqual([])
    const all = stream.between(gone, good)
    await until('all are answered', () => all.every(({ took }) => took !== null))
    // The pulse tells of what was lost when it beats again.
    await pause(50)
    expect(inShort(all.filter(isLate))).toEqual([])

    const after = didSince(log)
    const rate = usual.statements / calm
    // Two nodes have ten connections each, and what they tried at a frozen server it takes up when it thaws.
    expect(after.connections).toBeLessThan(40)
    expect(after.statements).toBeLessThan(3 * rate * (performance.now() - back) + 100)
  })
})
