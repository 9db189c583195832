// Nobody can be found out: people who are known, unknown, disabled, or have a passkey get the same answers from everything
// that takes an address or follows from one: status, headers, cookies, size, body, and time.
//
// The statistic: 300 pairs for each answer and kind, against the unknown; a sign test with a margin of a quarter of a
// millisecond (test/setting/alike.ts). 40 comparisons, and 8 that may follow, share a chance of 1e-4 that any of them cries
// out for nothing. That nothing was found says little where the machine is too busy: then a test that must see two
// milliseconds is blind. It begins anew, up to five times, with a comparison of the same time beside it, and fails in the end.

import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { type Postgres, startPostgres } from '../../../../test/postgres.ts'
import { fewest, shuffled, slower } from '../setting/alike.ts'
import { createAuthenticator } from '../setting/authenticator.ts'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService, type TestService } from '../setting/server.ts'

const rounds = 300
const told = { margin: 0.25, alpha: 1e-4 / 48 }
/** Of equal length, as the pages show them. */
const people = { unknown: 'ghost@example.com', known: 'known@example.com', disabled: 'close@example.com', passkey: 'havek@example.com' }
type Kind = keyof typeof people
const kinds = Object.keys(people) as Kind[]

interface Answer {
  readonly ms: number
  readonly shape: string
  readonly text: string
}
type Jar = Map<string, string>

/** Asks the handler itself: no socket adds its noise. */
async function ask(service: TestService, jar: Jar, path: string, body?: Readonly<Record<string, string>>, late = 0): Promise<Answer> {
  const json = path.startsWith('/v1/')
  const headers = new Headers({ origin: service.origin, 'sec-fetch-site': 'same-origin', accept: json ? 'application/json' : 'text/html' })
  if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
  if (body !== undefined) headers.set('content-type', json ? 'application/json' : 'application/x-www-form-urlencoded')
  const sent = body === undefined ? {} : { method: 'POST', body: json ? JSON.stringify(body) : new URLSearchParams(body).toString() }
  const request = new Request(service.origin + path, { headers, ...sent })
  const began = performance.now()
  const response = await service.auth.handler(request, { ip: '192.0.2.1' })
  const text = await response.text()
  const until = performance.now() + late
  while (performance.now() < until);
  const ms = performance.now() - began
  for (const cookie of response.headers.getSetCookie()) {
    const [name, value] = (cookie.split(';', 1)[0] as string).split('=', 2) as [string, string]
    jar.set(name, value)
  }
  // What was queued must be over before another is asked, or the next one pays for it.
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
  const size = json ? text.length : 0
  return { ms, text, shape: [response.status, size, masked(JSON.stringify([...response.headers])), masked(text, json)].join('\n') }
}

/** Without what is drawn or counts down, but as long; on pages minutes pass from two digits to one. */
const masked = (text: string, exact = true) =>
  Object.values(people)
    .reduce((rest, email) => rest.replaceAll(email, '@').replaceAll(encodeURIComponent(email), '@'), text)
    .replace(/[A-Za-z0-9_-]{20,}/g, (drawn) => `<${drawn.length}>`)
    .replace(exact ? /\d/g : /\d+/g, '0')

const field = (page: string, name: string) => new RegExp(`name="${name}" value="([^"]*)"`).exec(page)?.[1] ?? ''
const memberOf = (text: string, name: string) => String((JSON.parse(text) as Record<string, unknown>)[name])

/** A service with one of each kind. */
async function inhabited(database: string | undefined): Promise<TestService> {
  const wide = { limit: 1_000_000, window: '1h' }
  const names = [
    'startPerAccount',
    'startPerAddress',
    'startOverall',
    'verifyPerAccount',
    'verifyPerAddress',
    'verifyPerDevice',
    'verifyOverall',
  ]
  const service = await startService({
    ...(database !== undefined && { database: { url: database } }),
    clients: [
      { id: 'open', name: 'App', transport: 'cookie' },
      { id: 'shut', name: 'App', transport: 'cookie', policy: { signUp: 'closed' } },
      { id: 'app', name: 'App', transport: 'cookie' },
    ],
    budgets: Object.fromEntries(names.map((name) => [name, wide])),
  })
  for (const kind of kinds.filter((one) => one !== 'unknown')) {
    const browser = createBrowser(service.origin)
    expect((await signInOver(browser, '', people[kind])).status).toBe(200)
    if (kind === 'disabled') {
      const user = await service.auth.users.find({ email: people[kind] })
      await service.auth.users.change(user?.id ?? '', { status: 'disabled' }, 'test')
    }
    if (kind === 'passkey') {
      const post = async (path: string, json: unknown) => browser.fetch(`/v1/account/passkeys/${path}`, { method: 'POST', json })
      const begun = (await (await post('start', {})).json()) as {
        registration_id: string
        public_key: { challenge: string; user: { id: string } }
      }
      const response = createAuthenticator(service.origin).create(begun.public_key)
      expect((await post('finish', { registration_id: begun.registration_id, response })).status).toBe(201)
    }
  }
  return service
}

const linkOf = async (service: TestService, to: string) => {
  const mails = (await (await fetch(`${service.origin}/dev/outbox`)).json()) as { to: string; text: string }[]
  return /\/login\/link\?token=(\S+)/.exec(mails.filter((mail) => mail.to === to).at(-1)?.text ?? '')?.[1] ?? ''
}

/** Starts a sign-in for everybody, round by round, and gives what asks everything that follows from one, by what was asked. */
async function begin(service: TestService, client: string, mailed: readonly Kind[]) {
  const answers: Record<string, Partial<Record<Kind, Answer[]>>> = {}
  const keep = (what: string, kind: Kind, answer: Answer) => {
    answers[what] ??= {}
    const of = answers[what] as Partial<Record<Kind, Answer[]>>
    of[kind] = [...(of[kind] ?? []), answer]
  }
  const each = async (which: readonly Kind[], run: (kind: Kind, round: number) => Promise<void>) => {
    for (let round = 0; round < rounds; round++) for (const kind of shuffled(which)) await run(kind, round)
  }
  const jars = Object.fromEntries(kinds.map((kind) => [kind, new Map()])) as unknown as Record<Kind, Jar>
  const tokens = {} as Record<Kind, string>
  for (const kind of kinds) tokens[kind] = field((await ask(service, jars[kind], `/login?client_id=${client}`)).text, 'form_token')
  const form = (kind: Kind) => ({ form_token: tokens[kind], client_id: client })
  const byApi = Object.fromEntries(kinds.map((kind) => [kind, []])) as unknown as Record<Kind, string[]>
  const byPage = structuredClone(byApi)
  const links = structuredClone(byApi)
  await each(kinds, async (kind) => {
    const started = { method: 'email_otp', identifier: people[kind], client_id: client }
    const api = await ask(service, jars[kind], '/v1/login/start', started)
    keep('start', kind, api)
    byApi[kind].push(memberOf(api.text, 'login_id'))
  })
  await each(kinds, async (kind) => {
    const page = await ask(service, jars[kind], '/login', { ...form(kind), identifier: people[kind] })
    keep('page: start', kind, page)
    byPage[kind].push(field(page.text, 'login_id'))
    if (mailed.includes(kind)) links[kind].push(await linkOf(service, people[kind]))
  })
  // No page counts down any more, and the last of them may be sent again.
  const last = await ask(service, jars.known, '/v1/login/start', { method: 'email_otp', identifier: people.known, client_id: client })
  const again = Date.parse(memberOf(last.text, 'resend_at'))
  const code = '000000'
  return async () => {
    await new Promise((resolve) => setTimeout(resolve, again - Date.now() + 50))
    await each(kinds, async (kind, round) =>
      keep('verify', kind, await ask(service, jars[kind], '/v1/login/verify', { login_id: byApi[kind][round] ?? '', code })),
    )
    await each(kinds, async (kind, round) =>
      keep('page: code', kind, await ask(service, jars[kind], '/login/code', { ...form(kind), login_id: byPage[kind][round] ?? '', code })),
    )
    await each(mailed, async (kind, round) => {
      // Elsewhere, where the link asks for the code.
      const elsewhere: Jar = new Map()
      await ask(service, elsewhere, `/login/link?token=${links[kind][round]}`)
      const page = await ask(service, elsewhere, '/login/link')
      keep('link', kind, page)
      keep('link: code', kind, await ask(service, elsewhere, '/login/link', { form_token: field(page.text, 'form_token'), code }))
    })
    await each(kinds, async (kind, round) =>
      keep('resend', kind, await ask(service, jars[kind], '/v1/login/resend', { login_id: byApi[kind][round] ?? '' })),
    )
    await each(kinds, async (kind, round) =>
      keep('page: resend', kind, await ask(service, jars[kind], '/login/resend', { ...form(kind), login_id: byPage[kind][round] ?? '' })),
    )
    return answers
  }
}

const times = (answers: readonly Answer[] = []) => answers.map(({ ms }) => ms)

/** Where it is asked: each store, and each way. Where sign-up is shut, more differs behind the answers: there is somebody to write to, or nobody. */
const places: readonly (readonly ['sqlite' | 'postgres', string, readonly Kind[]])[] = [
  ['sqlite', 'open', ['unknown', 'known', 'passkey']],
  ['postgres', 'shut', []],
]
type Begun = Awaited<ReturnType<typeof begin>>
const services = new Map<string, TestService>()
const begun = new Map<string, Begun>()
let server: Postgres
/** Codes are told to a terminal in development alone; here that is a pipe, and who reads it may be busy. */
const terminal = vi.spyOn(process.stderr, 'write').mockReturnValue(true)
beforeAll(async () => {
  server = await startPostgres(['fsync=off'])
  services.set('sqlite', await inhabited(undefined))
  services.set('postgres', await inhabited(server.url(await server.create())))
  // All begin before any goes on: the time until a mail may be sent again passes once.
  for (const [kind, client, mailed] of places)
    begun.set(`${kind} ${client}`, await begin(services.get(kind) as TestService, client, mailed))
}, 300_000)
afterAll(async () => {
  for (const service of services.values()) await service.close()
  server.stop()
  terminal.mockRestore()
})

it.each(places)(
  'on %s nobody is told apart where sign-up is %s',
  async (kind, client, mailed) => {
    const answers = await (begun.get(`${kind} ${client}`) as Begun)()
    expect(Object.keys(answers)).toHaveLength(mailed.length > 0 ? 8 : 6)
    const apart: string[] = []
    for (const [what, { unknown = [], ...others }] of Object.entries(answers)) {
      const shapes = new Set(unknown.map(({ shape }) => shape))
      const status = what === 'verify' || what.endsWith('code') ? '401' : '200'
      expect(
        [...shapes].map((shape) => shape.split('\n')[0]),
        what,
      ).toEqual([status])
      for (const [other, theirs] of Object.entries(others)) {
        expect(new Set(theirs.map(({ shape }) => shape)), `${what}: ${other}`).toEqual(shapes)
        const which = slower(times(theirs), times(unknown), told)
        if (which !== undefined) apart.push(`${what}: ${which === 'first' ? other : 'unknown'} is slower`)
      }
    }
    expect(apart).toEqual([])
  },
  300_000,
)

it.each(['sqlite', 'postgres'])(
  'on %s two milliseconds would be seen',
  async (kind) => {
    const service = services.get(kind) as TestService
    /** Whether they are seen in so many pairs; `beside`: that those who are known are not, at the same time. */
    const block = async (beside: boolean) => {
      const taken: Record<'late' | 'known' | 'unknown', number[]> = { late: [], known: [], unknown: [] }
      for (let round = 0; round < rounds; round++)
        for (const one of shuffled(beside ? (['late', 'known', 'unknown'] as const) : (['late', 'unknown'] as const))) {
          const body = { method: 'email_otp', identifier: people[one === 'late' ? 'known' : one], client_id: 'open' }
          taken[one].push((await ask(service, new Map(), '/v1/login/start', body, one === 'late' ? 2 : 0)).ms)
        }
      if (beside) expect(slower(taken.known, taken.unknown, told)).toBeUndefined()
      const seen = slower(taken.late, taken.unknown, told)
      expect(seen).not.toBe('second')
      expect(slower(taken.unknown, taken.late, told)).toBe(seen && 'second')
      return seen
    }
    let seen = await block(false)
    for (let again = 0; again < 4 && seen === undefined; again++) seen = await block(true)
    expect(seen).toBe('first')
  },
  300_000,
)

describe('the statistic', () => {
  const noise = () => Math.abs(Math.random() ** -0.5)
  const many = (shift: number) => Array.from({ length: rounds }, () => shift + noise())

  it('counts as the binomial distribution does', () => {
    expect([fewest(10, 1 / 1024), fewest(10, 11 / 1024), fewest(10, 1)]).toEqual([10, 9, 0])
    expect(fewest(rounds, told.alpha / 2)).toBe(192)
  })

  it('cries out as seldom as it says, for times that are spread as widely as they are', () => {
    // At one in twenty for two sides with no margin: of 2000, about 86 by the whole numbers, and 141 is six deviations more.
    const cried = Array.from({ length: 2000 }, () => slower(many(0), many(0), { margin: 0, alpha: 0.05 }))
    expect(cried.filter((one) => one !== undefined).length).toBeLessThan(141)
    expect(cried.filter((one) => one !== undefined).length).toBeGreaterThan(31)
  })

  it('sees what is there, on either side, and lets pass what is within the margin', () => {
    expect(slower(many(2), many(0), told)).toBe('first')
    expect(slower(many(0), many(2), told)).toBe('second')
    const same = many(0)
    expect(
      slower(
        same.map((ms) => ms + 0.2),
        same,
        told,
      ),
    ).toBeUndefined()
    expect(
      slower(
        same.map((ms) => ms + 0.3),
        same,
        told,
      ),
    ).toBe('first')
  })
})
