// The device cookie: it remembers that somebody signed in to an account on this device, and grants one thing, a budget
// of its own. `<id>.<mac>` for each account, three at most, joined by `~`; worthless for any other account.

import { fromBase64url, toBase64url } from '@symbolon/protocol'
import type { Crypto } from './ports.ts'

const entry = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{32})$/
const most = 3

const entries = (cookie: string | null) =>
  (cookie ?? '')
    .slice(0, 400)
    .split('~')
    .slice(0, most)
    .map((text) => entry.exec(text))
    .filter((match) => match !== null)

function isFor(crypto: Crypto, id: string, mac: string, account: string): boolean {
  const bytes = fromBase64url(mac) ?? new Uint8Array(24)
  return crypto.keyed('device', `${id}\n${account}`).some((key) => crypto.equal(key.subarray(0, 24), bytes))
}

/** The id of a device known to an account; null when it is not. */
export function knownDevice(crypto: Crypto, cookie: string | null, account: string): string | null {
  return entries(cookie).find((match) => isFor(crypto, match[1] as string, match[2] as string, account))?.[1] ?? null
}

/** The cookie after a sign-in to this account: its entry first, those of other accounts behind it. */
export function rememberDevice(crypto: Crypto, cookie: string | null, account: string): string {
  const known = knownDevice(crypto, cookie, account)
  const id = known ?? toBase64url(crypto.random(16))
  const mac = toBase64url((crypto.keyed('device', `${id}\n${account}`)[0] as Uint8Array).subarray(0, 24))
  const others = entries(cookie).filter((match) => match[1] !== id)
  return [`${id}.${mac}`, ...others.map((match) => match[0])].slice(0, most).join('~')
}
