// The one rule that keeps other sites from using our cookies: an unsafe request that carries one passes only
// if every header that is there agrees. Used by the service and by every guard, so that they cannot differ.

const safe: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE'])

/** What the rule looks at. */
export interface CrossSiteQuestion {
  readonly method: string
  /** The `Origin` header. */
  readonly origin: string | undefined
  /** The `Sec-Fetch-Site` header (Fetch Metadata §2.1). */
  readonly fetchSite: string | undefined
  /** Our own origin. */
  readonly own: string
  /** Foreign origins that are listed, exactly as they stand in `Origin`. */
  readonly listed: readonly string[]
}

/** Whether a method changes nothing (RFC 9110 §9.2.1). */
export function isSafeMethod(method: string): boolean {
  return safe.has(method)
}

/**
 * Whether a request that carries one of our cookies comes from ourselves or a listed origin.
 * `Origin: null` never does; neither header there: refused; safe methods always pass.
 */
export function isSameSite(question: CrossSiteQuestion): boolean {
  if (isSafeMethod(question.method)) return true
  const { origin, fetchSite } = question
  if (origin === undefined && fetchSite === undefined) return false
  const foreign = origin !== undefined && origin !== question.own
  if (foreign && (origin === 'null' || !question.listed.includes(origin))) return false
  return fetchSite === undefined || foreign || fetchSite === 'same-origin'
}

/**
 * Whether a host is this machine, by a name that nobody else can have. What any other name leads to may change while a page of
 * it is open (DNS rebinding), and that page reads what it gets.
 */
export const isLoopbackHost = (host: string): boolean => /^(?:localhost|127\.0\.0\.1|\[::1\])(?::\d{1,5})?$/i.test(host)
