// The receiving end of webhooks, for an application on any runtime: what came is ours, whole and of now, or it is refused.
// Standard Webhooks 1.0. It needs no service at hand, and keeps nothing: an event may come twice, under the same id.

import {
  type AuthEvent,
  type Duration,
  fromBase64,
  milliseconds,
  readJsonObject,
  readWebhookSecret,
  webhookHeaders,
  webhookPreamble,
  webhookScheme,
} from '@symbolon/protocol'

/** A webhook as a framework hands it over: its headers, and its body as it came, unparsed. */
export interface ReceivedWebhook {
  readonly headers: Headers | Readonly<Record<string, string | readonly string[] | undefined>>
  readonly body: string | Uint8Array
}

/** How webhooks are received. */
export interface WebhookOptions {
  /** `whsec_…`; several while one replaces another. */
  readonly secrets: readonly string[]
  /** How far its time may be from ours, either way; 5 minutes unless said. */
  readonly tolerance?: Duration
  /** Bytes of a body, at most; 1 MiB unless said. */
  readonly maxBytes?: number
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

/** Why a webhook is refused: for logs; who sent it is told 400 and nothing else. */
export type WebhookRefusal = 'missing_header' | 'stale' | 'wrong_signature' | 'body_too_large' | 'malformed'

/** What a webhook came to. `id` is the same when it comes again: what was done under it is not done twice. */
export type VerifiedWebhook =
  | { readonly ok: true; readonly id: string; readonly event: AuthEvent }
  | { readonly ok: false; readonly refusal: WebhookRefusal }

const usualBytes = 1_048_576
/** Signatures looked at, at most. */
const mostSignatures = 10
const encoder = new TextEncoder()

/**
 * Verifies a webhook and reads its event. Its signature is compared in constant time, over the body's bytes as they came.
 * Events of types that this version does not know come through too: leave out what you do not know.
 * Throws a TypeError for secrets that are none.
 * @example
 * const webhook = await verifyWebhook(request, { secrets: [process.env.WEBHOOK_SECRET ?? ''] })
 * if (!webhook.ok) return new Response(null, { status: 400 })
 * if (webhook.event.type === 'user.disabled') await lock(webhook.event.data.user_id)
 */
export async function verifyWebhook(received: Request | ReceivedWebhook, options: WebhookOptions): Promise<VerifiedWebhook> {
  const { secrets, tolerance = '5m', maxBytes = usualBytes, now = Date.now } = options
  const keys = secrets.map(readWebhookSecret)
  if (keys.length === 0 || keys.includes(undefined)) throw new TypeError('secrets must be texts made by `symbolon webhooks secret`.')
  const refuse = (refusal: WebhookRefusal) => ({ ok: false, refusal }) as const

  const [id, timestamp, signature] = (['id', 'timestamp', 'signature'] as const).map((name) => headerOf(received, webhookHeaders[name]))
  if (!id || !timestamp || !signature || id.length > 200 || id.includes('.')) return refuse('missing_header')
  if (!/^\d{1,12}$/.test(timestamp) || Math.abs(now() - Number(timestamp) * 1000) > milliseconds(tolerance)) return refuse('stale')
  const body = await bodyOf(received, maxBytes)
  if (body === undefined) return refuse('body_too_large')

  const preamble = encoder.encode(webhookPreamble(id, timestamp))
  const signed = new Uint8Array(preamble.length + body.length)
  signed.set(preamble)
  signed.set(body, preamble.length)
  const given = signature
    .split(' ')
    .filter((one) => one.startsWith(webhookScheme))
    .slice(0, mostSignatures)
    .map((one) => fromBase64(one.slice(webhookScheme.length)))
  let right = false
  for (const key of keys) {
    const usable = await crypto.subtle.importKey('raw', key as Uint8Array<ArrayBuffer>, { name: 'HMAC', hash: 'SHA-256' }, false, [
      'verify',
    ])
    // Every pair, whatever the ones before came to.
    for (const one of given) if (one !== undefined && (await crypto.subtle.verify('HMAC', usable, one, signed))) right = true
  }
  if (!right) return refuse('wrong_signature')
  const event = readEvent(body)
  return event === undefined ? refuse('malformed') : { ok: true, id, event }
}

function headerOf({ headers }: Request | ReceivedWebhook, name: string): string | undefined {
  // By what it can do: a framework may bring a class of its own.
  if (typeof headers.get === 'function') return headers.get(name) ?? undefined
  const value = (headers as Readonly<Record<string, unknown>>)[name]
  return typeof value === 'string' ? value : undefined
}

/** The bytes of a body; `undefined` when there are more than allowed, which are not waited for. */
async function bodyOf(received: Request | ReceivedWebhook, most: number): Promise<Uint8Array | undefined> {
  const { body } = received
  if (body === null) return new Uint8Array()
  if (typeof body === 'string' || body instanceof Uint8Array) {
    const bytes = typeof body === 'string' ? encoder.encode(body) : body
    return bytes.length > most ? undefined : bytes
  }
  const parts: Uint8Array[] = []
  let length = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    length += value.length
    if (length > most) {
      await reader.cancel().catch(() => {})
      return undefined
    }
    parts.push(value)
  }
  const whole = new Uint8Array(length)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

function readEvent(body: Uint8Array): AuthEvent | undefined {
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(body)
  } catch {
    return undefined
  }
  const read = readJsonObject(text)
  const whole = typeof read?.type === 'string' && typeof read.timestamp === 'string' && typeof read.data === 'object' && read.data !== null
  return whole ? (read as unknown as AuthEvent) : undefined
}

export type { AuthEvent, EventData, EventName } from '@symbolon/protocol'
