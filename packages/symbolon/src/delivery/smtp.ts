// Mail by SMTP: a bounded queue in memory, a pool of connections, retries of what fails for now, a deadline for each
// mail. Codes and addresses stand in no log line and no error; after a crash people ask for a new code.

import { SymbolonError } from '@symbolon/protocol'
import { createTransport } from 'nodemailer'
import type { CoreEvent, Courier, Delivery } from '#core'
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
  /** How many mails may wait; 1,000 unless said. */
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

/** A refusal for good (RFC 5321 §4.2.1: 5yz). */
const isFinal = (error: unknown) => Number((error as { responseCode?: number } | null)?.responseCode) >= 500

/** Creates the courier. Connects when the first mail is queued. */
export function createSmtp(options: SmtpOptions): Smtp {
  const { observe, brand = {}, retries = [1000, 5000, 25_000], most = 1000 } = options
  const transport = createTransport(
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
  const under = new Set<Promise<void>>()
  const callOffs = new Set<() => void>()
  const line: Delivery[] = []
  let running = 0
  let closed = false

  const wait = (ms: number) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        callOffs.delete(done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      callOffs.add(done)
    })

  const send = async (delivery: Delivery): Promise<void> => {
    // The answer goes first: what a mail costs to write must not tell who gets one.
    await new Promise(setImmediate)
    if (delivery.kind === 'none') return
    const { subject, text, html } = mailFor(delivery, brand)
    for (let turn = 0; ; turn++) {
      try {
        // An object, not a text: nothing in an address can become a second recipient.
        await transport.sendMail({
          to: { name: '', address: delivery.to },
          envelope: { from: addressOf(options.from), to: [delivery.to] },
          subject,
          text,
          html,
          headers: { 'Auto-Submitted': 'auto-generated' },
        })
        return observe({ event: 'mail.sent' })
      } catch (error) {
        const pause = retries[turn]
        const code = Number((error as { responseCode?: number } | null)?.responseCode) || null
        if (isFinal(error) || pause === undefined || closed) return observe({ event: 'mail.failed', code })
        observe({ event: 'mail.retried', code })
        await wait(pause)
      }
    }
  }
  const work = () => {
    while (running < connections && line.length > 0) {
      running++
      const one = send(line.shift() as Delivery)
        .catch(() => observe({ event: 'mail.failed', code: null }))
        .finally(() => {
          running--
          under.delete(one)
          work()
        })
      under.add(one)
    }
  }

  return {
    queue(delivery) {
      if (closed || line.length >= most) throw new SymbolonError('try_later', { retryAfter: 10, detail: 'the mail queue is full' })
      line.push(delivery)
      work()
    },
    async verify() {
      try {
        await transport.verify()
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
      for (const callOff of callOffs) callOff()
      await Promise.race([Promise.all([...under]), new Promise((resolve) => setTimeout(resolve, deadline).unref())])
      transport.close()
    },
  }
}

/** The bare address in `Name <address>`. */
const addressOf = (from: string) => /<([^<>]+)>\s*$/.exec(from)?.[1] ?? from.trim()
