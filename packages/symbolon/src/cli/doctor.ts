// `symbolon doctor`: proves configuration, secrets, keys, clock, store and mail, and says what to mend.

import { statfsSync } from 'node:fs'
import { join } from 'node:path'
import { type AuthObject, createAuth, readSecretFile, sealedWords } from '#embed'
import type { Configuration } from '#server'
import { type CommonOptions, configurationOf, sentence, type Terminal, time } from './terminal.ts'
import { targetFaults } from './webhooks.ts'

interface Finding {
  readonly check: string
  readonly ok: boolean
  readonly says: string
}

/** Clocks are within a minute of each other (docs/revocation.md); milliseconds. */
const mostApart = 60_000
/** Room on the disk of the data directory: for a store of its own, and for what a node notes beside a database. Megabytes. */
const leastRoom = { store: 100, marks: 1 } as const

interface FeedAnswer {
  readonly head: number
  readonly followers: readonly {
    readonly client_id: string
    readonly since: string
    readonly position: string
    readonly transport: string
  }[]
}

/** Who follows revocations at the service that runs on this configuration; nobody when none runs or no key is at hand. */
async function followersOf(terminal: Terminal, { auth, adminHost, adminPort }: Configuration, data: string): Promise<readonly string[]> {
  try {
    const key = terminal.env.SYMBOLON_ADMIN_KEY ?? (auth.dev === true ? readSecretFile(join(data, 'admin.key')) : undefined)
    if (key === undefined || key === '') return []
    const host = adminHost === '0.0.0.0' ? '127.0.0.1' : adminHost.includes(':') ? `[${adminHost}]` : adminHost
    const answer = await fetch(`http://${host}:${adminPort}/admin/v1/feed`, {
      headers: { authorization: `Bearer ${key}` },
      signal: AbortSignal.timeout(1000),
      redirect: 'error',
    })
    if (!answer.ok) return []
    const { head, followers } = (await answer.json()) as FeedAnswer
    return followers.map(({ client_id, since, position, transport }) => {
      const behind = head - Number(position.split('.')[1])
      return `${client_id} by ${transport} since ${since}, at ${position}${behind > 0 ? `, ${behind} behind` : ''}`
    })
  } catch {
    return []
  }
}

/** Scheduled work that has not come to its end for an hour. */
async function overdue(auth: AuthObject): Promise<readonly string[]> {
  const { now, leases } = await auth.jobs()
  return (
    leases
      // Sealing again has its end, and is not looked for afterwards.
      .filter(({ name, ranAt }) => name !== 're_seal' && ranAt !== null && now - ranAt > 3_600_000)
      .map(({ name, ranAt }) => `${name} last ran at ${time(ranAt ?? 0)}; look for job.failed in the logs of the nodes, or start one`)
  )
}

/** Runs the checks; resolves to whether all is well. */
export async function doctor(terminal: Terminal, options: CommonOptions): Promise<boolean> {
  const findings: Finding[] = []
  const note = (check: string, ok: boolean, says: string) => void findings.push({ check, ok, says })
  try {
    const configuration = configurationOf(terminal, options)
    note('configuration', true, configuration.file ?? 'from the environment')
    const auth = createAuth(configuration.auth)
    const there = Math.max(1, auth.settings.secrets.length)
    try {
      await auth.ready()
      const sealed = await auth.secrets.status()
      const lost = sealed.filter((one) => one.place === null)
      const older = sealed.filter((one) => (one.place ?? 0) > 1 && sealedWords(one) !== '')
      note(
        'secrets',
        true,
        `${there} there, the first one seals${older.length > 0 ? '; the service seals what is older again by itself' : ''}`,
      )
      for (const one of lost)
        note(
          'secrets',
          false,
          `${sealedWords(one)} under the secret ${one.secret}, which is not configured: nobody can refresh these; put it back, or run: symbolon secrets drop ${one.secret} --revoke`,
        )
      const keys = await auth.keys.list()
      note('keys', true, `${keys.filter((key) => key.state !== 'retired' && key.state !== 'revoked').length} open, one signs`)
      // One that others can enter was refused, or closed, before it came to this.
      const { data, database } = auth.settings
      const { bavail, bsize } = statfsSync(data)
      const [room, wanted] = [Math.floor((bavail * bsize) / 1_000_000), database === undefined ? leastRoom.store : leastRoom.marks]
      note(
        'data',
        room >= wanted,
        room >= wanted
          ? `${data}, for its owner alone`
          : `${data} has ${room} MB of room left; make some, or move it: without room nobody signs in`,
      )
      const faults = await auth.examine()
      for (const { of, says } of faults) note(of, false, says)
      if (!faults.some(({ of }) => of === 'store'))
        note(
          'store',
          true,
          auth.settings.database === undefined ? 'WAL, every commit flushed, checked whole' : 'every commit flushed, tables up to date',
        )
      if (!faults.some(({ of }) => of === 'mail'))
        note('mail', true, auth.settings.delivery === undefined ? 'development outbox' : 'the server takes our credentials')
      const targets = await auth.webhooks.list()
      const failing = targetFaults(targets)
      for (const says of failing) note('webhooks', false, says)
      if (failing.length === 0 && targets.length > 0) note('webhooks', true, `${targets.length} told of what happens, none fails`)
      for (const says of await overdue(auth)) note('jobs', false, says)
      for (const one of await followersOf(terminal, configuration, auth.settings.data)) note('follower', true, one)
      // Times are the store's; this machine's own clock judges the tokens that its guards check.
      const behind = (await auth.jobs()).now - Date.now()
      const apart = `${Math.round(Math.abs(behind) / 1000)} s ${behind > 0 ? 'behind' : 'ahead of'} the store`
      const right = Math.abs(behind) < mostApart
      note('clock', right, right ? 'as the store’s' : `this machine's clock is ${apart}; set it right`)
    } catch (error) {
      note('store and keys', false, sentence(error))
    } finally {
      await auth.close()
    }
  } catch (error) {
    note('configuration', false, sentence(error))
  }
  if (options.json === true) terminal.out(JSON.stringify(findings, null, 2))
  else for (const { check, ok, says } of findings) terminal.out(`${ok ? 'ok   ' : 'MEND '} ${check}: ${says}`)
  return findings.every(({ ok }) => ok)
}
