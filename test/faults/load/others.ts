// Who else is about during a load: a thief with copies of what some callers held, an operator who changes and ends things,
// watchers who show tokens, living and dead, wherever they can be shown, and a sentry who looks at one while it dies.

import type { Calls, Held, LoadNode, LoadVerifier } from './calls.ts'
import { type Person, pause } from './people.ts'
import type { Chance } from './random.ts'

/** What they all stand on. */
export interface OtherParts {
  readonly calls: Calls
  readonly chance: Chance
  readonly nodes: readonly LoadNode[]
  readonly running: () => boolean
}

/** Shows copies of what `victims` held: an old one, a predecessor after its window, or the current one before its owner does. */
export async function runThief(parts: OtherParts & { readonly victims: readonly Person[]; readonly window: number }): Promise<void> {
  const { calls, chance, nodes, running, victims, window } = parts
  const show = (credential: string) => calls.refresh(chance.pick(nodes), credential, { who: 'thief' })
  while (running()) {
    await pause(chance.between(50, 350))
    const victim = chance.pick(victims)
    const held = victim.held()
    const past = victim.past()
    if (held === null) continue
    const way = chance.weighed({ old: 6, predecessor: 3, current: 1 })
    if (way === 'old') {
      const old = past.at(-2)
      if (old === undefined) continue
      await show(old.held.credential)
      // Once more: what was ended stays so.
      await show(old.held.credential)
    } else if (way === 'predecessor') {
      const last = past.at(-1)
      if (last !== undefined && performance.now() - last.until > window) await show(last.held.credential)
    } else {
      const { held: stolen } = await show(held.credential)
      if (stolen !== null) await show(stolen.credential)
    }
  }
}

/** Changes roles, ends sessions, disables and enables again, and reads. */
export async function runOperator(parts: OtherParts & { readonly people: readonly Person[]; readonly pace: number }): Promise<void> {
  const { calls, chance, nodes, running, people, pace } = parts
  let count = 0
  const node = () => chance.pick(nodes)
  while (running()) {
    await pause(chance.between(0, pace))
    const person = chance.pick(people)
    const sub = person.sub()
    if (sub === null) continue
    const act = chance.weighed({ roles: 40, read: 40, endSession: 6, endUser: 5, disable: 4 })
    if (act === 'roles') await calls.changeRoles(node(), sub, [`role-${chance.between(0, 1_000_000)}-${count++}`])
    else if (act === 'read') await calls.read(node(), sub)
    else if (act === 'endUser') await calls.revokeUser(node(), sub)
    else if (act === 'endSession') {
      const held = person.held()
      if (held !== null) await calls.revokeSession(node(), held.received.sid)
    } else {
      await calls.changeStatus(node(), sub, 'disabled')
      await pause(chance.between(50, 300))
      for (let turn = 0; turn < 100 && (await calls.changeStatus(node(), sub, 'active')) !== 'yes'; turn++) await pause(100)
    }
  }
}

/** Shows tokens: of callers as they are now, and of sessions that are over. */
export async function runWatcher(
  parts: OtherParts & {
    readonly verifiers: readonly LoadVerifier[]
    readonly people: readonly Person[]
    readonly dead: () => readonly Held[]
    readonly pace: number
  },
): Promise<void> {
  const { calls, chance, nodes, running, verifiers, people, dead, pace } = parts
  while (running()) {
    await pause(chance.between(0, pace))
    const shown = chance.draw() < 0.5 ? chance.pick(people).held() : (dead().at(-chance.between(1, 12)) ?? null)
    if (shown === null) continue
    if (verifiers.length === 0 || chance.draw() < 0.4) await calls.check(chance.pick(nodes), 'session', shown)
    else await calls.check(chance.pick(verifiers), chance.draw() < 0.75 ? 'token' : 'session', shown)
  }
}

const looksEvery = 15
const mostLooks = 60

/** Opens sessions, and looks at each so often, at one node, that looks overlap, while it is signed out at the same or another one. */
export async function runSentry(parts: OtherParts & { readonly name: string; readonly pace: number }): Promise<void> {
  const { calls, chance, nodes, running, name, pace } = parts
  for (let turn = 0; running(); turn++) {
    await pause(chance.between(pace, 10 * pace))
    // Each identity and address signs in but a few times, as the service allows.
    const [email, from] = [`${name}-${turn >> 3}@example.com`, `10.${chance.between(0, 255)}.${chance.between(0, 255)}.${turn & 255}`]
    const { held } = await calls.signIn(chance.pick(nodes), chance.pick(nodes), email, null, from)
    if (held === null) continue
    const node = chance.pick(nodes)
    const looks = new Set<Promise<unknown>>()
    const timer = setInterval(() => {
      if (looks.size >= mostLooks) return
      const look = calls.check(node, 'session', held).finally(() => looks.delete(look))
      looks.add(look)
    }, looksEvery)
    try {
      await pause(chance.between(50, 150))
      await calls.signOut(chance.pick(nodes), held)
      await pause(250)
    } finally {
      clearInterval(timer)
      await Promise.all(looks)
    }
  }
}
