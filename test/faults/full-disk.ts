// The database without a byte left on its disk: for its tables, so that what needs a page more is refused and all else goes
// on, until its next checkpoint; or for its log of writes. At both it falls, and cannot start before there is room.

import { pause } from './load/people.ts'
import type { Scenario, Stage } from './scenario.ts'
import { until } from './service-process.ts'

let asked = 0
/** Whether every node refuses to begin a sign-in, which needs a row of its own: the store cannot, as it says. */
async function refuseWrites({ cluster }: Stage): Promise<boolean> {
  const answers = cluster.nodes.map(async ({ origin }) => {
    asked++
    const answer = await fetch(`${origin}/v1/login/start`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-forwarded-for': `198.18.${(asked >> 8) & 255}.${asked & 255}` },
      body: JSON.stringify({ method: 'email_otp', identifier: `full${asked}@example.com`, client_id: cluster.clientId }),
    })
    return answer.status === 503 && ((await answer.json()) as { code: string }).code === 'store_unavailable'
  })
  return (await Promise.all(answers)).every(Boolean)
}

/** How often nodes decided since a time by what they read, yes or no. */
const readSince = ({ load }: Stage, since: number) =>
  load.history.filter(
    ({ node, startedAt, kind, answer }) =>
      node.startsWith('node') && startedAt > since && (kind === 'check' || kind === 'read') && (answer?.status ?? 500) < 500,
  ).length

/** Starts the database, unless it comes back by itself. */
async function backOrStarted({ server }: Stage, works: () => Promise<boolean>): Promise<void> {
  await until('the database is back, or has ended', async () => !server.running() || (await works()))
  if (!server.running()) await server.start()
}

/** The scenarios. */
export const fullDisks: readonly Scenario[] = [
  {
    name: 'the disk of the database full',
    // At a checkpoint it would fall: that is a scenario of its own.
    settings: ['checkpoint_timeout=1h', 'max_wal_size=8GB'],
    disk: { holds: 'data', megabytes: 80 },
    async act(stage) {
      const { server, spell, later } = stage
      later(() => server.disk?.free())
      server.disk?.fill()
      const since = performance.now()
      await until('writes are refused', () => refuseWrites(stage))
      await until('reads are answered', () => readSince(stage, since) > 10)
      const full = performance.now()
      await pause(spell)
      // What was pruned meanwhile is used up first.
      await until('writes are refused still', () => refuseWrites(stage))
      if (readSince(stage, full) === 0) throw new Error('With a full disk no reads were answered.')
      server.disk?.free()
    },
  },
  {
    name: 'the disk of the database full as a checkpoint comes',
    long: true,
    disk: { holds: 'data', megabytes: 80 },
    async act(stage) {
      const { server, spell, later } = stage
      const checkpoint = () =>
        server.sql('postgres', 'CHECKPOINT').then(
          () => true,
          () => false,
        )
      later(() => server.disk?.free())
      server.disk?.fill()
      await until('the database has fallen', async () => !(await checkpoint()))
      await pause(spell)
      server.disk?.free()
      await backOrStarted(stage, checkpoint)
    },
  },
  {
    name: 'the disk of the database’s log full',
    long: true,
    disk: { holds: 'wal', megabytes: 48 },
    async act(stage) {
      const { server, spell, later } = stage
      const works = () =>
        server.sql('postgres', 'SELECT pg_logical_emit_message(true, $1, repeat($1, 500000))', ['x']).then(
          () => true,
          () => false,
        )
      later(() => server.disk?.free())
      server.disk?.fill()
      // What lies ready of the log is used up first.
      await until('the database has fallen', async () => !(await works()))
      await pause(spell)
      server.disk?.free()
      await backOrStarted(stage, works)
    },
  },
]
