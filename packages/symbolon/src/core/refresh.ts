// The refresh: the one place that decides on rotation, lost answers and theft. In this order, always: canonical parse,
// row, MAC, revoked, expired, generation, pipeline. A rotation is one compare-and-set; who loses it looks again once.

import { type ErrorCode, type ErrorOptions, fromBase64url, SymbolonError } from '@symbolon/protocol'
import type { Minted, RefreshInput, RefreshOutcome, StepTrace } from './api.ts'
import { type Credential, credentialOf, isGenuine, openSessionKey, parseCredential } from './credential.ts'
import { type Decision, decide, isAnsweredAgain } from './decide.ts'
import type { Mint, Read } from './mint.ts'
import type { Client, ClientPolicy, RevokeReason, Session } from './model.ts'
import type { Passed, Pipeline } from './pipeline.ts'
import type { AuditDraft, Ports, Revoked, RevokeTarget, SessionSnapshot } from './ports.ts'
import { deadBecause } from './session.ts'
import type { Touches } from './touch.ts'

/** What a refresh stands on. */
export interface RefreshParts {
  readonly ports: Ports
  readonly touches: Touches
  readonly pipeline: Pipeline
  readonly mint: Mint
  readonly policyOf: (client: Client) => ClientPolicy
  readonly revoke: (target: RevokeTarget, reason: RevokeReason, audit: readonly AuditDraft[]) => Promise<Revoked>
}

type Refusal = Extract<RefreshOutcome, { ok: false }>
type Again = 'again'

const refusals: Readonly<Record<Exclude<Passed['verdict'], 'pass'>, ErrorCode>> = {
  revoked: 'session_revoked',
  expired: 'session_expired',
  denied: 'denied',
  try_later: 'try_later',
  step_up_required: 'step_up_required',
}

/** Creates the refresh. */
export function createRefresh(parts: RefreshParts): (input: RefreshInput) => Promise<RefreshOutcome> {
  const { ports, touches, pipeline, mint, policyOf } = parts
  const { store, crypto, clock } = ports

  const refusal = (outcome: Refusal['outcome'], code: ErrorCode, trace: readonly StepTrace[] = [], options?: ErrorOptions): Refusal => {
    ports.observe({ event: 'refresh.refused', outcome })
    return { ok: false, outcome, code, trace, ...(options !== undefined && { options }) }
  }
  /** Whether this is the login cookie or login id of the attempt that stepped the session up. */
  const isOf = (binding: string | undefined, { replacedFor }: Session) =>
    binding !== undefined && replacedFor !== null && crypto.equal(crypto.hash(binding), fromBase64url(replacedFor) ?? new Uint8Array())
  const tryLater = (trace: readonly StepTrace[]) => refusal('try_later', 'try_later', trace, { retryAfter: 1 })

  /** An old copy is about, or the store went back: the session ends, and its children with it. */
  const end = async (snapshot: SessionSnapshot, reason: 'reused' | 'rolled_back', input: RefreshInput): Promise<Refusal> => {
    const { session } = snapshot
    const audit = auditOf(snapshot, `session.${reason}`, input, { generation: session.generation })
    await parts.revoke({ sid: session.sid }, reason, [audit])
    ports.observe({ event: `session.${reason}`, sid: session.sid, userId: session.userId, clientId: session.clientId })
    return refusal(reason, 'session_reused')
  }

  const once = async (input: RefreshInput, credential: Credential): Promise<RefreshOutcome | Again> => {
    await touches.flushOf(credential.sid)
    const at = clock.now()
    const snapshot = await store.sessions.find(credential.sid)
    // Unknown sid and wrong MAC are one outcome and change nothing.
    const hash = crypto.hash(input.credential)
    if (snapshot === undefined) return refusal('unknown', 'session_unknown')
    const { session, now } = snapshot
    const key = openSessionKey(crypto, session)
    if (key === undefined)
      throw new SymbolonError('try_later', { detail: 'a session key cannot be opened; run symbolon doctor', retryAfter: 5 })
    if (session.kind !== input.kind || !isGenuine(crypto, key, credential)) return refusal('unknown', 'session_unknown')
    if (credential.generation === session.generation && !crypto.equal(hash, session.credentialHash))
      return refusal('unknown', 'session_unknown')

    const policy = policyOf(snapshot.client)
    const dead = deadBecause(snapshot, policy, touches.lastSeen(session))
    if (dead !== undefined) return refusal(dead === 'session_revoked' ? 'revoked' : dead === 'session_expired' ? 'expired' : 'denied', dead)

    const decision = decide(credential.generation, session, now, policy)
    if (decision === 'reused' || decision === 'rolled_back') return end(snapshot, decision, input)
    // The answer of a step-up was lost: who started it has its binding, and gets the credential again.
    const again = decision === 'superseded' && isAnsweredAgain(session, now, policy.window) && isOf(input.binding, session)
    if (decision === 'superseded' && !again) return refusal('session_superseded', 'session_superseded')
    if (decision === 'step_up') {
      ports.observe({ event: 'session.recovery_refused', sid: session.sid })
      return refusal('step_up_required', 'step_up_required', [], { maxAge: 0 })
    }

    const passed = await pipeline(snapshot, input.caller)
    if (passed.verdict !== 'pass') return refused(passed)
    return carryOut(decision === 'superseded' ? 'replay' : decision, { snapshot, at }, key, input, passed)
  }

  const refused = (passed: Exclude<Passed, { verdict: 'pass' }> & { readonly trace: readonly StepTrace[] }): Refusal => {
    const { verdict, trace } = passed
    if (verdict === 'try_later') return tryLater(trace)
    if (verdict !== 'step_up_required') return refusal(verdict, refusals[verdict], trace)
    const { acrValues, maxAge } = passed
    return refusal(verdict, refusals[verdict], trace, {
      ...(acrValues !== undefined && { acrValues }),
      ...(maxAge !== undefined && { maxAge: Math.floor(maxAge / 1000) }),
    })
  }

  const carryOut = async (
    decision: Extract<Decision, 'rotate' | 'mint' | 'replay' | 'recover'>,
    read: Read,
    key: Uint8Array,
    input: RefreshInput,
    passed: Extract<Passed, { verdict: 'pass' }> & { readonly trace: readonly StepTrace[] },
  ): Promise<RefreshOutcome | Again> => {
    const { session, user, client, now } = read.snapshot
    const g = session.generation
    const answer = (outcome: 'rotated' | 'minted' | 'replayed' | 'recovered', credential: string, sign: (() => Minted) | undefined) => {
      if (sign === undefined) return tryLater(passed.trace)
      const minted = sign()
      ports.observe({ event: 'refresh', outcome })
      return { ok: true as const, outcome, snapshot: read.snapshot, credential, minted, trace: passed.trace }
    }
    if (decision === 'mint') {
      touches.note(session, now, !input.background, g, input.caller)
      return answer('minted', input.credential, mint(read, g, passed.shape))
    }
    if (decision === 'replay')
      return answer('replayed', credentialOf(crypto, key, session.kind, session.sid, g), mint(read, g, passed.shape))

    const next = credentialOf(crypto, key, session.kind, session.sid, g + 1)
    // Prepared before anything is written: a template that throws costs nobody a credential.
    const sign = mint(read, g + 1, passed.shape)
    if (sign === undefined) return 'again'
    ports.crashPoint('rotate.before')
    const rotating = store.sessions.rotate({
      sid: session.sid,
      from: g,
      userEpoch: user.epoch,
      clientEpoch: client.epoch,
      credentialHash: crypto.hash(next),
      as: decision === 'rotate' ? 'rotated' : 'recovered',
      active: !input.background,
      audit: decision === 'rotate' ? [] : [auditOf(read.snapshot, 'session.recovered', input, { generation: g + 1 })],
    })
    // Signed while the commit is on its way to the disk; thrown away when the compare-and-set is lost.
    const [rotated, minted] = await Promise.all([rotating, Promise.resolve().then(sign)])
    if (rotated.outcome === 'lost') return 'again'
    ports.crashPoint('rotate.committed')
    if (decision === 'recover') ports.observe({ event: 'session.recovered', sid: session.sid, userId: user.id, clientId: client.id })
    return answer(decision === 'rotate' ? 'rotated' : 'recovered', next, () => minted)
  }

  return async (input) => {
    const credential = parseCredential(input.credential)
    if (credential === undefined || credential.kind !== input.kind) return refusal('malformed', 'session_unknown')
    for (let turn = 0; turn < 2; turn++) {
      const outcome = await once(input, credential)
      if (outcome !== 'again') return outcome
    }
    return tryLater([])
  }
}

function auditOf({ session }: SessionSnapshot, event: string, input: RefreshInput, detail: AuditDraft['detail']): AuditDraft {
  return { event, userId: session.userId, sid: session.sid, clientId: session.clientId, ip: input.caller.ip, detail }
}
