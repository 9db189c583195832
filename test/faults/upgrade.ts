// A newer version takes over from an older one on the same database, node after node, and nobody notices. The newer one is
// this build with a step more, and code that needs it: a column, and a function under a new name.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { command } from '../command.ts'
import { breakBuild, type Edit } from './broken.ts'
import type { ClusterNode } from './cluster.ts'
import type { HistoryEvent } from './history/events.ts'
import { pause } from './load/people.ts'
import type { Scenario, Stage } from './scenario.ts'
import { until } from './service-process.ts'

const step = (needs: string): Edit => ({
  file: 'symbolon/dist/stores/postgres/schema.js',
  from: 'export const known = steps.length;',
  to: `steps.push({ ${needs} sql: \`
ALTER TABLE @sessions ADD COLUMN noted text;
CREATE FUNCTION @rotate_noted(calls jsonb) RETURNS json LANGUAGE plpgsql AS $$
DECLARE
  done json := @rotate(calls);
BEGIN
  UPDATE @sessions SET noted = 'newer' WHERE sid = ANY(ARRAY(SELECT x->>'sid' FROM jsonb_array_elements(calls) x));
  RETURN done;
END $$;\` });
export const known = steps.length;`,
})
const newer: readonly Edit[] = [
  step(''),
  { file: 'symbolon/dist/stores/postgres/sessions.js', from: "'SELECT @rotate($1)'", to: "'SELECT @rotate_noted($1)'" },
]
/** One that no older version can run beside. */
const last: readonly Edit[] = [step('needs: steps.length + 1,')]

/** Runs a command of a build on a database; the folder is there for its secrets. */
async function on(url: string, words: readonly string[], program?: string) {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-upgrade-'))
  try {
    const env = { SYMBOLON_ISSUER: 'http://localhost:4000', SYMBOLON_DATA: folder, SYMBOLON_PORT: '0', SYMBOLON_ADMIN_PORT: '0' }
    return await command([...words, '--dev'], { ...env, SYMBOLON_DATABASE_URL: url }, program)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function done(url: string, words: readonly string[], program?: string): Promise<void> {
  const { code, out, err } = await on(url, words, program)
  if (code !== 0) throw new Error(`symbolon ${words.join(' ')} ended with ${code}: ${err || out}`)
}

const portOf = ({ origin }: ClusterNode) => Number(new URL(origin).port)

/** Ends a node and starts it by another build, as behind a balancer: nobody is sent there from when it says so itself. */
async function replace({ cluster, links, load }: Stage, at: number, main?: string): Promise<void> {
  const node = cluster.nodes[at] as ClusterNode
  const other = cluster.nodes[1 - at] as ClusterNode
  const ended = node.end()
  // A connection that was kept may be closed at the very moment it is used.
  const drains = () =>
    fetch(`${node.origin}/readyz`, { headers: { connection: 'close' } }).then(
      ({ status }) => status === 503,
      () => node.exited(),
    )
  await until(`${node.name} says that it drains`, drains)
  load.leave(node.name)
  links[at]?.lead(portOf(other), 'keep')
  await ended
  await node.start({ SYMBOLON_DATABASE_MIGRATE: 'check' }, main)
  load.back(node.name)
  links[at]?.lead(portOf(node), 'keep')
}

/** An older version does not start on what a newer one has left, once that says so. */
async function refused({ server, later }: Stage): Promise<void> {
  const build = breakBuild(last)
  later(build.remove)
  const url = server.url(await server.create())
  await done(url, ['migrate', 'up'])
  await done(url, ['migrate', 'up'], build.main)
  const { code, err } = await on(url, ['serve'])
  if (code === 0 || !/newer version/.test(err)) throw new Error(`The older version ended with ${code}: ${err}`)
}

/** The scenario. */
export const upgrade: Scenario = {
  name: 'a newer version, one node after the other',
  words: ['--drain', '2s'],
  patient: true,
  async act(stage) {
    const { cluster, load, server, database, spell, later } = stage
    const build = breakBuild(newer)
    later(build.remove)
    const began = performance.now()
    await done(server.url(database), ['migrate', 'up'], build.main)
    await pause(spell / 2)
    for (const at of [0, 1]) {
      await replace(stage, at, build.main)
      await pause(spell / 4)
    }
    const [row] = await server.sql(database, "SELECT count(*)::int AS noted FROM symbolon.sessions WHERE noted = 'newer'")
    if (!(Number(row?.noted) > 0)) throw new Error('The newer version has done nothing of its own.')
    // What is not looked for: who is too slow because the machine is at other work, and refreshes of one session that
    // got into each other's way.
    const other = ({ kind, startedAt, endedAt, answer }: HistoryEvent) =>
      (kind === 'refresh' && answer?.code === 'try_later') ||
      (/^(?:store_unavailable|try_later|revocation_unknown)$/.test(answer?.code ?? '') &&
        stage.pulse.lost(startedAt - 2000, endedAt ?? startedAt) > 300)
    const lost = load.history.filter(
      ({ startedAt, answer }) => startedAt > began && (answer === null || answer.status === 0 || answer.status >= 500),
    )
    const said = lost.filter((one) => !other(one)).map(({ kind, node, answer }) => `${kind} at ${node}: ${answer?.code ?? 'no answer'}`)
    if (said.length > 0) throw new Error(`Lost while nodes were replaced: ${said.join(', ')}`)
    await refused(stage)
    // And back: what only grew is no matter to the older one.
    for (const at of cluster.nodes.keys()) await replace(stage, at)
  },
}
