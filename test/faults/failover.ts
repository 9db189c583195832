// Another server takes over: a synchronous standby is promoted. Its primary has been killed before, or lives on and is
// fenced: no node reaches it any more, for writes or for reads, before there is another one.

import { type Postgres, startPostgres } from '../postgres.ts'
import { pause } from './load/people.ts'
import type { Scenario, Stage } from './scenario.ts'
import { until } from './service-process.ts'
import type { TcpProxy } from './tcp-proxy.ts'

async function set(server: Postgres, name: string, value: string): Promise<void> {
  await server.sql('postgres', `ALTER SYSTEM SET ${name} = '${value}'`)
  await server.sql('postgres', 'SELECT pg_reload_conf()')
}

type Mode = 'sync' | 'async'

/** A standby; `sync`: without it the primary acknowledges nothing. */
async function follow(primary: Postgres, mode: Mode): Promise<Postgres> {
  const standby = await startPostgres([], { of: primary })
  if (mode === 'sync') await set(primary, 'synchronous_standby_names', 'standby')
  await until('the standby follows', async () => {
    const rows = await primary.sql('postgres', 'SELECT 1 FROM pg_stat_replication WHERE sync_state = $1', [mode])
    return rows.length === 1
  })
  return standby
}

const cut = (ways: readonly TcpProxy[]) => {
  for (const way of ways) way.become({ as: 'cut' })
}
const lead = (ways: readonly TcpProxy[], { port }: Postgres) => {
  for (const way of ways) {
    way.lead(port)
    way.become({ as: 'pass' })
  }
}

interface Followed {
  readonly feedId: string | null
  readonly applied: number
  readonly snapshots: number
}

/** What verifiers follow. */
const feeds = ({ cluster }: Stage): Promise<readonly Followed[]> =>
  Promise.all(cluster.verifiers.map(async (one) => (await one.status()) as unknown as Followed))

/** Verifiers go on in the log that they followed, from where they were, without anything that has to be learnt anew. */
async function sameFeed(stage: Stage, act: () => Promise<void>): Promise<void> {
  await until('verifiers follow', async () => (await feeds(stage)).every(({ feedId }) => feedId !== null))
  const before = await feeds(stage)
  await act()
  await until('verifiers go on', async () => (await feeds(stage)).every(({ applied }, at) => applied > (before[at]?.applied ?? 0)))
  const said = (all: readonly Followed[]) => all.map(({ feedId, snapshots }) => `${feedId} from snapshot ${snapshots}`).join(', ')
  const after = await feeds(stage)
  if (said(after) !== said(before)) throw new Error(`The feeds were ${said(before)}, and are ${said(after)}.`)
}

/** Fails over by `turn`, at whose end the nodes are on the standby. */
async function failOver(stage: Stage, mode: Mode, turn: (primary: Postgres, standby: Postgres) => Promise<void>): Promise<void> {
  const { server: primary, spell } = stage
  const standby = await follow(primary, mode)
  let taken = false
  stage.later(() => taken || standby.stop())
  await pause(spell)
  await turn(primary, standby)
  stage.take(standby)
  taken = true
  primary.stop()
}

/** The scenarios. */
export const failOvers: readonly Scenario[] = [
  {
    name: 'a primary killed, and its synchronous standby promoted',
    act: (stage) =>
      sameFeed(stage, () =>
        failOver(stage, 'sync', async (primary, standby) => {
          primary.halt('immediate')
          await pause(stage.spell / 4)
          standby.promote()
          lead(stage.ways, standby)
        }),
      ),
  },
  {
    name: 'a primary killed, and its asynchronous standby promoted, which was behind',
    long: true,
    breaks: 'G4',
    act: (stage) =>
      failOver(stage, 'async', async (primary, standby) => {
        await set(standby, 'primary_conninfo', '')
        const stopped = performance.now()
        await until('much is acknowledged that it does not have', () => {
          const { history } = stage.load
          const told = (what: string) =>
            history.filter(({ kind, startedAt, answer }) => kind === what && startedAt > stopped && answer?.status === 200).length
          // What is lost is found by a user whose roles were changed.
          return told('refresh') > 20 && told('role_change') > 3
        })
        primary.halt('immediate')
        standby.promote()
        lead(stage.ways, standby)
      }),
  },
  {
    name: 'a primary that lives on, fenced before its synchronous standby is promoted',
    act: (stage) =>
      sameFeed(stage, () =>
        failOver(stage, 'sync', async (_primary, standby) => {
          const [one, other] = stage.ways as readonly [TcpProxy, TcpProxy]
          // One node stays with the old primary for a while: without its standby that can acknowledge nothing, and what is read
          // there is as true as ever while nobody writes elsewhere.
          await set(standby, 'primary_conninfo', '')
          cut([one])
          await pause(stage.spell)
          cut([other])
          standby.promote()
          lead(stage.ways, standby)
        }),
      ),
  },
  {
    name: 'a standby promoted beside a primary that is not fenced',
    long: true,
    breaks: 'G1',
    async act(stage) {
      const standby = await follow(stage.server, 'sync')
      stage.later(() => standby.stop())
      await pause(stage.spell)
      standby.promote()
      // The other node stays where it is, until what comes of it is found.
      lead(stage.ways.slice(0, 1), standby)
    },
  },
]
