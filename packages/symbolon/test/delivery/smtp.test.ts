// Mail over a real SMTP conversation: delivered, tried again, refused, bounded, and silent about what it carries.

import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import { afterEach, expect, it } from 'vitest'
import type { CoreEvent, Delivery } from '#core'
import { createSmtp } from '#delivery'

const closers: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closers.splice(0)) await close()
})

interface Received {
  readonly to: readonly string[]
  readonly text: string
}

interface Opening {
  readonly refuse?: (turn: number, address: string) => Error | undefined
  readonly most?: number
  readonly retries?: readonly number[]
  readonly noticeRetries?: readonly number[]
}
async function open(options: Opening = {}) {
  const received: Received[] = []
  const events: CoreEvent[] = []
  let turn = 0
  const server = new SMTPServer({
    disabledCommands: ['STARTTLS', 'AUTH'],
    logger: false,
    onRcptTo: ({ address }, _session, callback) => callback(options.refuse?.(turn++, address)),
    onData(stream, session, callback) {
      let text = ''
      stream.on('data', (chunk) => {
        text += chunk
      })
      stream.on('end', () => {
        received.push({ to: session.envelope.rcptTo.map(({ address }) => address), text })
        callback()
      })
    },
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = (server.server as unknown as { address(): AddressInfo }).address()
  const smtp = createSmtp({
    url: `smtp://127.0.0.1:${port}`,
    from: 'Sign-in <no-reply@example.com>',
    observe: (event) => events.push(event),
    retries: options.retries ?? [10, 20],
    ...(options.noticeRetries !== undefined && { noticeRetries: options.noticeRetries }),
    ...(options.most !== undefined && { most: options.most }),
  })
  closers.push(
    () => smtp.close(),
    () => new Promise<void>((resolve) => server.close(() => resolve())),
  )
  return { smtp, received, events }
}
const mail = (to = 'ada@example.com', change: Partial<Extract<Delivery, { kind: 'code' }>> = {}): Delivery => ({
  kind: 'code',
  to,
  code: '123456',
  clientName: 'Example',
  minutes: 10,
  confirms: null,
  link: { address: 'https://auth.example/login/link?token=abc-123', minutes: 15 },
  device: 'Firefox on Linux',
  language: 'en',
  ...change,
})
const notice = (to = 'ada@example.com'): Delivery => ({
  kind: 'address_changed',
  to,
  at: 1_800_000_000_000,
  undo: { address: 'https://auth.example/account/undo?token=abc-123', days: 7 },
  device: 'Firefox on Linux',
  language: 'en',
})
const putOff = (_: number, address: string) =>
  address.startsWith('slow') ? Object.assign(new Error('later'), { responseCode: 450 }) : undefined
/** The bodies of a mail, decoded. */
const partsOf = (raw: string) =>
  raw
    .split(/^--.*$/m)
    .slice(1, -1)
    .map((part) => {
      const [head = '', ...rest] = part.trim().split(/\r?\n\r?\n/)
      const body = rest.join('\n\n')
      if (/base64/i.test(head)) return Buffer.from(body, 'base64').toString()
      return body.replace(/=\r?\n/g, '').replace(/=([0-9A-F]{2})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))
    })
const until = (check: () => boolean): Promise<void> => expect.poll(check, { interval: 10 }).toBe(true)

it('brings the code to exactly one recipient', async () => {
  const { smtp, received, events } = await open()
  await smtp.verify()
  smtp.queue(mail())
  smtp.queue({ kind: 'none' })
  await until(() => received.length === 1)
  expect(received[0]?.to).toEqual(['ada@example.com'])
  expect(received[0]?.text).toContain('123456')
  await until(() => events.some(({ event }) => event === 'mail.sent'))
  expect(JSON.stringify(events)).not.toMatch(/123456|ada@/)
})

it('puts the code first and the link behind it, in text and in HTML; a notice has neither', async () => {
  const { smtp, received, events } = await open()
  smtp.queue(mail())
  await until(() => received.length === 1)
  const [text, html] = partsOf(received[0]?.text ?? '')
  for (const part of [text, html]) {
    expect(part?.indexOf('123456')).toBeGreaterThan(0)
    expect(part?.indexOf('https://auth.example/login/link?token=abc-123')).toBeGreaterThan(part?.indexOf('123456') ?? 0)
  }
  expect(html).toMatch(/<a href="https:\/\/auth\.example\/login\/link\?token=abc-123"/)
  smtp.queue(mail('ada@example.com', { link: null }))
  await until(() => received.length === 2)
  expect(partsOf(received[1]?.text ?? '').join()).not.toMatch(/https?:/)
  const act = `Pay 20 EUR <b>to</b>\r\nBcc: eve ${'x'.repeat(300)}`
  smtp.queue(mail('ada@example.com', { link: null, confirms: act }))
  await until(() => received.length === 3)
  const [confirms, inHtml] = partsOf(received[2]?.text ?? '')
  expect(confirms).toContain('Your code to confirm to Example that it is you:')
  expect(confirms).toMatch(/^With it you confirm: Pay 20 EUR <b>to<\/b> Bcc: eve x{10,175}$/m)
  expect(inHtml).not.toContain('<b>to')
  expect(partsOf(received[1]?.text ?? '').join()).not.toContain('confirm')
  smtp.queue({
    kind: 'notice',
    to: 'ada@example.com',
    clientName: 'Ex<i>ample',
    at: 1_800_000_000_000,
    device: 'Firefox on Linux',
    language: 'de',
  })
  await until(() => received.length === 4)
  const [said, shown] = partsOf(received[3]?.text ?? '')
  expect(said).toContain('Firefox on Linux, um 2027-01-15 08:00 UTC.')
  expect([said, shown].join()).not.toMatch(/https?:|\d{6}|<i>ample<\/p>/)
  expect(JSON.stringify(events)).not.toMatch(/token|ada@/)
})

it('tries again what fails for now, and gives up on what fails for good', async () => {
  const refusal = (code: number) => Object.assign(new Error('no'), { responseCode: code })
  const later = await open({ refuse: (turn) => (turn === 0 ? refusal(451) : undefined) })
  later.smtp.queue(mail())
  await until(() => later.received.length === 1)
  expect(later.events.map(({ event }) => event)).toContain('mail.retried')
  const never = await open({ refuse: () => refusal(550) })
  never.smtp.queue(mail())
  await until(() => never.events.some(({ event }) => event === 'mail.failed'))
  expect(never.received).toEqual([])
  expect(never.events.filter(({ event }) => event === 'mail.retried')).toEqual([])
})

it('sends on while many are put off, keeps them among those that wait, and tries them once more at its end', async () => {
  const { smtp, received, events } = await open({ refuse: putOff, retries: [600_000], most: 21 })
  const count = (name: string) => events.filter(({ event }) => event === name).length
  for (let i = 0; i < 20; i++) smtp.queue(mail(`slow${i}@example.com`))
  await until(() => count('mail.retried') === 20)
  smtp.queue(mail())
  await until(() => received.length === 1)
  smtp.queue(mail('slow@example.com'))
  await until(() => count('mail.retried') === 21)
  expect(() => smtp.queue(mail())).toThrow(expect.objectContaining({ code: 'try_later' }))
  await smtp.close()
  expect([count('mail.sent'), count('mail.failed')]).toEqual([1, 21])
})

it('lets nothing that a person chose become a header or mark-up', async () => {
  const { smtp, received } = await open()
  smtp.queue(mail('ada@example.com', { clientName: 'Evil\r\nBcc: eve@example.com', device: '<script>alert(1)</script>' }))
  await until(() => received.length === 1)
  expect(received[0]?.to).toEqual(['ada@example.com'])
  expect(received[0]?.text).not.toMatch(/^Bcc:/im)
  expect(received[0]?.text).not.toContain('<script>alert(1)</script></p>')
})

it('refuses when too many wait', async () => {
  const { smtp } = await open({ most: 3, refuse: () => Object.assign(new Error('no'), { responseCode: 451 }) })
  expect(() => {
    for (let i = 0; i < 50; i++) smtp.queue(mail())
  }).toThrow(expect.objectContaining({ code: 'try_later' }))
})

it('has room for notices where codes are refused, sends them first, and refuses them too at twice as many', async () => {
  const { smtp, received } = await open({ most: 12 })
  const fill = (delivery: Delivery) => {
    let taken = 0
    try {
      for (; taken < 100; taken++) smtp.queue(delivery)
    } catch {}
    return taken
  }
  // Five are under way; twelve wait.
  expect(fill(mail())).toBe(17)
  smtp.queue(notice())
  expect(() => smtp.queue(mail())).toThrow(expect.objectContaining({ code: 'try_later' }))
  expect(fill(notice('eve@example.com'))).toBe(11)
  await until(() => received.length === 29)
  const kinds = received.map(({ text }) => (text.includes('123456') ? 'code' : 'notice'))
  expect(kinds.lastIndexOf('notice')).toBeLessThan(kinds.length - 7)
  expect(kinds.slice(0, 10)).toContain('notice')
})

it('keeps neither a code nor a new notice out for the notices that are put off: of the domain with most of them the oldest goes', async () => {
  const asked: string[] = []
  const refuse = (turn: number, address: string) => {
    asked.push(address)
    return putOff(turn, address)
  }
  const { smtp, received, events } = await open({ refuse, retries: [], noticeRetries: [1, 600_000], most: 3 })
  const count = (name: string) => events.filter(({ event }) => event === name).length
  /** Each waits for its third try. */
  const wait = async (to: string) => {
    const before = count('mail.retried')
    smtp.queue(notice(to))
    await until(() => count('mail.retried') === before + 2)
  }
  // The oldest of all is somebody else's: it stays.
  await wait('slow@example.org')
  for (const n of [2, 3, 4, 5, 6]) await wait(`slow${n}@example.com`)
  smtp.queue(mail())
  await until(() => received.length === 1)
  // All but the first find the room that it left.
  for (let i = 2; i < 12; i++) {
    smtp.queue(notice())
    await until(() => received.length === i)
  }
  expect(count('mail.failed')).toBe(1)
  // Each more that is put off takes the place of one.
  for (const n of [7, 8, 9]) await wait(`slow${n}@example.com`)
  expect(count('mail.failed')).toBe(3)
  const before = asked.length
  await smtp.close()
  expect(asked.slice(before).sort()).toEqual(['slow@example.org', ...[5, 6, 7, 8, 9].map((n) => `slow${n}@example.com`)].sort())
  expect([count('mail.sent'), count('mail.failed')]).toEqual([11, 9])
})

it('tries a notice for longer than a code', async () => {
  let down = true
  const refuse = () => (down ? Object.assign(new Error('down'), { responseCode: 421 }) : undefined)
  const { smtp, received, events } = await open({ refuse, retries: [1], noticeRetries: [1, 20_000] })
  const count = (name: string) => events.filter(({ event }) => event === name).length
  smtp.queue(mail())
  smtp.queue(notice())
  await until(() => count('mail.failed') === 1 && count('mail.retried') === 4)
  down = false
  await smtp.close()
  expect(received.map(({ text }) => text.includes('undo?token=') || text.includes('undo?token=3D'))).toEqual([true])
})

it('says in a sentence that the server cannot be used', async () => {
  const smtp = createSmtp({ url: 'smtp://127.0.0.1:9', from: 'a@example.com', observe: () => {} })
  await expect(smtp.verify()).rejects.toThrow(/mail server cannot be used/)
  await smtp.close()
})
