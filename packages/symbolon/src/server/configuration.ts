// Configuration of the process: a file, then the environment over it, into the options of createAuth. The only place that
// reads the environment. What is not known or not safe is refused with one sentence that says what to do.

import { existsSync, readFileSync } from 'node:fs'
import { SymbolonError } from '@symbolon/protocol'
import { type AuthOptions, readSecretFile } from '#embed'
import { readCommentedJson } from './commented-json.ts'

/** Everything the process needs to know. */
export interface Configuration {
  readonly auth: AuthOptions
  readonly host: string
  readonly port: number
  readonly adminHost: string
  readonly adminPort: number
  readonly logLevel: LogLevel
  /** Where it was read from; null without a file. */
  readonly file: string | null
  /** The file of server secrets; null when they come from elsewhere. */
  readonly secretsFile: string | null
}

/** How much is logged. */
export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent'

/** What the command line says. */
export interface ConfigurationInput {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly dev: boolean
  readonly file?: string | undefined
}

/** Refuses with a sentence. */
export function refuseConfiguration(sentence: string): SymbolonError {
  const error = new SymbolonError('invalid_option', { detail: sentence })
  error.message = sentence
  return error
}

const levels: readonly string[] = ['debug', 'info', 'warn', 'error', 'silent'] satisfies LogLevel[]

function portOf(name: string, text: string): number {
  const port = Number(text)
  if (!/^\d{1,5}$/.test(text) || port > 65_535) throw refuseConfiguration(`${name} must be a port from 0 to 65535.`)
  return port
}

const words = (text: string) =>
  text
    .split(',')
    .map((word) => word.trim())
    .filter((word) => word !== '')

type Settings = Record<string, unknown>
const within = (settings: Settings, name: string): Settings => {
  const held = settings[name]
  const inner = typeof held === 'object' && held !== null ? { ...(held as Settings) } : {}
  settings[name] = inner
  return inner
}
/** The first-party client, whose origins and return addresses the environment may name. */
const app = (settings: Settings): Settings => {
  // What is no list of objects stays as it is, to be refused by the schema.
  if (settings.clients !== undefined && !Array.isArray(settings.clients)) return {}
  const clients = [...((settings.clients ?? []) as (Settings | null)[])]
  const at = clients.findIndex((client) => client?.id === 'app')
  const held = at < 0 ? { id: 'app', name: 'this application' } : { ...clients[at] }
  if (at < 0) clients.push(held)
  else clients[at] = held
  settings.clients = clients
  return held
}

/** The database, which a file may name by its address alone. */
const databaseOf = (settings: Settings): Settings => {
  if (typeof settings.database === 'string') settings.database = { url: settings.database }
  return within(settings, 'database')
}

/** Each variable, and what it sets. */
const variables: Readonly<Record<string, (settings: Settings, value: string, name: string) => void>> = {
  SYMBOLON_HOST: (s, value) => {
    s.host = value
  },
  SYMBOLON_PORT: (s, value, name) => {
    s.port = portOf(name, value)
  },
  SYMBOLON_ADMIN_HOST: (s, value) => {
    s.adminHost = value
  },
  SYMBOLON_ADMIN_PORT: (s, value, name) => {
    s.adminPort = portOf(name, value)
  },
  SYMBOLON_DATA: (s, value) => {
    s.data = value
  },
  SYMBOLON_DATABASE_URL: (s, value) => {
    databaseOf(s).url = value
  },
  SYMBOLON_DATABASE_SCHEMA: (s, value) => {
    databaseOf(s).schema = value
  },
  SYMBOLON_DATABASE_CONNECTIONS: (s, value, name) => {
    if (!/^\d{1,3}$/.test(value)) throw refuseConfiguration(`${name} must be a number of connections, such as 10.`)
    databaseOf(s).connections = Number(value)
  },
  SYMBOLON_DATABASE_MIGRATE: (s, value) => {
    databaseOf(s).migrate = value
  },
  SYMBOLON_ISSUER: (s, value) => {
    s.issuer = value
  },
  SYMBOLON_AUDIENCE: (s, value) => {
    s.audience = value
  },
  SYMBOLON_SECRETS: (s, value) => {
    s.secrets = words(value)
  },
  SYMBOLON_SECRETS_FILE: (s, value) => {
    s.secretsFile = value
  },
  SYMBOLON_SIGN_UP: (s, value) => {
    s.signUp = value
  },
  SYMBOLON_SMTP_URL: (s, value) => {
    within(within(s, 'delivery'), 'smtp').url = value
  },
  SYMBOLON_SMTP_FROM: (s, value) => {
    const delivery = within(s, 'delivery')
    delivery.smtp = { ...(delivery.smtp as Settings | undefined), from: value }
  },
  SYMBOLON_TRUSTED_PROXIES: (s, value, name) => {
    if (!/^\d{1,2}$/.test(value)) throw refuseConfiguration(`${name} must be a number of proxies, such as 1.`)
    s.trustedProxies = Number(value)
  },
  SYMBOLON_APP_NAME: (s, value) => {
    app(s).name = value
  },
  SYMBOLON_APP_ORIGINS: (s, value) => {
    app(s).origins = words(value)
  },
  SYMBOLON_APP_RETURN_TO: (s, value) => {
    app(s).returnTo = words(value)
  },
  SYMBOLON_BRAND_NAME: (s, value) => {
    within(s, 'brand').name = value
  },
  SYMBOLON_BRAND_LOGO: (s, value) => {
    within(s, 'brand').logo = value
  },
  SYMBOLON_BRAND_ACCENT: (s, value) => {
    within(s, 'brand').accent = value
  },
  SYMBOLON_BRAND_RADIUS: (s, value, name) => {
    if (!/^\d{1,2}$/.test(value)) throw refuseConfiguration(`${name} must be a number of pixels, such as 10.`)
    within(s, 'brand').radius = Number(value)
  },
  SYMBOLON_WEBHOOKS: (s, value) => {
    s.webhooks = webhooksOf(value)
  },
  SYMBOLON_LOG_LEVEL: (s, value) => {
    s.logLevel = value
  },
  SYMBOLON_CRASH_POINT: (s, value) => {
    s.crashPoint = value
  },
}

/** Read elsewhere: where the configuration is, and the key a command calls the operator's listener with. */
const notSettings: ReadonlySet<string> = new Set(['SYMBOLON_CONFIG', 'SYMBOLON_ADMIN_KEY'])

/** All there are: docs/options.md has a line for each. */
export const variableNames: readonly string[] = [...Object.keys(variables), ...notSettings]

/** Reads the configuration; throws `invalid_option` with one sentence. */
export function readConfiguration({ env, dev, file: wanted }: ConfigurationInput): Configuration {
  const named = wanted ?? env.SYMBOLON_CONFIG
  const file = named ?? (existsSync('symbolon.config.jsonc') ? 'symbolon.config.jsonc' : null)
  const settings: Settings = file === null ? {} : readFile(file)
  for (const [name, value] of Object.entries(env)) {
    if (!name.startsWith('SYMBOLON_') || notSettings.has(name) || value === undefined || value === '') continue
    const set = variables[name]
    if (set === undefined)
      throw refuseConfiguration(`There is no variable ${name}; remove it or check its spelling (symbolon serve --help lists them).`)
    set(settings, value, name)
  }

  const { host, port = 4000, adminHost = '127.0.0.1', adminPort = 4001, logLevel = 'info', secretsFile, ...rest } = settings
  if (typeof logLevel !== 'string' || !levels.includes(logLevel)) throw refuseConfiguration(`logLevel must be one of ${levels.join(', ')}.`)
  for (const [name, value] of Object.entries({ port, adminPort })) portOf(name, String(value))
  for (const [name, value] of Object.entries({ host, adminHost }))
    if (value !== undefined && (typeof value !== 'string' || value === ''))
      throw refuseConfiguration(`${name} must be an address to listen on.`)
  if (rest.data !== undefined && typeof rest.data !== 'string') throw refuseConfiguration('data must be the path of a directory.')
  if (secretsFile !== undefined && typeof secretsFile !== 'string') throw refuseConfiguration('secretsFile must be the path of a file.')
  if (secretsFile !== undefined) {
    // Which of them the store was sealed with is not for us to guess, and a secret that is nowhere used is one more to lose.
    if (rest.secrets !== undefined) throw refuseConfiguration(twofold(env, file))
    rest.secrets = secretsOf(secretsFile)
  }
  if (dev) rest.dev = true
  if (rest.dev === true) rest.issuer ??= `http://localhost:${port}`
  if (rest.issuer === undefined)
    throw refuseConfiguration(
      'issuer is missing: say where this service is reached, such as SYMBOLON_ISSUER=https://auth.example, or try it with --dev.',
    )
  return {
    auth: rest as unknown as AuthOptions,
    // Development listens for this machine only.
    host: (host as string | undefined) ?? (rest.dev === true ? '127.0.0.1' : '0.0.0.0'),
    port: port as number,
    adminHost: adminHost as string,
    adminPort: adminPort as number,
    logLevel: logLevel as LogLevel,
    file,
    secretsFile: secretsFile ?? null,
  }
}

function twofold(env: ConfigurationInput['env'], file: string | null): string {
  const placeOf = (variable: string, name: string) => (env[variable] ? variable : `${name} in ${file}`)
  const [here, there] = [placeOf('SYMBOLON_SECRETS', 'secrets'), placeOf('SYMBOLON_SECRETS_FILE', 'secretsFile')]
  return `Secrets are given twice, by ${here} and by ${there}; remove ${here}, or ${there} if that is the one out of use.`
}

function readFile(file: string): Settings {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw refuseConfiguration(`The configuration ${file} cannot be read; check its path and mode, or make one with \`symbolon init\`.`)
  }
  const settings = readCommentedJson(text)
  if (settings === undefined)
    throw refuseConfiguration(
      `The configuration ${file} is not one JSON object (comments are fine); mend it or make a new one with \`symbolon init\`.`,
    )
  if (holdsSecret(settings)) readSecretFile(file)
  return { ...settings }
}

const hasPassword = (url: unknown): boolean => {
  if (typeof url !== 'string' || !URL.canParse(url)) return false
  const { password, searchParams } = new URL(url)
  return password !== '' || searchParams.has('password')
}

/** Whether a secret stands in a configuration itself: then only its owner may read it, as any file of secrets. */
function holdsSecret({ secrets, webhooks, database, delivery }: Settings): boolean {
  const { smtp } = (delivery ?? {}) as { readonly smtp?: { readonly url?: unknown } }
  const urls = [typeof database === 'string' ? database : (database as { readonly url?: unknown } | undefined)?.url, smtp?.url]
  return urls.some(hasPassword) || (Array.isArray(secrets) && secrets.length > 0) || (Array.isArray(webhooks) && webhooks.length > 0)
}

/** Webhooks as JSON, or from a file that only its owner reads: their secrets stand in it. */
function webhooksOf(value: string): unknown {
  const text = value.trimStart().startsWith('[') ? value : readSecretFile(value)
  if (text === undefined) throw refuseConfiguration('SYMBOLON_WEBHOOKS names a file that is not there.')
  const read = readCommentedJson(`{"webhooks":${text}}`)
  if (!Array.isArray(read?.webhooks)) throw refuseConfiguration('SYMBOLON_WEBHOOKS must be a list in JSON, or a file that holds one.')
  return read.webhooks
}

/** Secrets from a file that only its owner reads: one a line, the newest first. */
function secretsOf(path: string): readonly string[] {
  const text = readSecretFile(path)
  if (text === undefined)
    throw refuseConfiguration(
      `The secrets file ${path} is missing; put it back from your backup (a new one would end every session), or make a first one with \`symbolon init\`.`,
    )
  return text
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'))
}
