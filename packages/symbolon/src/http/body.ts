// Bodies: bounded, of the one media type their path takes, each member once, and checked by the schema that is also
// documented. A refusal names the field, never the value.

import type { z } from '@hono/zod-openapi'
import { readJsonObject, SymbolonError } from '@symbolon/protocol'
import type { Http } from './context.ts'

/** The most that a body may hold, in bytes, unless its path takes more. */
const usual = 16_384

/** The body as text; throws `body_too_large` before more than the limit was read. */
async function textOf(c: Http, most: number): Promise<string> {
  if (Number(c.req.header('content-length') ?? 0) > most) throw new SymbolonError('body_too_large')
  const reader = c.req.raw.body?.getReader()
  if (reader === undefined) return ''
  c.env.waiting?.pause()
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let text = ''
  try {
    for (let bytes = 0; ; ) {
      const { done, value } = await reader.read()
      if (done) return text + decoder.decode()
      bytes += value.length
      if (bytes > most) throw new SymbolonError('body_too_large')
      text += decoder.decode(value, { stream: true })
    }
  } catch (error) {
    reader.cancel().catch(() => {})
    throw error instanceof SymbolonError ? error : new SymbolonError('invalid_request')
  } finally {
    c.env.waiting?.begin()
  }
}

const typeOf = (c: Http) => (c.req.header('content-type') ?? '').split(';', 1)[0]?.trim().toLowerCase()

function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const read = schema.safeParse(value)
  if (read.success) return read.data
  const name = read.error.issues[0]?.path.filter((part) => typeof part === 'string').join('.')
  throw new SymbolonError('invalid_request', name === undefined || name === '' ? {} : { field: name })
}

/** A JSON body; throws `unsupported_media_type`, `body_too_large` or `invalid_request`. */
export async function readJson<S extends z.ZodType>(c: Http, schema: S, most = usual): Promise<z.output<S>> {
  if (typeOf(c) !== 'application/json') throw new SymbolonError('unsupported_media_type')
  const value = readJsonObject(await textOf(c, most))
  if (value === undefined) throw new SymbolonError('invalid_request')
  return checked(schema, value)
}

/** A urlencoded form, each field once. `empty: 'omitted'`: a field without a value is none (RFC 6749 §3.1). */
export async function readForm<S extends z.ZodType>(
  c: Http,
  schema: S,
  options: { readonly empty?: 'omitted' } = {},
): Promise<z.output<S>> {
  if (typeOf(c) !== 'application/x-www-form-urlencoded') throw new SymbolonError('unsupported_media_type')
  const fields = once(new URLSearchParams(await textOf(c, usual)))
  if (options.empty !== 'omitted') return checked(schema, fields)
  return checked(schema, Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== '')))
}

/** The query, each parameter once. */
export function readQuery<S extends z.ZodType>(c: Http, schema: S): z.output<S> {
  return checked(schema, once(new URL(c.req.url).searchParams))
}

function once(parameters: URLSearchParams): Record<string, string> {
  const found: Record<string, string> = Object.create(null)
  for (const [name, value] of parameters) {
    if (Object.hasOwn(found, name)) throw new SymbolonError('invalid_request')
    found[name] = value
  }
  return { ...found }
}
