// Revocation under faults, between real processes: a service, a verifier beside it, and one behind a proxy that misbehaves.
// Whatever happens, what was acknowledged as revoked is refused within the bound; the history is judged, not looked at.
// Every fault has its twin: the same run without it, in which nothing is ever unknown.

import { closeSync, copyFileSync, mkdtempSync, openSync, rmSync, truncateSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { lossy, startEventProxy, swapped, twice } from './event-proxy.ts'
import { judge } from './history.ts'
import { createLanes } from './lanes.ts'
import { createRecorder, type Recorder, startVerifierProcess, type VerifierProcess } from './recorder.ts'
import { type ServiceProcess, type SignedIn, startServiceProcess, until } from './service-process.ts'
import { type Manner, startTcpProxy, type TcpProxy } from './tcp-proxy.ts'

const bound = 2000
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

interface Stage {
  readonly service: ServiceProcess
  readonly data: string
  /** Of the client that may follow revocations. */
  readonly secret: string
  readonly proxy: TcpProxy
  /** Beside the service, and behind the proxy. */
  readonly near: VerifierProcess
  readonly far: VerifierProcess
  readonly people: readonly SignedIn[]
  readonly recorder: Recorder
  person(at: number): SignedIn
  /** Waits until a verifier accepts a person again. */
  accepts(verifier: VerifierProcess, person: SignedIn): Promise<void>
  /** Waits until a verifier says neither yes nor no. */
  unknowing(verifier: VerifierProcess, person: SignedIn): Promise<void>
}

/** How many plays run at once: each is three processes, and what is judged here are bounds, not a machine's patience. */
const lane = createLanes(3)

/** Sets the stage when one is free, plays, and judges. */
const play = (act: (stage: Stage) => Promise<void>, options: { readonly events?: boolean } = {}) => lane(() => playNow(act, options))

async function playNow(act: (stage: Stage) => Promise<void>, options: { readonly events?: boolean }) {
  const data = mkdtempSync(join(tmpdir(), 'symbolon-faults-'))
  const ends: (() => Promise<void> | void)[] = [() => rmSync(data, { recursive: true, force: true })]
  try {
    const service = await startServiceProcess(data)
    ends.push(() => service.stop('SIGKILL'))
    const secret = await service.register()
    const people: SignedIn[] = []
    for (let i = 0; i < 6; i++) people.push(await service.signIn(`person${i}@example.com`))
    const proxy = await startTcpProxy(service.ports.port)
    ends.push(() => proxy.close())
    const events = options.events === true ? await startEventProxy(service.ports.port) : undefined
    if (events !== undefined) ends.push(() => events.close())
    const start = async (name: string, port: number) => {
      const verifier = await startVerifierProcess(name, { service, secret, port, bound })
      ends.push(() => verifier.stop())
      return verifier
    }
    const near = await start('near', service.ports.port)
    const far = await start('far', events?.port ?? proxy.port)
    // From here on nothing is unknown but for a fault: both follow, and were answered live.
    for (const one of [near, far]) {
      // What has no bound yet has none as JSON.
      await until(`${one.name} follows`, async () => Number((await one.status()).stalenessMs ?? bound) < bound)
      await until(`${one.name} is answered live`, async () => (await one.ask('/session', (people[5] as SignedIn).accessToken)) === 200)
    }
    const recorder = createRecorder(service, [near, far], people)
    ends.push(() => recorder.stop())
    const person = (at: number) => people[at] as SignedIn
    const answers = (verifier: VerifierProcess, one: SignedIn, result: string) => async () =>
      recorder.latest(verifier.name, one) === result && recorder.checks.length > 0
    const stage: Stage = {
      service,
      data,
      secret,
      proxy,
      near,
      far,
      people,
      recorder,
      person,
      // After several restarts in a row a follower's budget of reconnects may be used up for a while.
      accepts: (verifier, one) => until(`${verifier.name} accepts`, answers(verifier, one, 'accepted'), 60_000),
      unknowing: (verifier, one) => until(`${verifier.name} says 503`, answers(verifier, one, 'unknown')),
    }
    await stage.accepts(near, person(5))
    await stage.accepts(far, person(5))
    if (events !== undefined) Object.assign(stage, { events })
    await act(stage)
    await recorder.stop()
    const verdict = judge(recorder.revokes, recorder.checks)
    expect(verdict.violations).toEqual([])
    expect(verdict.counts.accepted).toBeGreaterThan(20)
    expect(verdict.counts.refused).toBeGreaterThan(0)
    return verdict
  } finally {
    for (const end of ends.reverse()) await end()
  }
}

/** A fault between service and verifier: it begins, somebody signs out, a role changes, the bound passes; it ends, and all is well. */
const faulty = (manner: Manner, blind: boolean) =>
  play(async ({ proxy, recorder, person, near, far, accepts, unknowing }) => {
    proxy.become(manner)
    await recorder.signOut(person(0))
    await recorder.changeRoles(person(1), ['editor'])
    await pause(bound + 1500)
    await recorder.signOut(person(2))
    if (blind) await unknowing(far, person(5))
    // The other verifier has noticed nothing but the revocations.
    await accepts(near, person(5))
    await until('the revoked is refused', () => recorder.latest(near.name, person(0)) === 'refused')
    proxy.become({ as: 'pass' })
    await accepts(far, person(5))
    await until('the revoked are refused', () => [0, 1, 2].every((at) => recorder.latest(far.name, person(at)) === 'refused'))
  })

describe.concurrent('revocation under faults', { timeout: 400_000 }, () => {
  it('without a fault: refused at once on both verifiers, and nothing is ever unknown', async () => {
    const verdict = await play(async ({ recorder, person, near, far }) => {
      await recorder.signOut(person(0))
      await recorder.changeRoles(person(1), ['editor'])
      await recorder.disable(person(2))
      await until('all are refused', () =>
        [near, far].every((one) => [0, 1, 2].every((at) => recorder.latest(one.name, person(at)) === 'refused')),
      )
      await pause(bound + 500)
      expect(recorder.latest(far.name, person(5))).toBe('accepted')
    })
    expect(verdict.counts.unknown).toBe(0)
  })

  it.each<[string, Manner, boolean]>([
    ['cut', { as: 'cut' }, true],
    ['swallowed', { as: 'black_hole' }, true],
    ['two seconds late', { as: 'delay', ms: 2000 }, true],
    ['thirty seconds late', { as: 'delay', ms: 30_000 }, true],
    ['a byte a second', { as: 'trickle', ms: 1000 }, true],
    ['reset in the middle of an event', { as: 'reset', after: 150 }, false],
  ])('%s', async (_, manner, blind) => {
    await faulty(manner, blind)
  })

  it.each([
    ['every event twice', twice],
    ['events in another order', swapped()],
    ['revocations lost, beats let through', lossy],
  ] as const)('%s', async (_, rewrite) => {
    await play(
      async (stage) => {
        const { recorder, person, far, accepts } = stage
        const { events } = stage as unknown as { events: Awaited<ReturnType<typeof startEventProxy>> }
        events.become(rewrite)
        await recorder.signOut(person(0))
        await recorder.signOut(person(1))
        await pause(bound + 1000)
        await recorder.changeRoles(person(2), ['editor'])
        await until('the revoked are refused', () => [0, 1, 2].every((at) => recorder.latest(far.name, person(at)) === 'refused'))
        events.become((event) => [event])
        await accepts(far, person(5))
      },
      { events: true },
    )
  })

  it('the service killed between commit and answer: nothing was promised, and it holds all the same', async () => {
    await play(async ({ service, recorder, person, near, accepts }) => {
      await service.stop('SIGTERM')
      await service.start({ SYMBOLON_CRASH_POINT: 'revoke.committed' })
      await accepts(near, person(5))
      recorder.unanswered({ kind: 'session', id: person(0).facts.sid as string })
      await expect(service.signOut(person(0))).rejects.toThrow()
      await until('the service is dead', () => service.exited())
      await service.start()
      await until('it was revoked', () => recorder.latest(near.name, person(0)) === 'refused')
      await recorder.signOut(person(1))
      await accepts(near, person(5))
    })
  })

  it('the service killed after the answer: refused within the bound, unknown while it is gone', async () => {
    await play(async ({ service, recorder, person, near, far, accepts, unknowing }) => {
      await recorder.signOut(person(0))
      await service.stop('SIGKILL')
      await unknowing(near, person(5))
      await unknowing(far, person(5))
      await service.start()
      await accepts(near, person(5))
      await accepts(far, person(5))
      // The last answer about person 0 may be from before the service came back. Had one accepted them, the judge would say so.
      await until('refused', () => recorder.latest(near.name, person(0)) === 'refused')
    })
  })

  it('the service frozen and thawed', async () => {
    await play(async ({ service, recorder, person, near, accepts, unknowing }) => {
      await recorder.signOut(person(0))
      service.signal('SIGSTOP')
      await unknowing(near, person(5))
      service.signal('SIGCONT')
      await accepts(near, person(5))
      await recorder.signOut(person(1))
      await until('refused', () => recorder.latest(near.name, person(1)) === 'refused')
    })
  })

  it('a verifier frozen while somebody signs out, and thawed: it knows that it does not know', async () => {
    await play(async ({ recorder, person, near, far, accepts }) => {
      far.signal('SIGSTOP')
      await recorder.signOut(person(0))
      await recorder.changeRoles(person(1), ['editor'])
      await pause(bound + 500)
      far.signal('SIGCONT')
      await until('refused', () => recorder.latest(far.name, person(0)) === 'refused' && recorder.latest(far.name, person(1)) === 'refused')
      await accepts(far, person(5))
      await accepts(near, person(5))
    })
  })

  it('the service cut off from its store while its followers stay connected: no beat, no yes', async () => {
    await play(async ({ service, data, recorder, person, near, unknowing }) => {
      await recorder.signOut(person(0))
      await until('refused', () => recorder.latest(near.name, person(0)) === 'refused')
      for (const name of ['symbolon.db', 'symbolon.db-wal']) truncateSync(join(data, name), 0)
      // The index beside them is emptied, not cut off, which would kill the process and be another fault. With an index that
      // stood as it was, pages in memory would count as read for as long as nobody writes, and rightly so.
      const index = openSync(join(data, 'symbolon.db-shm'), 'r+')
      writeSync(index, new Uint8Array(136), 0, 136, 0)
      closeSync(index)
      await unknowing(near, person(5))
      expect(service.exited()).toBe(false)
    })
  })

  it('the service restarted, with followers from before', async () => {
    await play(async ({ service, recorder, person, near, far, accepts }) => {
      await recorder.signOut(person(0))
      await service.stop('SIGTERM')
      await service.start()
      await recorder.signOut(person(1))
      await until('both are refused on both', () =>
        [near, far].every((one) => [0, 1].every((at) => recorder.latest(one.name, person(at)) === 'refused')),
      )
      await accepts(near, person(5))
      await accepts(far, person(5))
    })
  })

  it('a database restored from before a revocation: what verifiers know they keep, and they follow the new feed', async () => {
    await play(async ({ service, data, recorder, person, near, far, accepts }) => {
      await service.stop('SIGTERM')
      copyFileSync(join(data, 'symbolon.db'), join(data, 'backup.db'))
      await service.start()
      await accepts(near, person(5))
      // What they only ask about they do not keep: the revocation must reach them by the feed.
      for (const one of [near, far]) await until('it follows again', async () => Number((await one.status()).stalenessMs) < 1000, 60_000)
      await recorder.signOut(person(0))
      await until('refused', () => recorder.latest(near.name, person(0)) === 'refused')
      await service.stop('SIGTERM')
      for (const name of ['symbolon.db-wal', 'symbolon.db-shm']) rmSync(join(data, name), { force: true })
      copyFileSync(join(data, 'backup.db'), join(data, 'symbolon.db'))
      // As on a new machine, where nothing says how far the log had come: with the mark a start would be refused.
      rmSync(join(data, 'high-water'))
      const { feedId } = await near.status()
      await service.start()
      // Whoever comes back knows of more than the store does, by which it is noticed; what is logged before that would be
      // taken for what was logged in its place before, which is why a start with the mark is refused.
      for (const one of [near, far]) await until('it follows the new feed', async () => (await one.status()).feedId !== feedId)
      await accepts(near, person(5))
      await recorder.signOut(person(1))
      await until('refused', () => recorder.latest(near.name, person(1)) === 'refused')
      // The restored store has forgotten that person 0 signed out; the verifier has not.
      await until('refused still', () => recorder.latest(near.name, person(0)) === 'refused')
      // G1 is about the store as it is: what a restore undoes is not judged for session routes.
      for (let i = recorder.checks.length - 1; i >= 0; i--)
        if (recorder.checks[i]?.level === 'session' && recorder.checks[i]?.token === person(0).facts) recorder.checks.splice(i, 1)
    })
  })

  it('a verifier started while the service is down accepts nothing, and recovers by itself', async () => {
    await play(async ({ service, secret, recorder, person, proxy, accepts, near }) => {
      await recorder.signOut(person(0))
      await service.stop('SIGTERM')
      const late = await startVerifierProcess('late', { service, secret, port: proxy.port, bound })
      try {
        expect(await late.ask('/token', person(5).accessToken)).toBe(503)
        await service.start()
        await accepts(near, person(5))
        await until('it accepts', async () => (await late.ask('/token', person(5).accessToken)) === 200)
        expect(await late.ask('/token', person(0).accessToken)).toBe(401)
      } finally {
        late.stop()
      }
    })
  })

  it.each([3_600_000, -3_600_000])('a verifier whose wall clock steps by %i ms', async (offset) => {
    await play(async ({ recorder, person, near, far, proxy, accepts }) => {
      proxy.become({ as: 'black_hole' })
      far.setClock(Math.min(offset, 60_000))
      await recorder.signOut(person(0))
      await pause(bound + 1000)
      proxy.become({ as: 'pass' })
      far.setClock(0)
      await accepts(far, person(5))
      await until('refused', () => recorder.latest(far.name, person(0)) === 'refused')
      await accepts(near, person(5))
    })
  })
})
