// Cookie names and the one reader of the Cookie header (RFC 6265 §5.4). Names carry `__Host-`, so that no
// sibling host can plant one; only development on plain http goes without. Two cookies of our name are a conflict:
// which one is the owner's cannot be known.

/** What a cookie of ours holds. */
export type CookieName = 'session' | 'login' | 'token' | 'device' | 'link' | 'later'

const names: Readonly<Record<CookieName, string>> = {
  session: 'symbolon',
  login: 'symbolon-login',
  token: 'symbolon-token',
  device: 'symbolon-device',
  link: 'symbolon-link',
  later: 'symbolon-later',
}

/** The cookie's name on the wire; `secure` false only in development on plain-http loopback. */
export function cookieName(name: CookieName, secure: boolean): string {
  return secure ? `__Host-${names[name]}` : names[name]
}

/** The values of our cookies in a Cookie header; `'conflict'` when one of our names stands there twice. */
export type OurCookies = Readonly<Partial<Record<CookieName, string>>>

/**
 * Without the spaces and tabs around it, as browsers read a name (RFC 6265 §5.2), and nothing more: to a browser `\u00a0__Host-x`
 * is no name with a prefix, and a sibling host may set it.
 */
export const trimCookie = (text: string): string => text.replace(/^[ \t]+|[ \t]+$/g, '')

/** Reads our cookies from a Cookie header. */
export function readCookies(header: string | undefined, secure: boolean): OurCookies | 'conflict' {
  if (header === undefined || !header.includes('symbolon')) return none
  const found: Partial<Record<CookieName, string>> = {}
  for (const part of header.split(';')) {
    const equals = part.indexOf('=')
    if (equals < 0) continue
    const wireName = trimCookie(part.slice(0, equals))
    for (const name of cookieNames) {
      if (wireName !== cookieName(name, secure)) continue
      if (found[name] !== undefined) return 'conflict'
      found[name] = trimCookie(part.slice(equals + 1))
    }
  }
  return found
}

const none: OurCookies = Object.freeze({})
const cookieNames = Object.keys(names) as readonly CookieName[]

/** A Set-Cookie value (HttpOnly, SameSite=Lax, Path=/). `maxAge` in seconds; 0 clears; left out: until the browser closes. */
export function setCookie(name: CookieName, value: string, options: { readonly secure: boolean; readonly maxAge?: number }): string {
  const age = options.maxAge === undefined ? '' : `; Max-Age=${Math.floor(options.maxAge)}`
  return `${cookieName(name, options.secure)}=${value}; Path=/; HttpOnly; SameSite=Lax${age}${options.secure ? '; Secure' : ''}`
}
