// The page of options holds: a line for each option, variable and route of the operator, and no line for what there is not; the
// defaults that it tells are those that hold.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Duration, milliseconds, parseDuration } from '@symbolon/protocol'
import { Hono } from 'hono'
import { expect, it } from 'vitest'
import { z } from 'zod'
import { defaultBudgets, defaultPolicy } from '../../src/core/policy.ts'
import { type AuthOptions, readOptions, schema } from '../../src/embed/options.ts'
import { adminInputs, adminRoutes } from '../../src/http/routes/admin.ts'
import { readConfiguration, variableNames } from '../../src/server/configuration.ts'

const root = fileURLToPath(new URL('../../../..', import.meta.url))
const source = join(root, 'packages/symbolon/src')
const page = readFileSync(join(root, 'docs/options.md'), 'utf8')

interface Row {
  readonly section: string
  readonly name: string
  readonly cells: readonly string[]
}
/** Every row of every table, by the heading that it stands under; its first cell in back quotes. */
const rows: readonly Row[] = page.split(/^## /m).flatMap((part) => {
  const section = part.split('\n')[0] ?? ''
  return [...part.matchAll(/^\| `([^`]+)` +\|(.*)\|$/gm)].map(([, name = '', rest = '']) => {
    const cells = rest.split('|').map((cell) => cell.trim())
    return { section, name, cells }
  })
})
const inSection = (name: string) => rows.filter(({ section }) => section === name)
const special = ['Other variables', "The operator's API"]
const options = rows.filter(({ section }) => !special.includes(section))
const quoted = (cell = '') => [...cell.matchAll(/`([^`]+)`/g)].map(([, text = '']) => text)

type Json = {
  readonly properties?: Record<string, Json>
  readonly items?: Json
  readonly anyOf?: readonly Json[]
}
/** The paths of all options. A rate is one option; the names of own texts stand with the texts (docs/pages.md). */
const pathsOf = (one: Json, path = ''): readonly string[] => {
  if (path === 'brand.texts' || /^budgets\.\w/.test(path)) return [path]
  const parts = [one, ...(one.anyOf ?? [])]
  const inner = parts.flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([name, held]) => pathsOf(held, path === '' ? name : `${path}.${name}`)),
  )
  const entries = parts.flatMap(({ items }) => (items?.properties === undefined ? [] : pathsOf(items, `${path}[]`)))
  // What holds others is no line of its own, but a list of them is, and what may be one word instead.
  const alone = inner.length === 0 || (one.anyOf ?? []).some(({ properties }) => properties === undefined)
  return [...(alone || entries.length > 0 ? [path] : []), ...inner, ...entries]
}
const paths = pathsOf(z.toJSONSchema(schema, { unrepresentable: 'any', io: 'output' }) as Json)
const ofProcess = ['host', 'port', 'adminHost', 'adminPort', 'logLevel', 'secretsFile']

const run = () => undefined
/** No more than must be said, of everything that can be. */
const least = () => ({
  issuer: 'https://auth.example',
  secrets: ['a-secret-of-at-least-thirty-two-bytes'],
  delivery: { smtp: { url: 'smtps://mail.example', from: 'a@b.example' } },
  database: { url: 'postgres://db.example/symbolon' },
  refresh: { steps: [{ after: 'claims', step: { name: 'plan', budget: '50ms', onFailure: 'deny', run } }] },
  hooks: { beforeUserCreated: { run }, beforeEmailChanged: { run }, afterSignIn: { run }, beforeMessage: { run } },
  webhooks: [{ name: 'crm', url: 'https://crm.example', secrets: [`whsec_${Buffer.alloc(32, 7).toString('base64')}`] }],
  clients: [{ id: 'app', name: 'App' }],
})

type Held = Record<string, unknown> | undefined
const at = (value: unknown, path: string): unknown =>
  path
    .replaceAll('[]', '.0')
    .split('.')
    .reduce((held: unknown, name) => (held as Held)?.[name], value)
const without = (path: string): unknown => {
  const whole = least()
  const [, above = '', name = ''] = /^(?:(.*)\.)?([^.]+)$/.exec(path) ?? []
  delete ((above === '' ? whole : at(whole, above)) as Record<string, unknown>)[name]
  return whole
}

const settings = readOptions(least() as AuthOptions)
const empty = readOptions({ issuer: 'http://localhost:3000', dev: true })
const process_ = readConfiguration({ env: { SYMBOLON_ISSUER: 'https://auth.example' }, dev: false })

/** The option for all clients that a client's policy is in place of. */
const forAll = (name: string) => {
  const other: Record<string, string> = { maxSessions: 'session.max', tokenLifetime: 'refresh.lifetime' }
  return other[name] ?? [`session.${name}`, `refresh.${name}`, `signIn.${name}`, name].find((path) => paths.includes(path))
}
const policyName = (path: string) => Object.keys(defaultPolicy).find((name) => forAll(name) === path)

/** What holds when an option is not said: as it is read, or else as the service fills it in. */
function inForce(path: string): unknown {
  if (ofProcess.includes(path)) return process_[path as 'host'] ?? undefined
  const read = at(path.includes('[]') || at(least(), path) === undefined ? settings : empty, path)
  if (read !== undefined) return read
  if (path.startsWith('budgets.')) return defaultBudgets[path.slice(8) as 'startOverall']
  const name = policyName(path)
  if (name !== undefined) return defaultPolicy[name as 'idle']
  if (path.startsWith('clients[].policy.') && forAll(path.slice(17)) === undefined) return defaultPolicy[path.slice(17) as 'scope']
  return undefined
}

/** A default as it is written on the page, in milliseconds where it is a duration. */
const written = (text: string): unknown =>
  JSON.parse(text.replaceAll("'", '"').replace(/([{,] ?)(\w+):/g, '$1"$2":'), (_, value) =>
    typeof value === 'string' && parseDuration(value) !== undefined ? milliseconds(value as Duration) : value,
  )

it('has one line for each option, and none for what is no option', () => {
  expect(paths.length).toBeGreaterThan(90)
  expect(options.map(({ name }) => name).sort()).toEqual([...paths, ...ofProcess].sort())
  const known = Object.keys(process_).filter((name) => name !== 'auth' && name !== 'file')
  expect(known.sort()).toEqual([...ofProcess].sort())
})

it('tells the defaults that hold', () => {
  for (const { name, cells } of options) {
    const [, told = ''] = cells
    const [value] = quoted(told)
    if (told.startsWith('required')) {
      expect(() => readOptions(least() as AuthOptions)).not.toThrow()
      expect(() => readOptions(without(name) as AuthOptions), name).toThrow()
    } else if (told.startsWith('as `') && name.startsWith('clients[].policy.')) expect(value, name).toBe(forAll(name.slice(17)))
    else if (told.startsWith('as `')) expect(inForce(name), name).toEqual(inForce(value ?? ''))
    else if (told.startsWith('`')) expect(written(value ?? ''), name).toEqual(inForce(name))
    else expect(inForce(name), `${name} has a default, and its line tells none`).toBeUndefined()
  }
})

it('names each variable where it tells what it sets', () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-options-'))
  try {
    const secrets = join(folder, 'secrets')
    writeFileSync(secrets, 'a-secret-of-at-least-thirty-two-bytes', { mode: 0o600 })
    const samples: Record<string, string> = {
      SYMBOLON_SECRETS_FILE: secrets,
      SYMBOLON_WEBHOOKS: '[{"name":"crm"}]',
      SYMBOLON_LOG_LEVEL: 'debug',
    }
    const base = { SYMBOLON_ISSUER: 'https://auth.example' }
    /** Every value by its path, a list as a whole too. */
    const leaves = (value: unknown, path: string): readonly [string, string][] =>
      typeof value !== 'object' || value === null
        ? [[path, JSON.stringify(value)]]
        : Array.isArray(value)
          ? [[path, JSON.stringify(value)], ...value.flatMap((one) => leaves(one, `${path}[]`))]
          : Object.entries(value).flatMap(([name, held]) => leaves(held, path === '' ? name : `${path}.${name}`))
    const flat = (env: Record<string, string>) => {
      const { auth, ...rest } = readConfiguration({ env, dev: false })
      return new Map(leaves({ ...auth, ...rest }, ''))
    }
    const told = options.filter(({ cells }) => quoted(cells[0]).length > 0)
    for (const { name, cells } of told)
      for (const variable of quoted(cells[0]).filter((text) => text.startsWith('SYMBOLON_'))) {
        const [before, after] = [flat(base), flat({ ...base, [variable]: samples[variable] ?? '7' })]
        expect(
          [...after].filter(([path, value]) => before.get(path) !== value).map(([path]) => path),
          variable,
        ).toContain(name)
      }
    const named = [...told.flatMap(({ cells }) => quoted(cells[0])), ...inSection('Other variables').map(({ name }) => name)]
    expect(named.filter((text) => text.startsWith('SYMBOLON_')).sort()).toEqual([...variableNames].sort())
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

it('knows every variable that the sources name', () => {
  const files = readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'))
  const used = files.flatMap((file) =>
    [...readFileSync(join(source, file), 'utf8').matchAll(/\bSYMBOLON_[A-Z_]+\b/g)].map(([name]) => name),
  )
  expect(new Set(used)).toContain('SYMBOLON_ADMIN_KEY')
  expect([...new Set(used)].filter((name) => !name.endsWith('_') && !variableNames.includes(name))).toEqual([])
})

it('has one line for each route of the operator, with the fields that it takes', () => {
  const app = new Hono<never>()
  adminRoutes(app, { core: {}, webhooks: {} } as never)
  const routes = app.routes.map(({ method, path }) => `${method} ${path}`)
  const told = inSection("The operator's API")
  expect(told.map(({ name }) => name).sort()).toEqual([...routes].sort())
  // Which input a route reads stands in its own lines.
  const text = readFileSync(join(source, 'http/routes/admin.ts'), 'utf8')
  const inputs = new Map(
    text.split(/^ {2}app\./m).flatMap((block) => {
      const [, method = '', path = ''] = /^(\w+)\('([^']+)'/.exec(block) ?? []
      const input = /read(?:Json|Query)\(c, (\w+)\)/.exec(block)?.[1]
      return input === undefined ? [] : [[`${method.toUpperCase()} ${path}`, input] as const]
    }),
  )
  expect(inputs.size).toBe(8)
  for (const { name, cells } of told) {
    const input = inputs.get(name)
    const fields = input === undefined ? [] : Object.keys(adminInputs[input as 'newUser'].shape)
    expect(quoted(cells[0]).sort(), name).toEqual(fields.sort())
  }
})

it('takes the same policy by file and by the operator', () => {
  const byFile = options.filter(({ name }) => name.startsWith('clients[].policy.')).map(({ name }) => name.slice(17))
  expect(Object.keys(adminInputs.policy.shape).sort()).toEqual(byFile.sort())
  expect(Object.keys(defaultPolicy).sort()).toEqual(byFile.sort())
})
