// An attempt as the machine holds it: found by its secret and for its browser, its sealed half opened, its code and link
// bound to it. What is found here has been proven by nothing yet.

import { fromBase64url, SymbolonError, toBase64url } from '@symbolon/protocol'
import type { Clients, LoginState } from '../api.ts'
import { email } from '../factors/email.ts'
import type { CorePorts, Factor } from '../factors/factor.ts'
import type { Attempt, Client } from '../model.ts'
import { sealPlace } from '../seal-place.ts'

/** An attempt under way, its client, the factor whose answer is waited for, and what stood sealed in it. */
export interface Found {
  readonly idHash: string
  readonly attempt: Attempt & { readonly state: LoginState }
  readonly client: Client
  readonly factor: Factor
  /** What it began with, or the mail address that its person was known by; empty where nobody was named. */
  readonly identifier: string
  /** What is kept for the next answer: of a challenge, of a key that was made, or where something was sent that is not the identifier; else empty. */
  readonly kept: string
  /** What the browser was asked; null when it was not. */
  readonly options: unknown
  /** From where a mail with a link was asked for first; null where that is not known. */
  readonly linkFrom: string | null
  /** Whether it was found by its link. */
  readonly byLink: boolean
  /** The store's time of the read. */
  readonly now: number
}

/** The attempts of a service. */
export type Attempts = ReturnType<typeof createAttempts>

const secret = /^[A-Za-z0-9_-]{43}$/
const isLine = /^[\x20-\x7e]*$/
const isAddress = /^[0-9a-f:.]{2,45}$/i
const browserId = /^[A-Za-z0-9_-]{22}$/

/** Whether this is a login cookie as a door makes it. */
export const isBrowserId = (text: string | null): text is string => text !== null && browserId.test(text)

/** Creates what finds and makes attempts. */
export function createAttempts(ports: CorePorts, clients: Pick<Clients, 'find'>) {
  const { store, crypto } = ports
  const factors: readonly Factor[] = [email, ...(ports.factors ?? [])]
  const hashOf = (text: string) => toBase64url(crypto.hash(text))
  const linkHashes = (idHash: string, token: string) => crypto.keyed('login link', `${idHash}\n${token}`)
  const newSecret = () => toBase64url(crypto.random(32))

  const found = async (idHash: string): Promise<Found | undefined> => {
    const row = await store.attempts.find(idHash)
    if (row === undefined || row.attempt.consumedAt !== null || row.now >= row.attempt.endsAt) return undefined
    const { attempt, now } = row
    const { state } = attempt
    // What is begun by who is signed in already is no sign-in, and no step-up.
    if (state === 'address' || attempt.purpose === 'enrol' || attempt.purpose === 'change_email') return undefined
    const factor = factors.find((one) => one.method === attempt.method)
    const client = await clients.find(attempt.clientId)
    const bytes = crypto.open(attempt.sealedIdentifier, sealPlace('attempt', idHash))
    if (factor === undefined || client === undefined || client.status !== 'active' || bytes === undefined) return undefined
    let plain = ''
    for (const byte of bytes) plain += String.fromCharCode(byte)
    const [identifier = '', kept = '', options = 'null', linkFrom = ''] = plain.split('\n')
    return {
      idHash,
      attempt: { ...attempt, state },
      client,
      factor,
      identifier,
      kept,
      options: JSON.parse(options),
      linkFrom: linkFrom === '' ? null : linkFrom,
      byLink: false,
      now,
    }
  }
  /** Whether the browser is the one that it was started in. A client without cookies has none. */
  const isHere = ({ bindingHash }: Attempt, browser: string | null) =>
    bindingHash === null || crypto.equal(crypto.hash(isBrowserId(browser) ? browser : ''), fromBase64url(bindingHash) ?? new Uint8Array())

  return {
    factors,
    hashOf,
    isHere,
    newSecret,
    /** Bound to attempt, address, purpose and browser: a code fits nowhere else. */
    codeHashes: ({ idHash, to, purpose, bindingHash }: CodePlace, code: string) =>
      crypto.keyed('login code', `${idHash}\n${to}\n${purpose}\n${bindingHash ?? ''}\n${code}`),
    /** A new token for a link: it names the attempt, and 256 bits behind that prove it. Only a hash is kept, bound to the attempt. */
    newLink(idHash: string) {
      const token = newSecret()
      return { token: idHash + token, hash: toBase64url(linkHashes(idHash, token)[0] as Uint8Array) }
    },
    /** What stands sealed in an attempt: lines of ASCII. Nodes before the link's origin stood there read the first three. */
    seal(idHash: string, identifier: string, { kept = '', options = null, linkFrom = null }: Sealed = {}) {
      const lines = [identifier, kept, ascii(options), isAddress.test(linkFrom ?? '') ? linkFrom : '']
      if (!lines.every((line) => isLine.test(line ?? '')))
        throw new SymbolonError('internal', { detail: 'a factor gave an identifier, an address or a state that is no line of ASCII' })
      return crypto.seal(lines.join('\n'), sealPlace('attempt', idHash))
    },
    /** The attempt behind a login id, for the browser it was started in. */
    async find(id: string, browser: string | null): Promise<Found | undefined> {
      if (!secret.test(id)) return undefined
      const one = await found(hashOf(id))
      return one !== undefined && isHere(one.attempt, browser) ? one : undefined
    },
    /** The attempt behind a link's token, wherever it was opened. */
    async findByLink(token: string): Promise<Found | undefined> {
      const [idHash, rest] = [token.slice(0, 43), token.slice(43)]
      if (!secret.test(idHash) || !secret.test(rest)) return undefined
      const one = await found(idHash)
      const held = fromBase64url(one?.attempt.linkHash ?? '') ?? new Uint8Array()
      const right = linkHashes(idHash, rest).map((hash) => crypto.equal(hash, held))
      if (one === undefined || !right.includes(true)) return undefined
      // Out of tries: whoever guessed them away has ended the link too.
      if (one.attempt.state === 'verify' && one.attempt.tries >= one.attempt.maxTries) return undefined
      return { ...one, byLink: true }
    },
  }
}

/** JSON in ASCII, so that a byte is a letter. */
export const ascii = (value: unknown): string =>
  JSON.stringify(value).replace(/[\u007f-\uffff]/g, (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`)

type CodePlace = Pick<Attempt, 'idHash' | 'purpose' | 'bindingHash'> & { readonly to: string }
type Sealed = Partial<Pick<Found, 'kept' | 'options' | 'linkFrom'>>

/** Where the message of an attempt went that waits for its code. */
export const sentTo = ({ kept, identifier }: Pick<Found, 'kept' | 'identifier'>): string => (kept === '' ? identifier : kept)
