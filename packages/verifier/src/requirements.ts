// What a route asks for beside its level, and which refusal says what is missing (RFC 6750 §3.1, RFC 9470 §3).

import { type ErrorCode, type ErrorOptions, milliseconds } from '@symbolon/protocol'
import type { Auth, Requirement } from './auth.ts'

/** A refusal and what its challenge says. */
export interface Missing {
  readonly code: ErrorCode
  readonly options?: ErrorOptions
}

/** Checks who is calling against a requirement; `now` in milliseconds since 1970. */
export type Check = (auth: Auth, now: number) => Missing | undefined

const list = (value: string | readonly string[] | undefined): readonly string[] =>
  value === undefined ? [] : typeof value === 'string' ? value.split(' ').filter((one) => one !== '') : value

/** Reads a requirement once; the check does no more than compare. Throws a TypeError for a duration that is none. */
export function createCheck(requirement: Requirement): Check {
  const subject = requirement.subject ?? 'user'
  const scope = list(requirement.scope)
  const acr = typeof requirement.acr === 'string' ? [requirement.acr] : (requirement.acr ?? [])
  const amr = requirement.amr ?? []
  const roles = requirement.roles ?? []
  const maxAge = requirement.maxAuthAge === undefined ? undefined : Math.floor(milliseconds(requirement.maxAuthAge) / 1000)
  const stepUp: Missing = {
    code: 'step_up_required',
    options: { ...(acr.length > 0 && { acrValues: acr }), ...(maxAge !== undefined && { maxAge }) },
  }

  return (auth, now) => {
    if (subject !== 'any' && auth.kind !== subject) return { code: auth.kind === 'client' ? 'session_required' : 'invalid_token' }
    for (const one of scope) if (!auth.scope.includes(one)) return { code: 'insufficient_scope', options: { scope: scope.join(' ') } }
    if (roles.length > 0 && !roles.some((role) => auth.roles.includes(role))) return { code: 'insufficient_role' }
    if (acr.length === 0 && amr.length === 0 && maxAge === undefined) return undefined
    if (auth.kind === 'client') return { code: 'session_required' }
    if (acr.length > 0 && !acr.includes(auth.acr)) return stepUp
    for (const one of amr) if (!auth.amr.includes(one)) return stepUp
    if (maxAge !== undefined && now / 1000 - auth.authTime > maxAge) return stepUp
    return undefined
  }
}
