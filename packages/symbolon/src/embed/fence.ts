// Between a node and its store. While the node's claim holds, nobody can have moved the data away, and answers pass as they
// come. When it may have run out, after a cut or a freeze, an answer is believed only if the store says afterwards that it
// is still open: what stands in a store that was closed says nothing of what was revoked since (G1, G2).

import { closedError, closedSentence } from '#stores/rows'
import type { Claim } from './serving.ts'
import type { NodeStore } from './store.ts'

type Verb = (...input: readonly unknown[]) => unknown

/** The same store; every verb that reads or writes data throws `store_unavailable` once the store is closed to services. */
export function fenceStore(store: NodeStore, claim: Claim): NodeStore {
  const judge = <T>(open: boolean, answer: T): T => {
    if (!open) claim.end()
    if (claim.ended()) throw closedError(closedSentence)
    return answer
  }
  const believe = <T>(answer: T): T | Promise<T> => {
    // Asked after the answer has come: a process may be frozen while it is on its way.
    if (claim.holds()) return answer
    claim.renew()
    const open = store.isOpen()
    return open instanceof Promise ? open.then((is) => judge(is, answer)) : judge(open, answer)
  }
  const fenced = (verb: Verb): Verb => {
    return (...input) => {
      const answer = verb(...input)
      return answer instanceof Promise ? answer.then(believe) : believe(answer)
    }
  }
  const all = <T extends object>(noun: T): T =>
    Object.fromEntries(Object.entries(noun).map(([name, verb]) => [name, fenced(verb as Verb)])) as T
  // Leases are how a claim is made; the others tell nothing of the data.
  const { leases, examine, isOpen, onRevocations, onHint, close, now, ...nouns } = store
  const data = Object.fromEntries(Object.entries(nouns).map(([name, noun]) => [name, all(noun)])) as typeof nouns
  return { ...data, leases, examine, isOpen, onRevocations, onHint, close, now: fenced(now as Verb) as typeof now }
}
