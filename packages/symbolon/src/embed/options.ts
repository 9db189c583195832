// The options of createAuth: the one schema, which the service's configuration fills too. Unknown keys and unsafe
// values are refused with one sentence that says what to do; a message never repeats a secret.

import {
  type Duration,
  type EventName,
  events,
  isClientId,
  milliseconds,
  type PublicJwk,
  readWebhookSecret,
  SymbolonError,
} from '@symbolon/protocol'
import { z } from 'zod'
import { type Captcha, type CoreEvent, type Courier, defaultPolicy, type PlacedStep, type User, waysFault } from '#core'
import { canHavePasskeys, passkeyPartyFault } from '#factors'
import { brand, brandFault } from './brand.ts'
import { duration, within } from './durations.ts'
import { hooks } from './hook-options.ts'

const origin = z.string().refine((text) => {
  if (text.includes('*')) return false
  try {
    const url = new URL(text)
    return url.origin === text && /^https?:$/.test(url.protocol)
  } catch {
    return false
  }
}, "must be an exact origin like 'https://app.example'; wildcards are refused")

const rate = z.strictObject({ limit: z.number().int().min(1).max(1_000_000), window: within('1s', '30d') })

const rotate = z.union([z.enum(['always', 'never']), duration])
const recovery = z.enum(['allow', 'step_up', 'revoke'])
const onLimit = z.enum(['deny', 'evict_oldest', 'ask'])
const signUp = z.enum(['open', 'closed'])
const names = z.array(z.string().min(1).max(80)).max(50)

/** How people sign in: names and levels of the table in docs/sign-in.md. */
const ways = {
  methods: names.min(1).optional(),
  acr: z.string().min(1).max(100).optional(),
  enrol: z.enum(['required', 'offered', 'off']).optional(),
  captcha: z.enum(['never', 'when_busy', 'always']).optional(),
  newDeviceNotice: z.boolean().optional(),
}

/** How long a step-up to another level counts (`none`: as long as the session), and a confirmation of one act. */
const stepUps = {
  stepUpLifetime: z.union([z.literal('none').transform(() => 0), within('1m', '400d')]).optional(),
  confirmationLifetime: within('60s', '5m').optional(),
}

const policy = z.strictObject({
  idle: within('1m', '400d').optional(),
  absolute: within('1m', '400d').optional(),
  maxSessions: z.number().int().min(0).max(1000).optional(),
  onLimit: onLimit.optional(),
  /** More than 15 minutes only for a service's own tokens. */
  tokenLifetime: within('60s', '1h').optional(),
  rotate: rotate.optional(),
  window: within('1s', '60s').optional(),
  recovery: recovery.optional(),
  signUp: signUp.optional(),
  ...ways,
  ...stepUps,
  scope: names.optional(),
  targets: names.optional(),
})

const client = z.strictObject({
  id: z.string().refine(isClientId, "must be a short name in lower case like 'app' or 'mobile-ios'"),
  name: z.string().min(1).max(80),
  transport: z.enum(['cookie', 'native', 'service']).default('cookie'),
  origins: z.array(origin).max(50).default([]),
  returnTo: z.array(z.string().max(2000)).max(50).default([]),
  scopes: names.default([]),
  keys: z
    .array(z.custom<PublicJwk>((value) => typeof value === 'object' && value !== null, 'must be public JWKs'))
    .max(5)
    .default([]),
  accessTokenFormat: z.enum(['jwt', 'opaque']).default('jwt'),
  audiences: names.default([]),
  policy: policy.default({}),
})

const step = z.strictObject({
  after: z.string(),
  step: z.strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_]{0,39}$/, 'must be a short name in lower case'),
    budget: within('1ms', '10s'),
    onFailure: z.enum(['deny', 'defer', 'degrade']),
    run: z.custom<PlacedStep['step']['run']>((value) => typeof value === 'function', 'must be a function'),
  }),
})

const isCaptcha = (value: unknown) =>
  typeof (value as Captcha | null)?.ask === 'function' && typeof (value as Captcha | null)?.check === 'function'

const webhookUrl = z.string().refine((text) => {
  const url = URL.canParse(text) ? new URL(text) : undefined
  return url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '' && url.hash === ''
}, "must be an address like 'https://app.example/hooks/auth', without user and fragment")

const webhook = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9_-]{0,39}$/, 'must be a short name in lower case'),
  url: webhookUrl,
  secrets: z
    .array(z.string().refine((text) => readWebhookSecret(text) !== undefined, 'must be made by `symbolon webhooks secret` (whsec_…)'))
    .min(1)
    .max(2),
  /** None named: all of them. */
  events: z
    .array(z.custom<EventName>((value) => typeof value === 'string' && Object.hasOwn(events, value), 'must be names of docs/events.md'))
    .max(50)
    .default([]),
  include: z
    .array(z.enum(['email', 'ip']))
    .max(2)
    .default([]),
  /** Whether it may lie in a private network, and be reached by http; so in development unless said. */
  allowPrivate: z.boolean().optional(),
  /** PEM; whom to trust instead of the system's authorities. */
  ca: z.string().max(100_000).optional(),
})

const smtp = z.strictObject({
  url: z
    .string()
    .refine(
      (text) => /^smtps?:\/\/./.test(text) && URL.canParse(text) && new URL(text).hostname !== '',
      "must be an address like 'smtps://user:password@mail.example'",
    ),
  from: z.string().min(3).max(320),
})

const delivery = z.union([
  z.strictObject({ smtp }),
  z.strictObject({
    custom: z.custom<Courier>((value) => typeof (value as Courier | null)?.queue === 'function', 'must have queue(delivery)'),
  }),
])

const passkeys = z.strictObject({
  /** The issuer's host unless said: a domain above it makes passkeys good for every host below that. */
  rpId: z.string().min(1).max(253).optional(),
  /** Origins of other domains whose pages use the same passkeys (`/.well-known/webauthn`). */
  origins: z.array(origin).max(20).default([]),
  /** `preferred` also takes devices that do not look who is there; such a sign-in reaches `urn:symbolon:acr:key` only. */
  verification: z.enum(['required', 'preferred']).default('required'),
})

const databaseUrl = z
  .string()
  .refine(
    (text) => /^postgres(?:ql)?:\/\/./.test(text) && URL.canParse(text),
    "must be an address like 'postgres://user:password@db.example/symbolon'",
  )

const database = z.strictObject({
  url: databaseUrl,
  schema: z
    .string()
    .regex(/^[a-z_][a-z0-9_]{0,39}$/, "must be a plain name in lower case like 'symbolon'")
    .default('symbolon'),
  /** Of this process; one more listens. */
  connections: z.number().int().min(4).max(200).default(10),
  /** How long a statement may take. */
  timeout: within('100ms', '10s').default(900),
  /** `auto` brings the tables up to date at the start; `check` refuses when they are not. */
  migrate: z.enum(['auto', 'check']).default('auto'),
  /** Without it the address says (`?sslmode=`). With it the server's certificate is checked, against `ca` (PEM) if given. */
  tls: z.union([z.literal('off'), z.strictObject({ ca: z.string().optional() })]).optional(),
})

/** All of them: docs/options.md has a line for each. */
export const schema = z.strictObject({
  issuer: z.string(),
  dev: z.boolean().default(false),
  data: z.string().min(1).default('.symbolon'),
  database: z.preprocess((value) => (typeof value === 'string' ? { url: value } : value), database).optional(),
  secrets: z.array(z.string()).max(5).default([]),
  audience: z.string().min(1).max(200).optional(),
  refresh: z
    .strictObject({
      lifetime: within('60s', '15m').optional(),
      rotate: rotate.optional(),
      window: within('1s', '60s').optional(),
      recovery: recovery.optional(),
      steps: z.array(step).max(20).optional(),
    })
    .default({}),
  session: z
    .strictObject({
      idle: within('1m', '400d').optional(),
      absolute: within('1m', '400d').optional(),
      max: z.number().int().min(0).max(1000).optional(),
      onLimit: onLimit.optional(),
      ...stepUps,
    })
    .default({}),
  signUp: signUp.default('open'),
  hooks: hooks.default({}),
  webhooks: z.array(webhook).max(20).default([]),
  signIn: z.strictObject(ways).default({}),
  clients: z.array(client).max(100).default([]),
  delivery: delivery.optional(),
  captcha: z.custom<Captcha>((value) => isCaptcha(value), 'must have the functions `ask` and `check`').optional(),
  passkeys: passkeys.prefault({}),
  keys: z
    .strictObject({
      algorithm: z.enum(['ES256', 'Ed25519', 'RS256', 'PS256']).default('ES256'),
      rotation: within('2d', '400d').default(milliseconds('30d')),
    })
    .default({ algorithm: 'ES256', rotation: milliseconds('30d') }),
  claims: z
    .custom<(user: User) => Readonly<Record<string, unknown>>>((value) => typeof value === 'function', 'must be a function')
    .optional(),
  brand: brand.default({}),
  budgets: z
    .strictObject({
      startPerAccount: rate.optional(),
      startPerAddress: rate.optional(),
      startOverall: rate.optional(),
      verifyPerAccount: rate.optional(),
      verifyPerAddress: rate.optional(),
      verifyPerDevice: rate.optional(),
      verifyOverall: rate.optional(),
      secretPerClient: rate.optional(),
      secretPerAddress: rate.optional(),
    })
    .default({}),
  trustedProxies: z.number().int().min(0).max(10).default(0),
  observe: z.custom<(event: CoreEvent) => void>((value) => typeof value === 'function', 'must be a function').optional(),
  metrics: z.custom<() => Promise<string>>((value) => typeof value === 'function', 'must be a function').optional(),
  crashPoint: z
    .string()
    .regex(/^[a-z_.]{1,60}(?: [1-9]\d{0,9})?$/)
    .optional(),
})

/** What `createAuth` takes. Durations are texts such as `'5m'`. */
export type AuthOptions = z.input<typeof schema>

/** The options read: defaults filled in, durations in milliseconds. */
export type Settings = z.output<typeof schema>

/** A refusal of an option, or of a start for another reason, as one sentence. */
export function refuseOption(
  sentence: string,
  code: 'invalid_option' | 'secret_missing' | 'store_behind' = 'invalid_option',
): SymbolonError {
  const error = new SymbolonError(code, { detail: sentence })
  error.message = sentence
  return error
}

const loopback = /^(?:localhost|127\.0\.0\.1|\[::1\])$/

/** What is wrong with an issuer, as a sentence; `undefined` when it can stand. */
export function issuerFault(issuer: string, dev: boolean): string | undefined {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined
  if (url === undefined || !/^https?:$/.test(url.protocol))
    return "issuer must be an address like 'https://auth.example' or 'https://app.example/auth'."
  const plain = `${url.origin}${url.pathname === '/' ? '' : url.pathname}`
  if (issuer !== plain || issuer.endsWith('/'))
    return `issuer must be written exactly as '${plain.replace(/\/+$/, '')}': no user, query, fragment or trailing slash.`
  if (url.protocol === 'http:' && !dev)
    return 'issuer must begin with https:// outside development; for development say dev: true (or serve --dev).'
  if (url.protocol === 'http:' && !loopback.test(url.hostname))
    return 'issuer may use http:// only on localhost, 127.0.0.1 or [::1]; use https:// elsewhere.'
  return undefined
}

/** Reads the options; throws `invalid_option` with one sentence. */
export function readOptions(options: AuthOptions): Settings {
  const read = schema.safeParse(options)
  if (!read.success) throw refuseOption(sentenceOf(read.error.issues[0]))
  const webhooks = read.data.webhooks.map((one) => ({ ...one, allowPrivate: one.allowPrivate ?? read.data.dev }))
  const settings = { ...read.data, webhooks }
  const fault =
    issuerFault(settings.issuer, settings.dev) ??
    secretFault(settings) ??
    rotateFault(settings) ??
    webhookFault(settings) ??
    passkeyPartyFault({ ...settings.passkeys, issuer: settings.issuer }) ??
    signInFault(settings) ??
    brandFault(settings)
  if (fault !== undefined) throw refuseOption(fault)
  return settings
}

function secretFault(settings: Settings): string | undefined {
  if (settings.crashPoint !== undefined && !settings.dev) return 'crashPoint is for tests and needs dev: true.'
  for (const secret of settings.secrets)
    if (new TextEncoder().encode(secret).length < 32)
      return 'secrets: each must have at least 32 bytes; make one with `openssl rand -base64 48`.'
  if (settings.dev) return undefined
  if (settings.secrets.length === 0)
    return 'secrets must be given outside development; make one with `symbolon init`, or for a trial say dev: true.'
  if (settings.delivery === undefined)
    return 'delivery must be given outside development, such as { smtp: { url, from } }, or nobody can receive a code.'
  return undefined
}

function webhookFault({ webhooks }: Settings): string | undefined {
  for (const [at, { name, url, allowPrivate }] of webhooks.entries()) {
    if (webhooks.findIndex((one) => one.name === name) < at) return `webhooks: there are two of the name ${name}.`
    if (url.startsWith('http:') && allowPrivate !== true)
      return `webhooks[${at}].url must begin with https://; http:// is for private networks, and needs allowPrivate: true.`
  }
  return undefined
}

/** Cookies never rotate at every use: a browser's parallel requests would race each other. */
function rotateFault(settings: Settings): string | undefined {
  const places: [string, 'always' | 'never' | number | undefined, number | undefined][] = [
    ['refresh.rotate', settings.refresh.rotate, settings.refresh.window],
    ...settings.clients.map((c, i): [string, 'always' | 'never' | number | undefined, number | undefined] => [
      `clients[${i}].policy.rotate`,
      c.transport === 'cookie' ? (c.policy.rotate ?? settings.refresh.rotate) : undefined,
      c.policy.window ?? settings.refresh.window,
    ]),
  ]
  for (const [name, value, window = 10_000] of places) {
    if (value === 'always') return `${name}: cookies cannot rotate at every use; say 'never' or an interval of at least ten windows.`
    if (typeof value === 'number' && value < 10 * window) return `${name} must be at least ten times the window of ${window / 1000} s.`
  }
  return undefined
}

/** Nobody could sign in. Clients are looked at with every start: the defaults that they build on may be others than at the last. */
function signInFault({ signIn, clients, issuer, passkeys }: Settings): string | undefined {
  const place = { passkeys: canHavePasskeys({ issuer, rpId: passkeys.rpId }) }
  const { methods = defaultPolicy.methods, acr = defaultPolicy.acr } = signIn
  const own = clients.map(({ policy }, at) => ({ at: `clients[${at}].policy`, ...policy }))
  for (const one of [{ at: 'signIn', methods, acr }, ...own]) {
    const fault = waysFault({ methods: one.methods ?? methods, acr: one.acr ?? acr }, place)
    if (fault === 'methods') return `${one.at}.methods must be names such as 'email_otp', and 'email_link' only beside it.`
    if (fault === 'acr')
      return `${one.at}.acr must be a level of docs/sign-in.md that ${one.at}.methods can reach${place.passkeys ? '' : '; a host that is an address of numbers has no passkeys'}.`
  }
  return undefined
}

function sentenceOf(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return 'The options are not valid.'
  const place = issue.path.map((part, i) => (typeof part === 'number' ? `[${part}]` : i === 0 ? String(part) : `.${String(part)}`)).join('')
  if (issue.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? ''
    return `There is no option ${place === '' ? key : `${place}.${key}`}; remove it or check its spelling.`
  }
  if (issue.code === 'invalid_union') {
    const inner = issue.errors.flat()
    const near = inner.find((one) => one.path.length > 0 && one.code !== 'unrecognized_keys') ?? inner.find((one) => one.code === 'custom')
    if (near !== undefined) return sentenceOf({ ...near, path: [...issue.path, ...near.path] } as z.core.$ZodIssue)
  }
  if (place === '') return 'createAuth takes one object of options; only issuer is required.'
  const message = issue.message.startsWith('must') ? issue.message : `is not valid (${issue.message.replace(/^Invalid input: /, '')})`
  return `${place} ${message}.`
}

/**
 * Places a custom step of the refresh pipeline after one of the default steps
 * (record, user, client, limits, binding, risk, claims).
 * @example
 * after('claims', { name: 'plan', budget: '50ms', onFailure: 'degrade', run: async (r) => r.addClaims({ plan: 'free' }) })
 */
export function after(
  place: string,
  custom: Omit<PlacedStep['step'], 'budget'> & { readonly budget: Duration },
): { readonly after: string; readonly step: Omit<PlacedStep['step'], 'budget'> & { readonly budget: Duration } } {
  return { after: place, step: custom }
}
