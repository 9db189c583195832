// The table of scenarios: what is done to nodes, to the database, to the ways between them, and to clocks. Each undoes what
// it did.

import { fileURLToPath } from 'node:url'
import { failOvers } from './failover.ts'
import { fullDisks } from './full-disk.ts'
import { pause } from './load/people.ts'
import type { Scenario, Stage } from './scenario.ts'
import { until } from './service-process.ts'
import type { Manner, TcpProxy } from './tcp-proxy.ts'
import { upgrade } from './upgrade.ts'

const pick = <T>(all: readonly T[]): T => all[Math.floor(Math.random() * all.length)] as T

/** Treats ways badly for a while. */
async function treat(proxies: readonly TcpProxy[], manner: Manner, ms: number): Promise<void> {
  for (const proxy of proxies) proxy.become(manner)
  try {
    await pause(ms)
  } finally {
    for (const proxy of proxies) proxy.become({ as: 'pass' })
  }
}

async function killAndStart({ cluster, load }: Stage, at: number, away: number, more?: Readonly<Record<string, string>>): Promise<void> {
  const node = cluster.nodes[at] as Stage['cluster']['nodes'][number]
  await node.kill()
  load.killed(node.name)
  await pause(away)
  await node.start(more)
}

/** Kills a process; false when there is none. */
function isKilled(pid: number): boolean {
  try {
    return process.kill(pid, 'SIGKILL')
  } catch (error) {
    if ((error as { code?: string }).code === 'ESRCH') return false
    throw error
  }
}

/** Lets a node kill itself at a step, then starts it again as it was. */
const crashAt = (point: string): Scenario => ({
  name: `a node killed at ${point}`,
  long: point !== 'rotate.committed',
  async act(stage) {
    const { cluster, load } = stage
    const node = cluster.nodes[1] as (typeof cluster.nodes)[number]
    // Callers are at it at once: it may come there before it has said that it is ready.
    await killAndStart(stage, 1, 0, { SYMBOLON_CRASH_POINT: point }).catch((error: unknown) => {
      if (!node.exited()) throw error
    })
    await until(`${node.name} comes to ${point}`, () => node.exited(), 30_000)
    load.killed(node.name)
    await pause(500)
    await node.start()
  },
})

/** Lets a node end the database at a step, in the midst of what it does for its caller; then the database starts again. */
const databaseEndedAt = (point: string): Scenario => ({
  name: `the database killed as a node comes to ${point}`,
  long: true,
  async act(stage) {
    const { server, spell } = stage
    // Callers are at it at once: it may come there before it has said that it is ready.
    const started = killAndStart(stage, 1, 0, { SYMBOLON_CRASH_POINT: `${point} ${server.pid()}` })
    started.catch(() => {})
    await until(`a node comes to ${point}`, () => !server.running(), 30_000)
    await pause(spell / 4)
    await server.start()
    await started
  },
})

const steps = ['rotate.before', 'rotate.committed', 'revoke.committed', 'login.started', 'login.charged', 'login.opened']

const clock = fileURLToPath(new URL('./clock-shift.mjs', import.meta.url))
const shifted = (ms: number) => ({ NODE_OPTIONS: `--import=${clock}`, CLOCK_SHIFT: String(ms) })

/** How long a lock is held: a minute, where there is time for it. */
const heldFor = (spell: number) => (spell < 6000 ? spell * 2 : 60_000)

/** The table. */
export const scenarios: readonly Scenario[] = [
  { name: 'nothing', long: true, act: ({ spell }) => pause(spell) },
  {
    name: 'nodes killed at random',
    long: true,
    act: (stage) => killAndStart(stage, Math.random() < 0.5 ? 0 : 1, Math.random() * stage.spell),
  },
  ...steps.flatMap((point) => [crashAt(point), databaseEndedAt(point)]),
  {
    name: 'the database killed',
    async act({ server, spell }) {
      server.halt('immediate')
      await pause(spell / 2)
      await server.start()
    },
  },
  {
    name: 'one process of the database killed, so that it recovers',
    async act({ server }) {
      // One that ends by itself between the question and the signal is not there to be killed: another one is.
      await until('one of its processes is killed', async () => {
        const [row] = await server.sql(
          'postgres',
          "SELECT pid FROM pg_stat_activity WHERE application_name = 'symbolon' AND backend_type = 'client backend' ORDER BY random() LIMIT 1",
        )
        return row !== undefined && isKilled(Number(row.pid))
      })
      await until('the database is back', () =>
        server.sql('postgres', 'SELECT 1').then(
          () => true,
          () => false,
        ),
      )
    },
  },
  {
    name: 'the database restarted',
    long: true,
    async act({ server }) {
      server.halt('fast')
      await server.start()
    },
  },
  {
    name: 'the database frozen',
    async act({ server, spell, later }) {
      later(() => server.signal('SIGCONT'))
      server.signal('SIGSTOP')
      await pause(spell)
      server.signal('SIGCONT')
    },
  },
  { name: 'two seconds more to the database', long: true, act: ({ ways, spell }) => treat(ways, { as: 'delay', ms: 2000 }, spell) },
  { name: 'a slow way to the database', long: true, act: ({ ways, spell }) => treat(ways, { as: 'delay', ms: 150 }, spell) },
  { name: 'the way from one node to the database cut', act: ({ ways, spell }) => treat([pick(ways)], { as: 'cut' }, spell) },
  { name: 'connections to the database half open', act: ({ ways, spell }) => treat(ways, { as: 'black_hole' }, spell) },
  { name: 'connections to the database reset', long: true, act: ({ ways, spell }) => treat(ways, { as: 'reset', after: 5000 }, spell) },
  { name: 'verifiers cut off from their nodes', long: true, act: ({ links, spell }) => treat(links, { as: 'cut' }, spell) },
  { name: 'connections of verifiers half open', long: true, act: ({ links, spell }) => treat(links, { as: 'black_hole' }, spell) },
  {
    name: 'no more connections',
    settings: ['max_connections=40'],
    async act({ server, database, ways, spell }) {
      const crowd = Array.from({ length: 40 }, () => server.hold(database, 'SELECT 1'))
      await Promise.allSettled(crowd.map(({ holds }) => holds))
      // Those that are open must be opened anew to meet it.
      await treat(ways, { as: 'cut' }, 200)
      await pause(spell)
      await Promise.all(crowd.map(({ release }) => release()))
    },
  },
  {
    name: 'the sessions locked',
    async act({ server, database, spell, later }) {
      const holder = server.hold(database, 'LOCK TABLE symbolon.sessions IN ACCESS EXCLUSIVE MODE')
      later(() => holder.release())
      await holder.holds
      await pause(heldFor(spell))
      await holder.release()
    },
  },
  {
    name: 'one session locked, which is in use',
    long: true,
    async act({ server, database, spell, later }) {
      const lately = 'SELECT sid FROM symbolon.sessions WHERE revoked_at IS NULL ORDER BY last_seen_at DESC LIMIT 1'
      const holder = server.hold(database, `SELECT 1 FROM symbolon.sessions WHERE sid = (${lately}) FOR UPDATE`)
      later(() => holder.release())
      await holder.holds
      await pause(heldFor(spell))
      await holder.release()
    },
  },
  {
    name: 'the feed’s head locked',
    long: true,
    async act({ server, database, spell, later }) {
      const holder = server.hold(database, 'SELECT 1 FROM symbolon.feed_head FOR UPDATE')
      later(() => holder.release())
      await holder.holds
      await pause(spell)
      await holder.release()
    },
  },
  {
    name: 'clocks of nodes five minutes apart from the database’s',
    async act(stage) {
      await killAndStart(stage, 0, 0, shifted(300_000))
      await killAndStart(stage, 1, 0, shifted(-300_000))
      await pause(stage.spell * 2)
      for (const at of [0, 1]) await killAndStart(stage, at, 0)
    },
  },
  {
    name: 'clocks of verifiers stepped',
    long: true,
    async act({ cluster, spell }) {
      // More would make tokens look expired, or not yet made: that is no fault of anybody's.
      for (const offset of [4000, -4000, 0]) {
        for (const verifier of cluster.verifiers) verifier.setClock(offset)
        await pause(spell / 2)
      }
    },
  },
  ...fullDisks,
  ...failOvers,
  upgrade,
]
