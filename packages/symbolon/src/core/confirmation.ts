// A confirmation: what shows, once, that the person behind a session proved who they are for exactly one act. Made with the
// session's own key, as its credentials are: it can be made from neither the database nor the server secrets alone, fits no
// other session, and is worth nothing once its session ended. Nothing is stored of it but that it was used.

import { fromBase64url, isSid, toBase64url } from '@symbolon/protocol'
import type { Confirmed, Refused } from './api.ts'
import { openSessionKey } from './credential.ts'
import { actionText, isAction } from './login/action.ts'
import type { Action, Client, ClientPolicy } from './model.ts'
import type { Ports, SessionSnapshot } from './ports.ts'
import { deadBecause, refuse } from './session.ts'

const shape = /^sya_([A-Za-z0-9_-]{22})\.([1-9]\d{9})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{1,140})\.([A-Za-z0-9_-]{32})$/

interface Place {
  readonly sid: string
  /** Seconds since 1970. */
  readonly expires: number
  readonly nonce: string
  /** The level that was proven for it. */
  readonly acr: string
  /** The act in its written form. */
  readonly action: string
}

/** Creates what makes and takes confirmations. */
export function createConfirmations({ store, crypto }: Pick<Ports, 'store' | 'crypto'>, policyOf: (client: Client) => ClientPolicy) {
  const macOf = (key: Uint8Array, { sid, expires, nonce, acr, action }: Place) =>
    crypto.hmac(key, `symbolon confirmation v1\n${sid}\n${expires}\n${nonce}\n${acr}\n${action}`).subarray(0, 24)

  return {
    /** For an act in its written form, from the session as it was just raised. `expiresAt` in milliseconds since 1970. */
    make({ session, client, now }: SessionSnapshot, key: Uint8Array, action: string) {
      const expires = Math.floor((now + policyOf(client).confirmationLifetime) / 1000)
      const place = { sid: session.sid, expires, nonce: toBase64url(crypto.random(16)), acr: session.acr, action }
      return {
        text: `sya_${place.sid}.${expires}.${place.nonce}.${toBase64url(letters(place.acr))}.${toBase64url(macOf(key, place))}`,
        expiresAt: expires * 1000,
      }
    },

    /**
     * Takes one for this act of this session, once. What fits nothing uses nothing up. `caller`: a client of its own, which is
     * told only of sessions whose tokens are for it; null for the service's own process.
     */
    async consume(text: string, sid: string, action: Action, caller: Client | null, audience: string): Promise<Confirmed | Refused> {
      const match = shape.exec(text.length > 300 ? '' : text)
      const mac = match === null ? undefined : fromBase64url(match[5] as string)
      const level = match === null ? undefined : fromBase64url(match[4] as string)
      if (match === null || mac === undefined || level === undefined || match[1] !== sid || !isSid(sid) || !isAction(action))
        return refuse('confirmation_refused')
      const snapshot = await store.sessions.find(sid)
      if (snapshot === undefined) return refuse('confirmation_refused')
      const { session, user, client, now } = snapshot
      if (caller !== null && !caller.audiences.includes(client.audiences[0] ?? audience)) return refuse('confirmation_refused')
      const key = openSessionKey(crypto, session)
      const place = {
        sid,
        expires: Number(match[2]),
        nonce: match[3] as string,
        acr: String.fromCharCode(...level),
        action: actionText(action),
      }
      if (key === undefined || !crypto.equal(macOf(key, place), mac)) return refuse('confirmation_refused')
      if (deadBecause(snapshot, policyOf(client)) !== undefined || now >= place.expires * 1000) return refuse('confirmation_refused')
      // Committed before anybody is told: of two who come at once, one is too late.
      const used = toBase64url(crypto.hash(`confirmation\n${sid}\n${place.nonce}`))
      if (!(await store.limits.once(used, place.expires * 1000))) return refuse('confirmation_refused')
      const detail = { action: action.type, by: caller?.id ?? 'service' }
      await store.audit.write([{ event: 'session.confirmed', userId: user.id, sid, clientId: client.id, ip: null, detail }])
      return { ok: true, sid, userId: user.id, clientId: client.id, acr: place.acr, action }
    },
  }
}

/** A class is ASCII: its letters are its bytes. */
const letters = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))
