// The clients that configuration names, brought into the store: made when missing, changed when they differ, never removed.

import { isDeepStrictEqual } from 'node:util'
import { SymbolonError } from '@symbolon/protocol'
import { type Core, type NewClient, publicKeysOf } from '#core'
import { refuseOption, type Settings } from './options.ts'

/** The first-party client that exists from the start. */
const app = (name: string): NewClient & { readonly id: string } => ({ id: 'app', name, transport: 'cookie' })

/** Brings the configured clients into the store. */
export async function ensureClients(core: Core, settings: Settings): Promise<void> {
  const configured = settings.clients.map((client) => ({ ...client, policy: definedOnly(client.policy) }))
  const all = configured.some((client) => client.id === 'app')
    ? configured
    : [app(settings.brand.name ?? 'this application'), ...configured]
  for (const client of all) {
    const {
      id,
      name,
      transport,
      origins = [],
      returnTo = [],
      scopes = [],
      keys: given = [],
      accessTokenFormat = 'jwt',
      audiences = [],
      policy = {},
    } = client as NewClient & { id: string }
    // As they would be kept, so that a start changes nothing that is as configured.
    const keys = publicKeysOf(given) ?? given
    const found = await core.clients.find(id)
    if (found === undefined) {
      const created = await core.clients.create(
        { id, name, transport, origins, returnTo, scopes, keys, accessTokenFormat, audiences, policy },
        'configuration',
      )
      // Another process may have made it in this very moment.
      if (!created.ok && created.code !== 'conflict')
        throw refuseOption(`The client ${id} cannot stand as it is configured (${created.options?.field ?? created.code}).`)
      continue
    }
    if (found.transport !== transport)
      throw refuseOption(`The client ${id} is a ${found.transport} client in the store; give the new one another id.`)
    const wanted = { name, origins, returnTo, scopes, keys, accessTokenFormat, audiences, policy }
    const held = {
      name: found.name,
      origins: found.origins,
      returnTo: found.returnTo,
      scopes: found.scopes,
      keys: found.keys,
      accessTokenFormat: found.accessTokenFormat,
      audiences: found.audiences,
      policy: found.policy,
    }
    if (isDeepStrictEqual(wanted, held)) continue
    // Without configuration of its own, `app` stays as an operator changed it.
    if (!settings.clients.some((one) => one.id === id)) continue
    const changed = await core.clients.change(id, wanted, 'configuration')
    if (!changed.ok) throw refuseOption(`The client ${id} cannot stand as it is configured (${changed.options?.field ?? changed.code}).`)
  }
}

/** Leaves out what was not said; throws nothing. */
export function definedOnly<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(value).filter(([, one]) => one !== undefined)) as never
}

/** An error as a sentence: for logs and terminals. */
export function sentenceOf(error: unknown): string {
  if (error instanceof SymbolonError) return error.code === 'key_unopenable' ? (error.detail ?? error.message) : error.message
  return error instanceof Error ? error.message : String(error)
}
