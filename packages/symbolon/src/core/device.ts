// The device cookie: it remembers that somebody signed in to an account on this device, and grants one thing, a budget
// of its own. `<id>.<mac>.<owner>` for each account, three at most, joined by `~`; worthless for any other account. `mac` is of
// the address, which is all that is known of who begins to sign in; `owner` of the user, whom the address may leave for another.

import { fromBase64url, toBase64url } from '@symbolon/protocol'
import type { User } from './model.ts'
import type { Crypto } from './ports.ts'

/** Entries of before have no owner. */
const entry = /^([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{32})(?:\.([A-Za-z0-9_-]{16}))?$/
const most = 3
const macBytes = 24
const ownerBytes = 12

const entries = (cookie: string | null) =>
  (cookie ?? '')
    .slice(0, 400)
    .split('~')
    .slice(0, most)
    .map((text) => entry.exec(text))
    .filter((match) => match !== null)

const ofAddress = (id: string, address: string) => `${id}\n${address}`
const ofOwner = (id: string, userId: string) => `owner\n${id}\n${userId}`
const macOf = (crypto: Crypto, text: string, length: number) =>
  toBase64url((crypto.keyed('device', text)[0] as Uint8Array).subarray(0, length))

function isFor(crypto: Crypto, text: string, mac: string, length: number): boolean {
  const bytes = fromBase64url(mac) ?? new Uint8Array(length)
  return crypto.keyed('device', text).some((key) => crypto.equal(key.subarray(0, length), bytes))
}

const entryFor = (crypto: Crypto, cookie: string | null, address: string) =>
  entries(cookie).find((match) => isFor(crypto, ofAddress(match[1] as string, address), match[2] as string, macBytes))

/** The id of a device known to an address; null when it is not. */
export function knownDevice(crypto: Crypto, cookie: string | null, address: string): string | null {
  return entryFor(crypto, cookie, address)?.[1] ?? null
}

/** Whether this very user signed in on the device before, not somebody who had the address earlier. */
export function isOwnDevice(crypto: Crypto, cookie: string | null, { id, email }: Pick<User, 'id' | 'email'>): boolean {
  const found = entryFor(crypto, cookie, email)
  const owner = found?.[3]
  return owner !== undefined && isFor(crypto, ofOwner(found?.[1] as string, id), owner, ownerBytes)
}

/** The cookie after a sign-in of this user: its entry first, those of other accounts behind it. */
export function rememberDevice(crypto: Crypto, cookie: string | null, user: Pick<User, 'id' | 'email'>): string {
  const id = knownDevice(crypto, cookie, user.email) ?? toBase64url(crypto.random(16))
  const mac = macOf(crypto, ofAddress(id, user.email), macBytes)
  const owner = macOf(crypto, ofOwner(id, user.id), ownerBytes)
  const others = entries(cookie).filter((match) => match[1] !== id)
  return [`${id}.${mac}.${owner}`, ...others.map((match) => match[0])].slice(0, most).join('~')
}
