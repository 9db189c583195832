// The end of a sign-in: the attempt is consumed and the session opened in one transaction, by what was proven and nothing
// else. Who did not prove enough never comes here.

import type { Refused, SignedIn } from '../api.ts'
import { isOwnDevice, rememberDevice } from '../device.ts'
import type { NewKey } from '../factors/factor.ts'
import type { Proof } from '../model.ts'
import { createNotices } from '../notice.ts'
import type { OpenOutcome, SessionSnapshot } from '../ports.ts'
import { refuse } from '../session.ts'
import type { Found } from './attempt.ts'
import { enrolledLine } from './enrol.ts'
import { areKept } from './kept.ts'
import { reached } from './levels.ts'
import type { LoginParts, Taker } from './parts.ts'

/** Creates what ends a sign-in. */
export function createFinish(parts: LoginParts) {
  const { ports, policyOf, hooks } = parts
  const { store, crypto } = ports

  const notify = createNotices(ports, hooks)
  /** Tells a person of a sign-in on a device that was not known. */
  const tell = async ({ user, client, session, now: at }: SessionSnapshot, created: boolean, { device, caller }: Taker) => {
    if (created || !policyOf(client).newDeviceNotice || isOwnDevice(crypto, device, user)) return
    const about = { userId: user.id, clientId: client.id, caller, sid: session.sid }
    await notify({ kind: 'notice', to: user.email, clientName: client.name, at }, about)
  }

  return {
    /** Opens the session; `at the limit` when the person has to end one of theirs first. `userId`: null for who is known by their mail address alone. */
    async open(
      { idHash, client, identifier }: Found,
      proven: readonly Proof[],
      userId: string | null,
      input: Taker,
      ends: string | null,
      key: NewKey | null = null,
    ): Promise<SignedIn | Refused | 'at the limit'> {
      const policy = policyOf(client)
      const level = reached(proven)
      const before = key === null ? proven : proven.filter((proof) => proof.key !== key.passkey.id)
      if (level === undefined || !(await areKept(ports, before, { identifier, userId }))) return refuse('login_failed')
      const method = proven.map((proof) => proof.method).join(' ')
      const admitted =
        userId === null ? await hooks.admit({ email: identifier, clientId: client.id, method, caller: input.caller }, policy) : null
      if (admitted?.ok === false) {
        // What is refused, and not put off, is refused once: asking again begins anew, and costs what that costs.
        if (admitted.code !== 'try_later') await store.attempts.consume(idHash)
        return admitted
      }
      const kind = client.transport === 'native' ? 'token' : 'cookie'
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
        user: userId === null ? { email: identifier, create: admitted?.create ?? null } : { id: userId },
        maxSessions: policy.maxSessions,
        onLimit: policy.onLimit,
        ends,
        enrols: key && { ...key, audit: [enrolledLine(key, client, userId ?? admitted?.create?.id ?? 'sign_in', ip)] },
        replaces: input.replaces === null ? null : ((await parts.genuine(input.replaces)) ?? null),
        audit: [{ event: 'session.opened', userId: null, sid, clientId: client.id, ip, detail: { method } }],
      })
      if (opened.outcome === 'limit' && policy.onLimit === 'ask') return 'at the limit'
      if (opened.outcome !== 'opened') return refuse(refusals[opened.outcome])
      ports.crashPoint('login.opened')
      const { snapshot, created } = opened
      if (!(await areKept(ports, proven, { identifier, userId }))) {
        const { user } = snapshot
        const gone = {
          event: 'session.admin',
          userId: user.id,
          sid,
          clientId: client.id,
          ip,
          detail: { by: 'system', because: 'key_gone' },
        }
        await store.sessions.revoke({ sid }, 'admin', [gone])
        return refuse('login_failed')
      }
      await tell(snapshot, created, input)
      if (key !== null) {
        ports.observe({ event: 'passkey.added', userId: snapshot.user.id })
        const { id, email } = snapshot.user
        await notify({ kind: 'passkey', to: email, change: 'added' }, { userId: id, clientId: client.id, caller: input.caller })
      }
      ports.observe({ event: 'login.succeeded', method, clientId: client.id, created })
      hooks.signedIn(opened, method, input.caller)
      const minted = kind === 'token' ? await parts.mint(snapshot) : null
      return { ok: true, snapshot, credential, minted, device: rememberDevice(crypto, input.device, snapshot.user), created }
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
  enrolled: 'login_failed',
  key_taken: 'login_failed',
}
