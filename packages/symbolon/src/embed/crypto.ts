// Core's cryptography on node:crypto. Every key is derived from a server secret for one purpose (HKDF, RFC 5869); the
// first secret is the active one, the others only open what they sealed. Secrets never leave this file.

import { createCipheriv, createDecipheriv, createHmac, hash, hkdfSync, randomFillSync, randomInt, timingSafeEqual } from 'node:crypto'
import type { Crypto } from '#core'

/** version ‖ secret id (8) ‖ iv (12) ‖ ciphertext ‖ tag (16). */
const version = 1
const head = 1 + 8 + 12

const bytesOf = (data: string | Uint8Array) => (typeof data === 'string' ? Buffer.from(data, 'utf8') : data)

interface Secret {
  readonly id: Buffer
  readonly derive: (purpose: string) => Buffer
}

function secretOf(text: string): Secret {
  const keys = new Map<string, Buffer>()
  const derive = (purpose: string) => {
    let key = keys.get(purpose)
    if (key === undefined) {
      key = Buffer.from(hkdfSync('sha256', text, 'symbolon', `symbolon v1 ${purpose}`, 32))
      keys.set(purpose, key)
    }
    return key
  }
  return { id: derive('secret id').subarray(0, 8), derive }
}

/** Random bytes from a pool: one system call for many ids. */
function createRandom() {
  const pool = new Uint8Array(4096)
  let at = pool.length
  return (bytes: number): Uint8Array => {
    if (bytes > 256) return randomFillSync(new Uint8Array(bytes))
    if (at + bytes > pool.length) {
      randomFillSync(pool)
      at = 0
    }
    const taken = pool.slice(at, at + bytes)
    pool.fill(0, at, at + bytes)
    at += bytes
    return taken
  }
}

/** Creates the crypto port; `secrets` newest first, each at least 32 bytes. */
export function createCrypto(secrets: readonly string[]): Crypto {
  const known = secrets.map(secretOf)
  const active = known[0]
  if (active === undefined) throw new TypeError('createCrypto needs a secret.')
  const random = createRandom()

  return {
    hmac: (key, data) => createHmac('sha256', key).update(data).digest(),
    hash: (data) => hash('sha256', data, 'buffer'),
    seal(plain, associated) {
      const iv = random(12)
      const cipher = createCipheriv('aes-256-gcm', active.derive('seal'), iv)
      cipher.setAAD(Buffer.from(associated, 'utf8'))
      const text = Buffer.concat([cipher.update(bytesOf(plain)), cipher.final()])
      // Memory of its own, not a slice of Node's pool: it goes to another thread.
      return new Uint8Array(Buffer.concat([Uint8Array.of(version), active.id, iv, text, cipher.getAuthTag()]))
    },
    open(sealed, associated) {
      if (sealed.length < head + 16 || sealed[0] !== version) return undefined
      const id = Buffer.from(sealed.buffer, sealed.byteOffset + 1, 8)
      const secret = known.find((one) => one.id.equals(id))
      if (secret === undefined) return undefined
      const decipher = createDecipheriv('aes-256-gcm', secret.derive('seal'), sealed.subarray(9, head), { authTagLength: 16 })
      decipher.setAAD(Buffer.from(associated, 'utf8'))
      decipher.setAuthTag(sealed.subarray(sealed.length - 16))
      try {
        return Buffer.concat([decipher.update(sealed.subarray(head, sealed.length - 16)), decipher.final()])
      } catch {
        return undefined
      }
    },
    secretIds: known.map(({ id }) => id.toString('hex')),
    keyed: (purpose, data) =>
      known.map((secret) =>
        createHmac('sha256', secret.derive(`keyed ${purpose}`))
          .update(data)
          .digest(),
      ),
    equal: (a, b) => a.length === b.length && timingSafeEqual(a, b),
    random,
    randomBelow: (below) => randomInt(below),
  }
}
