// The end of a sign-in: the attempt is consumed and the session opened in one transaction, by what was proven and nothing
// else. Who did not prove enough never comes here.

import type { Refused, SignedIn } from '../api.ts'
import { rememberDevice } from '../device.ts'
import type { Proof } from '../model.ts'
import type { OpenOutcome } from '../ports.ts'
import { refuse } from '../session.ts'
import { newUserId } from '../users.ts'
import type { Found } from './attempt.ts'
import { reached } from './levels.ts'
import type { LoginParts, Taker } from './parts.ts'

/** Creates what ends a sign-in. */
export function createFinish(parts: LoginParts) {
  const { ports, policyOf } = parts
  const { store, crypto } = ports

  return {
    /** Opens the session; `at the limit` when the person has to end one of theirs first. `userId`: null for who is known by an identifier. */
    async open(
      { idHash, client, identifier }: Found,
      proven: readonly Proof[],
      userId: string | null,
      input: Taker,
      ends: string | null,
    ): Promise<SignedIn | Refused | 'at the limit'> {
      const policy = policyOf(client)
      const level = reached(proven)
      if (level === undefined) return refuse('login_failed')
      const kind = client.transport === 'native' ? 'token' : 'cookie'
      const method = proven.map((proof) => proof.method).join(' ')
      const { sid, credential, credentialHash, sealedKey } = parts.credential(kind)
      const { ip, userAgent } = input.caller
      const opened = await store.sessions.open({
        session: {
          sid,
          kind,
          parent: null,
          clientId: client.id,
          acr: level.acr,
          amr: level.amr,
          idle: policy.idle,
          absolute: policy.absolute,
          ip,
          userAgent,
          binding: null,
          credentialHash,
          sealedKey,
        },
        attempt: idHash,
        user:
          userId === null
            ? { email: identifier, create: policy.signUp === 'open' ? { id: newUserId(crypto.random), roles: [] } : null }
            : { id: userId },
        maxSessions: policy.maxSessions,
        onLimit: policy.onLimit,
        ends,
        replaces: input.replaces === null ? null : ((await parts.genuine(input.replaces)) ?? null),
        audit: [{ event: 'session.opened', userId: null, sid, clientId: client.id, ip, detail: { method } }],
      })
      if (opened.outcome === 'limit' && policy.onLimit === 'ask') return 'at the limit'
      if (opened.outcome !== 'opened') return refuse(refusals[opened.outcome])
      ports.crashPoint('login.opened')
      const { snapshot, created } = opened
      ports.observe({ event: 'login.succeeded', method, clientId: client.id, created })
      const minted = kind === 'token' ? await parts.mint(snapshot) : null
      return { ok: true, snapshot, credential, minted, device: rememberDevice(crypto, input.device, snapshot.user.email), created }
    },
  }
}

const refusals: Readonly<Record<Exclude<OpenOutcome['outcome'], 'opened'>, 'login_failed' | 'session_limit'>> = {
  attempt_gone: 'login_failed',
  user_unknown: 'login_failed',
  user_disabled: 'login_failed',
  client_disabled: 'login_failed',
  parent_gone: 'login_failed',
  limit: 'session_limit',
}
