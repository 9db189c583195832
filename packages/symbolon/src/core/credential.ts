// Credentials of a session: how they are written, read and made. They are computed from the session key, so that an
// answer that got lost can be given again. Nothing here is stored but the sealed key and a hash.

import { fromBase64url, isSid, toBase64url } from '@symbolon/protocol'
import type { Session, SessionKind } from './model.ts'
import type { Crypto } from './ports.ts'
import { sealPlace } from './seal-place.ts'

const prefixes: Readonly<Record<SessionKind, string>> = { cookie: 'syc_', token: 'syt_', grant: 'syg_' }
const kinds: Readonly<Record<string, SessionKind>> = { syc_: 'cookie', syt_: 'token', syg_: 'grant' }
const shape = /^(sy[ctg]_)([A-Za-z0-9_-]{22})\.([1-9]\d{0,8})\.([A-Za-z0-9_-]{32})$/

/** What stands in a credential. `mac` is not yet checked. */
export interface Credential {
  readonly kind: SessionKind
  readonly sid: string
  /** n: the generation it belongs to. */
  readonly generation: number
  readonly mac: Uint8Array
}

/** Reads a credential; `undefined` unless it is spelled in its one canonical way (at most 79 letters). */
export function parseCredential(text: string): Credential | undefined {
  if (text.length > 79) return undefined
  const match = shape.exec(text)
  const kind = match === null ? undefined : kinds[match[1] as string]
  const mac = match === null ? undefined : fromBase64url(match[4] as string)
  if (match === null || kind === undefined || mac === undefined || !isSid(match[2] as string)) return undefined
  return { kind, sid: match[2] as string, generation: Number(match[3]), mac }
}

/** 192 bits that only the session key can make; the parts cannot run into each other, since none holds a line break. */
function macOf(crypto: Crypto, key: Uint8Array, kind: SessionKind, sid: string, generation: number): Uint8Array {
  return crypto.hmac(key, `symbolon credential v1\n${kind}\n${sid}\n${generation}`).subarray(0, 24)
}

/** The credential of one generation. */
export function credentialOf(crypto: Crypto, key: Uint8Array, kind: SessionKind, sid: string, generation: number): string {
  return `${prefixes[kind]}${sid}.${generation}.${toBase64url(macOf(crypto, key, kind, sid, generation))}`
}

/** Whether a credential was made with this session key. */
export function isGenuine(crypto: Crypto, key: Uint8Array, credential: Credential): boolean {
  return crypto.equal(macOf(crypto, key, credential.kind, credential.sid, credential.generation), credential.mac)
}

/** Opens a session's key; `undefined` when its server secret is not here or the row was tampered with. */
export function openSessionKey(crypto: Crypto, session: Pick<Session, 'sealedKey' | 'kind' | 'sid'>): Uint8Array | undefined {
  return crypto.open(session.sealedKey, sealPlace('session', session.sid, session.kind))
}

/** A new session's id, its first credential, and what the row holds of it. */
export interface NewCredential {
  readonly sid: string
  readonly credential: string
  readonly credentialHash: Uint8Array
  readonly sealedKey: Uint8Array
}

/** Makes a session id, its key, and the credential of generation 1. */
export function newCredential(crypto: Crypto, kind: SessionKind): NewCredential {
  const sid = toBase64url(crypto.random(16))
  const key = crypto.random(32)
  const credential = credentialOf(crypto, key, kind, sid, 1)
  return { sid, credential, credentialHash: crypto.hash(credential), sealedKey: crypto.seal(key, sealPlace('session', sid, kind)) }
}
