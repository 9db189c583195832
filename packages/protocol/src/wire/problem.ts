// Errors on the wire: RFC 9457 problem details with our `code`, and the WWW-Authenticate challenge that
// RFC 6750 §3 and RFC 9470 §3 ask for. Only public text goes out.

import { type ErrorCode, type ErrorOptions, errors } from '../errors.ts'

/** A problem details body (RFC 9457 §3.1) with our code. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly field?: string
  /** With `captcha_required`: what is to be answered. */
  readonly challenge?: Readonly<Record<string, unknown>>
}

/** The body for an error. */
export function problemOf(code: ErrorCode, options: ErrorOptions = {}): Problem {
  const { status, text } = errors[code]
  const problem: Problem = { type: `urn:symbolon:error:${code}`, title: text, status, code }
  const { field, challenge } = options
  return { ...problem, ...(field !== undefined && { field }), ...(challenge !== undefined && { challenge }) }
}

/** The headers of an error answer, names in lower case; `WWW-Authenticate` with every 401. */
export function problemHeaders(code: ErrorCode, options: ErrorOptions = {}): Record<string, string> {
  const headers: Record<string, string> = { 'content-type': 'application/problem+json', 'cache-control': 'no-store' }
  const { status, text, challenge } = errors[code]
  if (status === 401 || challenge !== undefined) {
    const parts = ['Bearer realm="symbolon"']
    if (challenge !== undefined) parts.push(`error="${challenge}"`, `error_description="${text}"`, `error_code="${code}"`)
    if (options.acrValues !== undefined && options.acrValues.length > 0) parts.push(`acr_values="${options.acrValues.join(' ')}"`)
    if (options.maxAge !== undefined) parts.push(`max_age="${options.maxAge}"`)
    if (options.scope !== undefined) parts.push(`scope="${options.scope}"`)
    headers['www-authenticate'] = parts.join(', ')
  }
  if (options.retryAfter !== undefined) headers['retry-after'] = String(Math.max(1, Math.ceil(options.retryAfter)))
  return headers
}
