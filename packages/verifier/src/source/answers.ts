// What an introspection's answer says about the token that was asked for: a session, a client, or why neither. An answer
// about anything else is no answer. Must never turn something unclear into a yes.

import { type AccessTokenClaims, type ErrorCode, errors, SymbolonError } from '@symbolon/protocol'
import type { LiveAnswer, LiveClient, LiveQuestion, LiveSession } from '../source.ts'
import type { Introspected } from './introspection.ts'

const strings = (value: unknown): readonly string[] => (Array.isArray(value) ? value.filter((one) => typeof one === 'string') : [])
const words = (value: unknown): readonly string[] => (typeof value === 'string' && value !== '' ? value.split(' ') : [])
const unclear = (detail: string) => new SymbolonError('try_later', { detail, retryAfter: 1 })

/** The session that claims, or an answer, tell of; `undefined` when there is none. */
export function sessionOf(claims: Introspected): LiveSession | undefined {
  const { sub, sid, client_id, epoch, client_epoch, auth_time, acr } = claims
  if (typeof sub !== 'string' || typeof sid !== 'string' || typeof client_id !== 'string' || typeof epoch !== 'number') return undefined
  return {
    sub,
    sid,
    clientId: client_id,
    epoch,
    clientEpoch: Number(client_epoch),
    roles: strings(claims.roles),
    scope: words(claims.scope),
    authTime: Number(auth_time),
    acr: String(acr ?? ''),
    amr: strings(claims.amr),
  }
}

/** The client that an answer about its own token tells of (RFC 9068 §2.2: its subject is itself). */
function clientOf({ sub, sid, client_id, client_epoch, scope }: Introspected): LiveClient | undefined {
  if (typeof client_id !== 'string' || sub !== client_id || sid !== undefined || typeof client_epoch !== 'number') return undefined
  return { clientId: client_id, clientEpoch: client_epoch, scope: words(scope) }
}

/** The claims in an answer about a token that nobody here can read. */
export function claimsIn({ active: _, token_type: __, ...claims }: Introspected): AccessTokenClaims {
  return Object.freeze(claims) as AccessTokenClaims
}

/** The code of a refusal that may be passed on. RFC 7662 §2.2 gives no reason: without one, the token was revoked. */
function codeOf(code: unknown): ErrorCode {
  if (typeof code !== 'string' || !Object.hasOwn(errors, code)) return 'token_revoked'
  const { status } = errors[code as ErrorCode]
  if (status >= 500) throw unclear('the issuer could not decide about the token')
  return status === 401 || status === 403 ? (code as ErrorCode) : 'token_revoked'
}

/** Reads an answer to a question about a token. Throws `try_later` when it is about another one, or unclear. */
export function liveAnswerOf(
  answer: Introspected,
  question: LiveQuestion & { readonly by: 'token' | 'opaque' },
  audience: string,
): LiveAnswer {
  if (answer.active === false) return { active: false, code: codeOf(answer.code) }
  if (answer.active !== true) throw unclear('introspection answered neither yes nor no')
  const session = sessionOf(answer)
  const client = session === undefined ? clientOf(answer) : undefined
  if (question.by === 'token') {
    const { claims } = question
    const same =
      answer.sub === claims.sub &&
      answer.sid === claims.sid &&
      answer.client_id === claims.client_id &&
      (answer.jti === undefined || answer.jti === claims.jti)
    if (!same) throw unclear('introspection answered about another token')
  } else if (answer.aud !== audience && !(Array.isArray(answer.aud) && answer.aud.length === 1 && answer.aud[0] === audience)) {
    // Nobody here has read the token: whose it is, is in the answer or nowhere.
    return { active: false, code: 'invalid_token' }
  }
  const read = question.by === 'opaque' ? { claims: claimsIn(answer) } : {}
  if (session !== undefined) return { active: true, session, ...read }
  if (client !== undefined) return { active: true, client, ...read }
  throw unclear('introspection answered about neither a session nor a client')
}
