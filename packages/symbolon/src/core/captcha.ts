// Before something costly is sent to somebody who only typed an address: whoever asks shows that they are no flood. By a
// proof of work of our own, or by what an operator trusts (a CAPTCHA service). Not for who is signed in. It raises the price of
// a flood and proves nothing about anybody; what bounds guessing and mail are the budgets, which are spent all the same.

import { toBase64url } from '@symbolon/protocol'
import type { Captcha } from './captcha-ports.ts'
import type { ClientPolicy } from './model.ts'
import type { Clock, Crypto, Store } from './ports.ts'

/** How long an answer may take its caller. Milliseconds. */
const patience = 300_000
/** Zero bits in front of a right answer's SHA-256: 65,536 tries on average, about a second in a browser. */
const bits = 16
const shape = /^(\d{13})\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})\.(\d{1,12})$/

/** As Hashcash has it: a challenge that nobody keeps, with a MAC of ours; a number that makes its hash begin with zeros; used once. */
export function createProofOfWork({ store, crypto }: { readonly store: Pick<Store, 'now' | 'limits'>; readonly crypto: Crypto }): Captcha {
  const macsOf = (clientId: string, challenge: string) => crypto.keyed('captcha', `${clientId}\n${challenge}`).map(toBase64url)
  return {
    async ask({ clientId }) {
      const drawn = `${(await store.now()) + patience}.${toBase64url(crypto.random(16))}`
      return { type: 'proof_of_work', algorithm: 'SHA-256', bits, challenge: `${drawn}.${macsOf(clientId, drawn)[0]}` }
    },
    async check({ clientId, answer }) {
      const [, until, random, mac = ''] = shape.exec(answer) ?? []
      if (until === undefined) return false
      const bytes = (text: string) => Uint8Array.from(text, (letter) => letter.charCodeAt(0))
      const isOurs = macsOf(clientId, `${until}.${random}`).map((one) => crypto.equal(bytes(one), bytes(mac)))
      if (!isOurs.includes(true) || Number(until) <= (await store.now())) return false
      const [first = 255, second = 255] = crypto.hash(answer)
      if (first !== 0 || second !== 0) return false
      return store.limits.once(`captcha ${toBase64url(crypto.hash(`${until}.${random}`))}`, Number(until))
    },
  }
}

/** Whether sign-ins begin faster than they do for people: counted in this process, by the minute. */
export function createPace(clock: Pick<Clock, 'now'>, { limit, window }: { readonly limit: number; readonly window: number }) {
  const most = Math.max(30, (limit / window) * 60_000 * 0.05)
  let [minute, before, now] = [0, 0, 0]
  /** What was counted in the minutes before the last one is forgotten. */
  const forget = () => {
    const at = Math.floor(clock.now() / 60_000)
    if (at !== minute) [minute, before, now] = [at, at === minute + 1 ? now : 0, 0]
  }
  return {
    /** Counts one. */
    count() {
      forget()
      now++
    },
    isBusy() {
      forget()
      return before + now > most
    },
  }
}

/** Whether it is asked for now. */
export const isAsked = ({ captcha }: Pick<ClientPolicy, 'captcha'>, pace: { isBusy(): boolean }): boolean =>
  captcha === 'always' || (captcha === 'when_busy' && pace.isBusy())
