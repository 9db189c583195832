// One webhook: signed, sent, and judged by its status alone. Its target's name is resolved by us, and every address it
// leads to is checked before a connection is made, to one of those and no other. No redirect is followed, no answer read.

import { createHmac } from 'node:crypto'
import { lookup as systemLookup } from 'node:dns'
import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP, type LookupFunction } from 'node:net'
import { toBase64, webhookHeaders, webhookPreamble, webhookScheme } from '@symbolon/protocol'
import type { SendWebhook, WebhookMessage } from '#core'
import { isPublicAddress } from './public-address.ts'

/** Where webhooks go. */
export interface WebhookEndpoint {
  readonly name: string
  readonly url: string
  /** The newest first; two while one replaces another. */
  readonly secrets: readonly Uint8Array[]
  /** Whether it may be anywhere, and be reached without TLS. */
  readonly allowPrivate: boolean
  /** PEM; whom to trust instead of the system's authorities. */
  readonly ca?: string | undefined
}

/** Everything that an address leads to. */
export type Resolve = (host: string) => Promise<readonly { readonly address: string; readonly family: number }[]>

/** How they are sent. `timeout` in milliseconds, for all of one delivery. */
export interface WebhookSenderOptions {
  readonly timeout?: number
  readonly resolve?: Resolve
  /** Seconds since 1970. */
  readonly now?: () => number
}

/** Sends webhooks. `close` gives up what is under way. */
export interface WebhookSender {
  readonly send: SendWebhook
  close(): void
}

type Outcome = Awaited<ReturnType<SendWebhook>>

const usualTimeout = 10_000
/** Bytes of an answer that are let by for the sake of its connection. */
const mostAnswer = 16_384
/** Look-ups at once. */
const mostLookups = 2
const refusedAddress = 'ERR_ADDRESS_REFUSED'

const systemResolve: Resolve = (host) =>
  new Promise((resolve, reject) =>
    systemLookup(host, { all: true }, (error, addresses) => (error === null ? resolve(addresses) : reject(error))),
  )

/** The value of `webhook-signature`: one signature for each secret. */
export function signWebhook(secrets: readonly Uint8Array[], id: string, timestamp: string, body: string): string {
  const sign = (secret: Uint8Array) => createHmac('sha256', secret).update(webhookPreamble(id, timestamp)).update(body).digest()
  return secrets.map((secret) => `${webhookScheme}${toBase64(sign(secret))}`).join(' ')
}

/** A look-up by `resolve`. Without `anywhere` it fails when any address that a name leads to is not public: which of them is taken is not ours to hope for. */
export function lookupBy(resolve: Resolve, anywhere: boolean): LookupFunction {
  return (host, options, callback) => {
    const fail = (code: string) => callback(Object.assign(new Error('lookup'), { code }), '', 0)
    resolve(host).then(
      (found) => {
        const [first] = found
        if (first === undefined) return fail('ENOTFOUND')
        if (!anywhere && !found.every(({ address }) => isPublicAddress(address))) return fail(refusedAddress)
        if (options.all === true) callback(null, [...found])
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => fail(error.code ?? 'ENOTFOUND'),
    )
  }
}

/**
 * Few look-ups at once, and one for each name: the system's wait in threads that everybody shares, and a name whose
 * servers do not answer must not take them all.
 */
export function gatherLookups(resolve: Resolve): Resolve {
  const under = new Map<string, ReturnType<Resolve>>()
  const line: (() => void)[] = []
  let running = 0
  const run = async (host: string) => {
    if (running < mostLookups) running++
    else await new Promise<void>((next) => line.push(next))
    try {
      return await resolve(host)
    } finally {
      const next = line.shift()
      if (next === undefined) running--
      else next()
    }
  }
  return (host) => {
    const known = under.get(host) ?? run(host).finally(() => under.delete(host))
    under.set(host, known)
    return known
  }
}

/** Creates the sender. */
export function createWebhookSender(endpoints: readonly WebhookEndpoint[], options: WebhookSenderOptions = {}): WebhookSender {
  const { timeout = usualTimeout, resolve = systemResolve, now = () => Math.floor(Date.now() / 1000) } = options
  const gathered = gatherLookups(resolve)
  const lookups = { anywhere: lookupBy(gathered, true), checked: lookupBy(gathered, false) }
  const agents = new Map(
    endpoints.map(({ name, url, ca }) => [
      name,
      url.startsWith('https:')
        ? new HttpsAgent({ keepAlive: true, maxSockets: 2, ...(ca !== undefined && { ca }) })
        : new HttpAgent({ keepAlive: true, maxSockets: 2 }),
    ]),
  )
  const underWay = new Set<ClientRequest>()
  let closed = false

  const once = ({ name, url, secrets, allowPrivate }: WebhookEndpoint, { id, body }: WebhookMessage): Promise<Outcome | 'again'> =>
    new Promise((settle) => {
      const target = new URL(url)
      const host = target.hostname.replace(/^\[|\]$/g, '')
      // What is an address already is never looked up.
      if (!allowPrivate && isIP(host) !== 0 && !isPublicAddress(host)) return settle({ ok: false, fault: 'address refused' })
      const timestamp = String(now())
      const request = (target.protocol === 'https:' ? httpsRequest : httpRequest)(target, {
        method: 'POST',
        agent: agents.get(name),
        lookup: allowPrivate ? lookups.anywhere : lookups.checked,
        headers: {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
          'user-agent': 'Symbolon',
          [webhookHeaders.id]: id,
          [webhookHeaders.timestamp]: timestamp,
          [webhookHeaders.signature]: signWebhook(secrets, id, timestamp, body),
        },
      })
      underWay.add(request)
      const timer = setTimeout(() => {
        settle({ ok: false, fault: 'timeout' })
        request.destroy()
      }, timeout)
      request.once('close', () => {
        clearTimeout(timer)
        underWay.delete(request)
        settle(closed ? 'stopped' : { ok: false, fault: 'connection lost' })
      })
      request.once('error', (error: NodeJS.ErrnoException) => {
        if (closed) settle('stopped')
        // It was kept open, and the other side had closed it by then.
        else if (request.reusedSocket && error.code === 'ECONNRESET') settle('again')
        else settle({ ok: false, fault: faultOf(error) })
      })
      request.once('response', (response) => {
        settle(outcomeOf(response))
        let bytes = 0
        response.on('error', () => {})
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length
          if (bytes > mostAnswer) request.destroy()
        })
      })
      request.end(body)
    })

  return {
    async send(name, message) {
      const endpoint = endpoints.find((one) => one.name === name)
      if (endpoint === undefined) return { ok: false, fault: 'not configured' }
      for (let turn = 0; turn < 3; turn++) {
        if (closed) return 'stopped'
        const outcome = await once(endpoint, message)
        if (outcome !== 'again') return outcome
      }
      return { ok: false, fault: 'connection lost' }
    },
    close() {
      closed = true
      for (const request of underWay) request.destroy()
      for (const agent of agents.values()) agent.destroy()
    },
  }
}

function outcomeOf({ statusCode: status = 0, headers }: IncomingMessage): Outcome {
  if (status >= 200 && status < 300) return { ok: true, status }
  const wait = headers['retry-after'] ?? ''
  return { ok: false, fault: `status ${status}`, ...(/^\d{1,6}$/.test(wait) && { retryAfter: Number(wait) * 1000 }) }
}

/** A fault in a word: node's codes are words of letters, and name nothing. */
function faultOf({ code = '' }: NodeJS.ErrnoException): string {
  if (code === refusedAddress) return 'address refused'
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') return 'name not found'
  return /^[A-Z][A-Z0-9_]{2,50}$/.test(code) ? code : 'connection failed'
}
