// The database without a byte left on its disk: for its tables, so that what needs a page more is refused and all else goes
// on; or for its log of writes, at which it falls, and cannot start before there is room.

import { pause } from './load/people.ts'
import type { Scenario, Stage } from './scenario.ts'
import { until } from './service-process.ts'

/** How often nodes said since a time that the store cannot, and how often they decided by what they read, yes or no. */
function seenSince({ load }: Stage, since: number) {
  const events = load.history.filter(({ node, startedAt }) => node.startsWith('node') && startedAt > since)
  return {
    refused: events.filter(({ answer }) => answer?.code === 'store_unavailable').length,
    read: events.filter(({ kind, answer }) => (kind === 'check' || kind === 'read') && (answer?.status ?? 500) < 500).length,
  }
}

/** The scenarios. */
export const fullDisks: readonly Scenario[] = [
  {
    name: 'the disk of the database full',
    disk: { holds: 'data', megabytes: 80 },
    async act(stage) {
      const { server, spell, later } = stage
      later(() => server.disk?.free())
      server.disk?.fill()
      const since = performance.now()
      await until('writes are refused, and reads answered', () => {
        const { refused, read } = seenSince(stage, since)
        return refused > 10 && read > 10
      })
      const full = performance.now()
      await pause(spell)
      const { refused, read } = seenSince(stage, full)
      if (refused === 0 || read === 0) throw new Error(`With a full disk ${refused} writes were refused and ${read} reads answered.`)
      server.disk?.free()
    },
  },
  {
    name: 'the disk of the database’s log full',
    long: true,
    disk: { holds: 'wal', megabytes: 48 },
    async act({ server, spell, later }) {
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
      await until('the database is back, or has ended', async () => !server.running() || (await works()))
      if (!server.running()) await server.start()
    },
  },
]
