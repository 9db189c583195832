// Mail by SMTP: a bounded queue in memory, a pool of connections, retries of what fails for now, a deadline for each
// mail. Notices of what was done in an account have room of their own, go first, and are tried for an hour, so that nobody keeps
// them away by asking for codes. Codes and addresses stand in no log line and no error; after a crash people ask for a new code.

import { SymbolonError } from '@symbolon/protocol'
import { type CoreEvent, type Courier, type Delivery, isNotice } from '#core'
import type { MailBrand } from '#messages'
import { mailFor } from './mails.ts'

/** How mail is sent. `url` such as `smtps://user:password@mail.example`, `from` an address or `Name <address>`. */
export interface SmtpOptions {
  readonly url: string
  readonly from: string
  readonly observe: (event: CoreEvent) => void
  /** How mails look and read; ours unless said. */
  readonly brand?: MailBrand
  /** Milliseconds to wait before each retry; 1 s, 5 s, 25 s unless said. */
  readonly retries?: readonly number[]
  /** And before each further one of a notice; about an hour in all unless said. */
  readonly noticeRetries?: readonly number[]
  /** How many mails may wait, 1,000 unless said; with notices twice as many. */
  readonly most?: number
}

/** A courier by SMTP. */
export interface Smtp extends Courier {
  /** Proves that the server can be reached and takes our credentials; throws a sentence. */
  verify(): Promise<void>
  /** Sends what waits, for at most `deadline` milliseconds, and closes the connections. */
  close(deadline?: number): Promise<void>
}

const connections = 5

/** A mail, and how often it was put off. */
interface Mail {
  readonly delivery: Delivery
  readonly tried: number
}

const domainOf = ({ delivery }: Mail) => ('to' in delivery ? delivery.to.slice(delivery.to.lastIndexOf('@')) : '')

/** A refusal for good (RFC 5321 §4.2.1: 5yz). */
const isFinal = (error: unknown) => Number((error as { responseCode?: number } | null)?.responseCode) >= 500

/** Creates the courier. Connects when the first mail is queued. */
export function createSmtp(options: SmtpOptions): Smtp {
  const { observe, brand = {}, retries = [1000, 5000, 25_000], most = 1000 } = options
  const noticeRetries = [...retries, ...(options.noticeRetries ?? [120_000, 600_000, 1_200_000, 1_600_000])]
  const connect = async () =>
    (await import('nodemailer')).createTransport(
      {
        url: options.url,
        pool: true,
        maxConnections: connections,
        connectionTimeout: 10_000,
        greetingTimeout: 10_000,
        socketTimeout: 20_000,
        dnsTimeout: 5000,
        disableFileAccess: true,
        disableUrlAccess: true,
      },
      { from: options.from },
    )
  let connected: ReturnType<typeof connect> | undefined
  /** Made for the first mail: most commands send none. */
  const transport = () => {
    connected ??= connect().catch((error) => {
      connected = undefined
      throw error
    })
    return connected
  }
  /** `later`: those that wait to be tried again. They hold no connection: a server that puts some recipients off must not hold up the others. */
  const lane = () => ({ line: [] as Mail[], later: new Map<Mail, ReturnType<typeof setTimeout>>() })
  const [notices, others] = [lane(), lane()]
  const laneOf = (delivery: Delivery) => (isNotice(delivery) ? notices : others)
  const waiting = ({ line, later }: ReturnType<typeof lane>) => line.length + later.size
  let running = 0
  let closed = false
  let idle = () => {}

  const due = (mail: Mail) => {
    const { line, later } = laneOf(mail.delivery)
    clearTimeout(later.get(mail))
    later.delete(mail)
    line.push(mail)
    work()
  }
  const again = (mail: Mail, ms: number) => laneOf(mail.delivery).later.set(mail, setTimeout(due, ms, mail))

  /**
   * Makes room for a new notice, where one waits for another try: of the domain that has most of them, the one tried most, and of
   * those the oldest. So nobody keeps notices away, or drives out another's, by mailboxes whose server puts everything off.
   */
  const giveOneUp = (): boolean => {
    const { line, later } = notices
    // With as many tries behind them, those in line are older than those that wait for it, and in both the first is the oldest.
    const tried = [...line, ...later.keys()].filter((mail) => mail.tried > 0)
    const ofDomain = new Map<string, number>()
    for (const mail of tried) ofDomain.set(domainOf(mail), (ofDomain.get(domainOf(mail)) ?? 0) + 1)
    const many = (mail: Mail) => ofDomain.get(domainOf(mail)) as number
    const tired = tried.reduce<Mail | undefined>((one, other) => {
      if (one === undefined || many(other) > many(one)) return other
      return many(other) === many(one) && other.tried > one.tried ? other : one
    }, undefined)
    if (tired === undefined) return false
    clearTimeout(later.get(tired))
    if (!later.delete(tired)) line.splice(line.indexOf(tired), 1)
    observe({ event: 'mail.failed', code: null })
    return true
  }

  const send = async ({ delivery, tried }: Mail): Promise<void> => {
    // The answer goes first: what a mail costs to write must not tell who gets one.
    await new Promise(setImmediate)
    if (delivery.kind === 'none') return
    const { subject, text, html } = mailFor(delivery, brand)
    try {
      // An object, not a text: nothing in an address can become a second recipient.
      await (await transport()).sendMail({
        to: { name: '', address: delivery.to },
        envelope: { from: addressOf(options.from), to: [delivery.to] },
        subject,
        text,
        html,
        headers: { 'Auto-Submitted': 'auto-generated' },
      })
      observe({ event: 'mail.sent' })
    } catch (error) {
      const pause = (isNotice(delivery) ? noticeRetries : retries)[tried]
      const code = Number((error as { responseCode?: number } | null)?.responseCode) || null
      if (isFinal(error) || pause === undefined || closed) return observe({ event: 'mail.failed', code })
      observe({ event: 'mail.retried', code })
      again({ delivery, tried: tried + 1 }, pause)
    }
  }
  const work = () => {
    while (running < connections) {
      const next = notices.line.shift() ?? others.line.shift()
      if (next === undefined) break
      running++
      send(next)
        .catch(() => observe({ event: 'mail.failed', code: null }))
        .finally(() => {
          running--
          work()
        })
    }
    if (running === 0) idle()
  }

  return {
    queue(delivery) {
      const told = isNotice(delivery)
      const full = told ? waiting(notices) + waiting(others) >= 2 * most : waiting(others) >= most
      if (closed || (full && !(told && giveOneUp())))
        throw new SymbolonError('try_later', { retryAfter: 10, detail: 'the mail queue is full' })
      laneOf(delivery).line.push({ delivery, tried: 0 })
      work()
    },
    async verify() {
      try {
        await (await transport()).verify()
      } catch (cause) {
        const code = (cause as { code?: string } | null)?.code ?? 'unknown'
        const sentence = `The mail server cannot be used (${code}); check delivery.smtp.url, its port and its credentials.`
        const error = new SymbolonError('try_later', { cause, detail: sentence })
        error.message = sentence
        throw error
      }
    },
    async close(deadline = 5000) {
      closed = true
      for (const mail of [...notices.later.keys(), ...others.later.keys()]) due(mail)
      let timer: ReturnType<typeof setTimeout> | undefined
      await new Promise<void>((resolve) => {
        idle = resolve
        timer = setTimeout(resolve, deadline)
        work()
      })
      clearTimeout(timer)
      const transport = await connected?.catch(() => undefined)
      transport?.close()
    },
  }
}

/** The bare address in `Name <address>`. */
const addressOf = (from: string) => /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim()
