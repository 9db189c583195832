// The source behind a guard in the service's own process: keys and live answers straight from core, revocations from
// the store as they are committed here, and by a look each second for those committed by other processes.

import type { ErrorCode, Revocation } from '@symbolon/protocol'
import type { LiveAnswer, LiveSession, Source } from '@symbolon/verifier'
import type { Checked, Core, SessionSnapshot, Store } from '#core'

/** What the source stands on. `onRevoked`: the store's listener, called with entries after their commit; returns the function that ends it. */
export interface SourceParts {
  readonly core: () => Core
  readonly store: () => Store
  readonly onRevoked: (apply: (entries: readonly Revocation[]) => void) => () => void
  readonly ready: () => Promise<void>
  /** Whether `ready` has come: then nothing waits. */
  readonly opened: () => boolean
}

const page = 1000

/** The session as guards know it. */
export function liveSession({ session, user, client }: SessionSnapshot, scope: readonly string[]): LiveSession {
  return {
    sub: user.id,
    sid: session.sid,
    clientId: client.id,
    epoch: user.epoch,
    clientEpoch: client.epoch,
    roles: user.roles,
    scope,
    authTime: Math.floor(session.authTime / 1000),
    acr: session.acr,
    amr: session.amr,
  }
}

const refused = (code: ErrorCode, options: Checked & { ok: false }): LiveAnswer =>
  options.options === undefined ? { active: false, code } : { active: false, code, options: options.options }

/** The in-process source. */
export function createSource(parts: SourceParts): Source {
  const ends = new Set<() => void>()
  const answerOf = (checked: Checked): LiveAnswer =>
    checked.ok
      ? { active: true, session: liveSession(checked.snapshot, parts.core().clients.policyOf(checked.snapshot.client).scope) }
      : refused(checked.code, checked)
  const now = <T>(answer: () => T | Promise<T>): T | Promise<T> => (parts.opened() ? answer() : parts.ready().then(answer))

  return {
    keys: () => now(() => parts.core().tokens.keys()),
    check: (question) =>
      now(() => {
        const { sessions } = parts.core()
        if (question.by === 'opaque') return refused('invalid_token', { ok: false, code: 'invalid_token' })
        const checked = question.by === 'cookie' ? sessions.check(question.credential, 'cookie') : sessions.checkToken(question.claims)
        return checked instanceof Promise ? checked.then(answerOf) : answerOf(checked)
      }),
    mint: async (credential) => {
      await parts.ready()
      const minted = await parts.core().sessions.mint(credential)
      if (!minted.ok) return { ...(minted.options !== undefined && { options: minted.options }), minted: false, code: minted.code }
      const scope = parts.core().clients.policyOf(minted.snapshot.client).scope
      return {
        minted: true,
        accessToken: minted.minted.accessToken,
        claims: minted.minted.claims,
        session: liveSession(minted.snapshot, scope),
      }
    },
    follow: (apply) => {
      let ended = false
      let seq = 0
      let looking = false
      let stopListening = () => {}
      // Once more than needed does no harm: entries are applied idempotently.
      const look = async () => {
        if (looking || ended) return
        looking = true
        try {
          const head = await parts.store().feed.head()
          if (head.seq < seq) seq = 0
          while (seq < head.seq && !ended) {
            const entries = await parts.store().feed.after(seq, page)
            if (entries.length > 0) apply(entries)
            seq = entries.at(-1)?.seq ?? head.seq
          }
        } catch {
          // A store that cannot be read now is read in a second; live checks fail closed meanwhile.
        } finally {
          looking = false
        }
      }
      const timer = setInterval(() => void look(), 1000)
      timer.unref()
      void parts.ready().then(
        () => {
          if (ended) return
          stopListening = parts.onRevoked(apply)
          void look()
        },
        () => {},
      )
      const end = () => {
        ended = true
        clearInterval(timer)
        stopListening()
        ends.delete(end)
      }
      ends.add(end)
      return {
        staleness: () => 0,
        position: () => undefined,
        reached: () => false,
        ready: parts.ready,
        status: () => ({ feedId: null, head: seq, applied: seq, stalenessMs: 0, transport: 'in_process', reconnects: 0, snapshots: 0 }),
        end,
      }
    },
    close: async () => {
      for (const end of [...ends]) end()
    },
  }
}
