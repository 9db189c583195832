// A store under test, new for each test, on a clock of its own, and the records that its suites put into it.

import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, expect } from 'vitest'
import type { Client, NewAttempt, OpenSession, Rotation, Store } from '#core'

/** An open store under test. */
export interface StoreUnderTest {
  readonly store: Store
  /** Closes and opens the same data again. */
  reopen(): Promise<void>
  close(): Promise<void>
}

/** A new id. */
export const id = () => randomBytes(16).toString('base64url')
/** Bytes as text: drivers give them in different classes. */
export const plain = (value: unknown) =>
  JSON.parse(
    JSON.stringify(value, (_, one) => {
      if (one?.type === 'Buffer') return Buffer.from(one.data).toString('hex')
      return one instanceof Uint8Array ? Buffer.from(one).toString('hex') : one
    }),
  )
export const hour = 3_600_000
/** Makes a call for each, six at a time: more cannot run in a database at once, and none waits for a connection until it is refused. */
export async function sixAtOnce<T, R>(all: readonly T[], call: (one: T, at: number) => Promise<R>): Promise<R[]> {
  const line = all.entries()
  const results: R[] = []
  const work = async () => {
    for (const [at, one] of line) results[at] = await call(one, at)
  }
  await Promise.all(Array.from({ length: 6 }, work))
  return results
}

/** Sweeps until so many are gone: a call that is refused is answered a moment before its rows are let go, and a sweep leaves out what is held. */
export async function expectSwept(count: number, sweep: () => Promise<number>): Promise<void> {
  let gone = 0
  await expect
    .poll(async () => {
      gone += await sweep()
      return gone
    })
    .toBe(count)
}

/** A client as it is put. */
export const client = (name: string, change: Partial<Client> = {}): Parameters<Store['clients']['put']>[0] => ({
  id: name,
  name,
  transport: 'native',
  status: 'active',
  origins: [],
  returnTo: [],
  secretHashes: [],
  scopes: [],
  keys: [],
  accessTokenFormat: 'jwt',
  audiences: [],
  policy: {},
  ...change,
})
/** A sign-in. */
export const sign = (change: Partial<OpenSession> = {}, session: Partial<OpenSession['session']> = {}): OpenSession => ({
  session: {
    sid: id(),
    kind: 'token',
    parent: null,
    clientId: 'app',
    acr: 'a',
    amr: ['otp'],
    idle: hour,
    absolute: 10 * hour,
    ip: null,
    userAgent: null,
    binding: null,
    credentialHash: randomBytes(32),
    sealedKey: randomBytes(61),
    ...session,
  },
  attempt: null,
  user: { email: 'ada@example.com', create: { id: `usr_${id()}`, roles: ['member'] } },
  maxSessions: 0,
  onLimit: 'deny',
  replaces: null,
  audit: [],
  ...change,
})
/** Opens a store for each test of the block it is called in. `time`: the store's clock, which tests move. */
export function setStore(open: (clock: () => number) => Promise<StoreUnderTest>) {
  const set = { time: 0 } as { time: number; under: StoreUnderTest }
  beforeEach(async () => {
    set.time = 1_800_000_000_000
    set.under = await open(() => set.time)
    await set.under.store.clients.put(client('app', { name: 'App', transport: 'cookie' }), null, [])
  })
  afterEach(() => set.under.close())

  const opened = async (change: Partial<OpenSession> = {}, session: Partial<OpenSession['session']> = {}) => {
    const outcome = await set.under.store.sessions.open(sign(change, session))
    if (outcome.outcome !== 'opened') throw new Error(outcome.outcome)
    return outcome
  }
  const rotation = (sid: string, from: number, change: Partial<Rotation> = {}): Rotation => ({
    sid,
    from,
    userEpoch: 1,
    clientEpoch: 1,
    credentialHash: randomBytes(32),
    as: 'rotated',
    active: true,
    audit: [],
    ...change,
  })
  const attempt = (change: Partial<NewAttempt> = {}): NewAttempt => ({
    idHash: id(),
    clientId: 'app',
    purpose: 'sign_in',
    method: 'email_otp',
    sealedIdentifier: randomBytes(40),
    bindingHash: null,
    codeHash: randomBytes(32),
    maxTries: 5,
    lifetime: 600_000,
    resendAfter: 30_000,
    ...change,
  })
  const find = async (sid: string) => {
    const found = await set.under.store.sessions.find(sid)
    if (found === undefined) throw new Error('no session')
    return found
  }
  return Object.assign(set, { sign, opened, rotation, attempt, find })
}
