// Receiving webhooks: the scheme's own example, every refusal beside what is accepted, and nothing read that need not be.

import { createHmac, randomBytes } from 'node:crypto'
import { fromBase64, readWebhookSecret, toBase64, webhookSecret } from '@symbolon/protocol'
import { type ReceivedWebhook, verifyWebhook, type WebhookOptions } from '@symbolon/verifier/webhook'
import { describe, expect, it } from 'vitest'

const secret = webhookSecret(randomBytes(32))
const other = webhookSecret(randomBytes(32))
const time = 1_800_000_000
const event = { type: 'user.disabled', timestamp: '2027-01-15T08:00:00.000Z', data: { user_id: 'usr_x', by: 'admin' } }
const text = JSON.stringify(event)

const sign = (id: string, timestamp: string, body: string, by = secret) =>
  `v1,${createHmac('sha256', Buffer.from(by.slice(6), 'base64'))
    .update(`${id}.${timestamp}.${body}`)
    .digest('base64')}`
const received = (change: Record<string, string | undefined> = {}, body: ReceivedWebhook['body'] = text) => ({
  headers: { 'webhook-id': 'evt_1', 'webhook-timestamp': String(time), 'webhook-signature': sign('evt_1', String(time), text), ...change },
  body,
})
const options: WebhookOptions = { secrets: [secret], now: () => time * 1000 }

it('verifies the example of the scheme', async () => {
  const body = '{"test": 2432232314}'
  const example = {
    headers: {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
    },
    body,
  }
  const its: WebhookOptions = { secrets: ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw'], now: () => 1_614_265_330_000 }
  // Signed rightly; what it says is no event of ours.
  expect(await verifyWebhook(example, its)).toEqual({ ok: false, refusal: 'malformed' })
  expect(await verifyWebhook({ ...example, body: `${body} ` }, its)).toEqual({ ok: false, refusal: 'wrong_signature' })
})

describe('a webhook', () => {
  it('is accepted as a framework hands it over, and as a Request', async () => {
    const good = { ok: true, id: 'evt_1', event }
    expect(await verifyWebhook(received(), options)).toEqual(good)
    expect(await verifyWebhook(received({}, Buffer.from(text)), options)).toEqual(good)
    const { headers } = received()
    const request = () => new Request('https://app.example/hooks', { method: 'POST', headers, body: text })
    expect(await verifyWebhook(request(), options)).toEqual(good)
    expect(await verifyWebhook({ headers: new Headers(headers), body: text }, options)).toEqual(good)
  })

  const stamp = (at: number) => ({
    'webhook-timestamp': String(at),
    'webhook-signature': sign('evt_1', String(at), text),
  })
  const many = (count: number) => Array.from({ length: count }, () => sign('evt_1', String(time), text, other)).join(' ')
  const cases: readonly (readonly [string, ReceivedWebhook, 'ok' | string])[] = [
    ['of five minutes ago', received(stamp(time - 300)), 'ok'],
    ['older', received(stamp(time - 301)), 'stale'],
    ['five minutes ahead', received(stamp(time + 300)), 'ok'],
    ['further ahead', received(stamp(time + 301)), 'stale'],
    ['whose time is no number', received(stamp(Number.NaN)), 'stale'],
    ['whose time is not the one signed', received({ 'webhook-timestamp': String(time + 1) }), 'wrong_signature'],
    ['whose id is not the one signed', received({ 'webhook-id': 'evt_2' }), 'wrong_signature'],
    ['without an id', received({ 'webhook-id': undefined }), 'missing_header'],
    ['with a point in its id', received({ 'webhook-id': 'evt.1' }), 'missing_header'],
    ['without a time', received({ 'webhook-timestamp': undefined }), 'missing_header'],
    ['without a signature', received({ 'webhook-signature': undefined }), 'missing_header'],
    ['with another body', received({}, text.replace('usr_x', 'usr_y')), 'wrong_signature'],
    ['signed by another secret', received({ 'webhook-signature': sign('evt_1', String(time), text, other) }), 'wrong_signature'],
    ['signed twice, one of them ours', received({ 'webhook-signature': `${many(1)} ${sign('evt_1', String(time), text)}` }), 'ok'],
    [
      'with ours behind too many others',
      received({ 'webhook-signature': `${many(10)} ${sign('evt_1', String(time), text)}` }),
      'wrong_signature',
    ],
    ['in another scheme', received({ 'webhook-signature': sign('evt_1', String(time), text).replace('v1,', 'v1a,') }), 'wrong_signature'],
    ['whose signature is no base64', received({ 'webhook-signature': 'v1,!!!' }), 'wrong_signature'],
    ['whose signature is empty', received({ 'webhook-signature': 'v1,' }), 'wrong_signature'],
  ]
  it.each(cases)('%s', async (_, one, expected) => {
    expect(await verifyWebhook(one, options)).toEqual(
      expected === 'ok' ? { ok: true, id: 'evt_1', event } : { ok: false, refusal: expected },
    )
  })

  it.each(['null', '[]', '{"type":1}', '{"type":"a","timestamp":"b"}', '{"type":"a","type":"b","timestamp":"c","data":{}}', '\u0000'])(
    'that says %j is malformed',
    async (body) => {
      const one = received({ 'webhook-signature': sign('evt_1', String(time), body) }, body)
      expect(await verifyWebhook(one, options)).toEqual({ ok: false, refusal: 'malformed' })
    },
  )

  it('is accepted by either of two secrets', async () => {
    for (const secrets of [
      [secret, other],
      [other, secret],
    ])
      expect((await verifyWebhook(received(), { ...options, secrets })).ok).toBe(true)
    expect((await verifyWebhook(received(), { ...options, secrets: [other] })).ok).toBe(false)
  })

  it('is not read further than it may be long', async () => {
    expect(await verifyWebhook(received(), { ...options, maxBytes: text.length })).toMatchObject({ ok: true })
    expect(await verifyWebhook(received(), { ...options, maxBytes: text.length - 1 })).toEqual({ ok: false, refusal: 'body_too_large' })
    let pulled = 0
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++
        controller.enqueue(new Uint8Array(1000))
      },
    })
    const { headers } = received()
    const request = new Request('https://app.example/', { method: 'POST', headers, body: endless, duplex: 'half' } as RequestInit)
    expect(await verifyWebhook(request, { ...options, maxBytes: 5000 })).toEqual({ ok: false, refusal: 'body_too_large' })
    expect(pulled).toBeLessThan(10)
  })

  it('takes no secret that is none', async () => {
    for (const secrets of [[], [''], ['whsec_'], ['whsec_c2hvcnQ='], [secret.slice(6)]])
      await expect(verifyWebhook(received(), { ...options, secrets })).rejects.toThrow(TypeError)
  })
})

it('writes and reads base64 and secrets in one spelling', () => {
  for (let length = 0; length < 70; length++) {
    const bytes = randomBytes(length)
    expect(toBase64(bytes)).toBe(bytes.toString('base64'))
    expect(fromBase64(bytes.toString('base64'))).toEqual(new Uint8Array(bytes))
    expect(fromBase64(bytes.toString('base64').replace(/=+$/, ''))).toEqual(new Uint8Array(bytes))
    expect(readWebhookSecret(webhookSecret(bytes)) === undefined).toBe(length < 24 || length > 64)
  }
  for (const text of ['A', 'AB=', 'AB===', 'A=B=', 'AAA-', 'AAA_', 'AB==\n', ' AAA', 'AB'.concat('=A==')])
    expect(fromBase64(text)).toBeUndefined()
})
