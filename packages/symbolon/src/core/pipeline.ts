// The refresh pipeline: an ordered list of named steps, each with a time budget and a failure mode. The default steps
// cannot be removed or loosened; custom ones come after one of them. A step can shorten, deny, ask for a step-up, add claims.

import { SymbolonError } from '@symbolon/protocol'
import type { Caller, PlacedStep, RefreshContext, RefreshStep, StepTrace } from './api.ts'
import { type AbortSignalLike, runForeign } from './foreign.ts'
import { isExpired, limitsOf } from './limits.ts'
import { foreignClaims, type Shape } from './mint.ts'
import type { Client, ClientPolicy } from './model.ts'
import type { Clock, SessionSnapshot } from './ports.ts'
import { standingOf } from './proven.ts'

/** How a pipeline ended. */
export type Passed =
  | { readonly verdict: 'pass'; readonly shape: Shape }
  | { readonly verdict: 'revoked' | 'expired' | 'denied' | 'try_later' }
  | { readonly verdict: 'step_up_required'; readonly acrValues?: readonly string[]; readonly maxAge?: number }

/** Runs the steps on one read of a session. */
export type Pipeline = (snapshot: SessionSnapshot, caller: Caller) => Promise<Passed & { readonly trace: readonly StepTrace[] }>

/** What a degraded token is shortened to, in milliseconds. */
const degradedLifetime = 60_000

type Default = { readonly name: string; run(snapshot: SessionSnapshot, policy: ClientPolicy): Passed['verdict'] }

/** The default steps in their order. A fault in one of them writes nothing and answers 503. */
const defaults: readonly Default[] = [
  { name: 'record', run: ({ session }) => (session.revokedAt === null ? 'pass' : 'revoked') },
  { name: 'user', run: ({ user }) => (user.status === 'active' ? 'pass' : 'revoked') },
  { name: 'client', run: ({ client }) => (client.status === 'active' ? 'pass' : 'denied') },
  { name: 'limits', run: ({ session, now }, policy) => (isExpired(limitsOf(session, policy), now) ? 'expired' : 'pass') },
  // No session is bound to a key yet; one that were could not be refreshed by this version.
  { name: 'binding', run: ({ session }) => (session.binding === null ? 'pass' : 'denied') },
  { name: 'risk', run: () => 'pass' },
  { name: 'claims', run: () => 'pass' },
]

/** What custom steps may be placed after. */
export const defaultStepNames: readonly string[] = defaults.map((step) => step.name)

/** Creates the pipeline; throws `invalid_option` for a step placed after none of the defaults or named twice. */
export function createPipeline(
  placed: readonly PlacedStep[],
  clock: Clock,
  policyOf: (client: Client) => ClientPolicy,
  budgetOf: (snapshot: SessionSnapshot) => number = ({ client }) => policyOf(client).tokenLifetime,
): Pipeline {
  const names = new Set(defaultStepNames)
  for (const { after, step } of placed) {
    if (!defaultStepNames.includes(after))
      throw new SymbolonError('invalid_option', { detail: `refresh.steps: there is no step '${after}'` })
    if (names.has(step.name)) throw new SymbolonError('invalid_option', { detail: `refresh.steps: '${step.name}' stands there twice` })
    names.add(step.name)
  }
  const customAfter = (name: string) => placed.filter((one) => one.after === name).map((one) => one.step)
  const plan = defaults.map((step) => ({ step, custom: customAfter(step.name) }))

  return async (snapshot, caller) => {
    const trace: StepTrace[] = []
    const policy = policyOf(snapshot.client)
    let shape: Shape = { lifetime: budgetOf(snapshot) }
    for (const { step, custom } of plan) {
      const began = clock.now()
      const verdict = step.run(snapshot, policy)
      trace.push({ step: step.name, outcome: verdict, ms: clock.now() - began })
      if (verdict !== 'pass') return { verdict, trace } as Passed & { trace: StepTrace[] }
      for (const one of custom) {
        const start = clock.now()
        const result = await runCustom(one, asItCounts(snapshot, policy), caller, shape, clock)
        trace.push({ step: one.name, outcome: result.outcome, ms: clock.now() - start })
        if (result.passed.verdict !== 'pass') return { ...result.passed, trace }
        shape = result.passed.shape
      }
    }
    return { verdict: 'pass', shape, trace }
  }
}

/** A session as steps see it: what a step-up proved only while it counts. */
function asItCounts(snapshot: SessionSnapshot, policy: ClientPolicy): SessionSnapshot {
  const { acr, amr } = standingOf(snapshot.session, policy, snapshot.now)
  return { ...snapshot, session: { ...snapshot.session, acr, amr } }
}

/** Runs one custom step. What it does after its budget is over has no effect. */
async function runCustom(
  step: RefreshStep,
  snapshot: SessionSnapshot,
  caller: Caller,
  before: Shape,
  clock: Clock,
): Promise<{ readonly outcome: string; readonly passed: Passed }> {
  const added: Record<string, unknown> = {}
  const dropped = new Set<string>()
  let lifetime = before.lifetime
  let verdict: Passed | undefined
  const { session, user, client } = snapshot
  const contextOf = (signal: AbortSignalLike): RefreshContext => ({
    userId: user.id,
    sid: session.sid,
    clientId: client.id,
    roles: user.roles,
    session,
    caller,
    signal,
    addClaims: (claims) => void Object.assign(added, foreignClaims(claims)),
    dropClaim: (name) => void dropped.add(name),
    shorten: (ms) => {
      if (!Number.isFinite(ms) || ms < 0) throw new TypeError('shorten takes milliseconds.')
      lifetime = Math.min(ms, lifetime ?? ms)
    },
    deny: () => {
      verdict = { verdict: 'denied' }
    },
    requireStepUp: (options = {}) => {
      verdict ??= { verdict: 'step_up_required', ...options }
    },
  })
  const ended = await runForeign(clock, step.budget, (signal) => step.run(contextOf(signal)))
  if (ended === 'done') {
    if (verdict !== undefined) return { outcome: verdict.verdict, passed: verdict }
    const shape: Shape = {
      ...(lifetime !== undefined && { lifetime }),
      added: { ...before.added, ...added },
      dropped: new Set([...(before.dropped ?? []), ...dropped]),
    }
    return { outcome: 'pass', passed: { verdict: 'pass', shape } }
  }
  if (step.onFailure === 'deny') return { outcome: `${ended}: deny`, passed: { verdict: 'denied' } }
  if (step.onFailure === 'defer') return { outcome: `${ended}: defer`, passed: { verdict: 'try_later' } }
  const shape = { ...before, lifetime: Math.min(degradedLifetime, before.lifetime ?? degradedLifetime) }
  return { outcome: `${ended}: degrade`, passed: { verdict: 'pass', shape } }
}
