// Honest callers of a load: each has one session at a time, tries its last credential again when no answer came, adopts
// what it receives, and signs in again only when told that its session is over. Must never present an older credential.

import type { Calls, Came, Held, LoadNode, LoadVerifier } from './calls.ts'
import type { Chance } from './random.ts'

/** What a caller stands on. */
export interface PersonParts {
  readonly name: string
  readonly calls: Calls
  readonly chance: Chance
  readonly nodes: readonly LoadNode[]
  readonly verifiers: readonly LoadVerifier[]
  /** Milliseconds. */
  readonly window: number
  /** Milliseconds between two things that a caller does, at most. */
  readonly pace: number
  /** Hangs up at times, which leaves unknown for ever when a call was done: others do not, so that nothing excuses what happens to them. */
  readonly hangsUp: boolean
  readonly running: () => boolean
  /** Is told of tokens whose session is over. */
  readonly buried: (held: Held) => void
}

/** An honest caller. */
export interface Person {
  /** The user's id, once known. */
  sub(): string | null
  held(): Held | null
  /** Credentials held before, oldest first, with when the next one was received. */
  past(): readonly { readonly held: Held; readonly until: number }[]
  run(): Promise<void>
  /** The last refresh, tried until it is answered, and a check of what came. */
  finish(): Promise<void>
}

/** Waits. */
export const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms))

/** Sign-ins of one address within an hour, fewer than the service allows. */
const perAddress = 8

/** Creates a caller. */
export function createPerson(parts: PersonParts): Person {
  const { name, calls, chance, nodes, verifiers, window, pace, hangsUp, running, buried } = parts
  let held: Held | null = null
  let past: { held: Held; until: number }[] = []
  let sub: string | null = null
  let signedIn = 0
  let identity = 0
  const from = () => `10.${chance.between(0, 255)}.${chance.between(0, 255)}.${chance.between(1, 254)}`
  const node = () => chance.pick(nodes)
  /** Growing pauses with jitter, as clients take them. */
  const backOff = (turn: number) => pause(Math.min(500, 20 * 2 ** turn) * (0.5 + chance.draw()))

  const adopt = (next: Held) => {
    if (held !== null && next.received.generation <= held.received.generation && next.received.sid === held.received.sid) return
    if (held !== null) past = [...past.slice(-5), { held, until: performance.now() }]
    held = next
  }
  const leave = () => {
    if (held !== null) buried(held)
    held = null
    past = []
  }
  const signIn = async () => {
    if (signedIn >= perAddress) {
      signedIn = 0
      identity++
      sub = null
    }
    const email = `${name}-${identity}@example.com`
    const { came, held: got, limited } = await calls.signIn(node(), node(), email, sub, from())
    if (limited) signedIn = perAddress
    if (came !== 'yes' || got === null) return pause(chance.between(20, 150))
    signedIn++
    sub = got.facts.sub
    past = []
    held = got
  }
  /** Tries one credential until it is answered. */
  const insist = async (credential: string, final = false): Promise<Came> => {
    for (let turn = 0; final || running(); turn++) {
      const { came, held: got } = await calls.refresh(node(), credential, { final })
      if (came === 'yes' && got !== null) adopt(got)
      if (came === 'over') leave()
      if (came !== 'nothing') return came
      if (turn > 60) throw new Error(`${name} has no answer to a refresh.`)
      await backOff(Math.min(turn, 5))
    }
    return 'nothing'
  }
  const acts: Readonly<Record<string, (mine: Held) => Promise<unknown>>> = {
    refresh: ({ credential }) => insist(credential),
    async dropped({ credential }) {
      await calls.refresh(node(), credential, { lost: true })
      if (chance.draw() < 0.3) await calls.refresh(node(), credential, { lost: true })
      await insist(credential)
    },
    async hungUp({ credential }) {
      await calls.refresh(node(), credential, { hangUp: chance.between(1, 6) })
      await insist(credential)
    },
    async tabs({ credential }) {
      const tabs = await Promise.all(
        [0, 1, 2].slice(0, chance.between(2, 3)).map(() => calls.refresh(node(), credential, { lost: chance.draw() < 0.3 })),
      )
      const [came] = [tabs.find((tab) => tab.came === 'yes'), tabs.find((tab) => tab.came === 'over')]
      if (came?.held != null) adopt(came.held)
      else await insist(credential)
    },
    async late({ credential }) {
      await calls.refresh(node(), credential, { lost: true })
      await pause(window + chance.between(20, 200))
      await insist(credential)
    },
    async look(mine) {
      if ((await calls.check(node(), 'session', mine)) === 'over') leave()
    },
    async visit(mine) {
      if (verifiers.length > 0) await calls.check(chance.pick(verifiers), chance.pick(['token', 'token', 'session']), mine)
    },
    async signOut(mine) {
      for (let turn = 0; running() && turn < 8; turn++) {
        const came = await calls.signOut(node(), mine)
        if (came === 'yes' || came === 'over') return leave()
        if (came === 'refused') return
        await backOff(turn)
      }
      // Not known to be over: the next refresh tells.
    },
  }
  const weights = { refresh: 30, dropped: 12, hungUp: hangsUp ? 12 : 0, tabs: 14, late: 5, look: 14, visit: 14, signOut: 3 }

  return {
    sub: () => sub,
    held: () => held,
    past: () => past,
    async run() {
      while (running()) {
        if (held === null) await signIn()
        else await acts[chance.weighed(weights)]?.(held)
        await pause(chance.between(0, pace))
      }
    },
    async finish() {
      if (held === null) return
      if ((await insist(held.credential, true)) === 'yes' && held !== null)
        for (const each of nodes) await calls.check(each, 'session', held)
    },
  }
}
