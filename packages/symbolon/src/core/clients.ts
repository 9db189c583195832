// Applications and services registered with the server, their secrets (shown once, stored as hashes, two at most) and
// their policies. Origins and return addresses are exact; there are no wildcards.

import { type FeedHead, fromBase64url, isClientId, SymbolonError, toBase64url } from '@symbolon/protocol'
import type { Clients, CoreOptions, NewClient, Refused } from './api.ts'
import { createBudgets } from './budgets.ts'
import { publicKeysOf } from './client-keys.ts'
import { waysFault } from './login/levels.ts'
import type { Client, ClientPolicy } from './model.ts'
import type { AuditDraft, Ports } from './ports.ts'
import { refuse } from './session.ts'

const site = 'https?://(?:[a-z0-9-]+(?:\\.[a-z0-9-]+)*|\\[[0-9a-f:.]+\\])(?::\\d{1,5})?'
const origin = new RegExp(`^${site}$`)
/** A path of our own, or an address on an origin spelled as browsers spell it. */
const returnAddress = new RegExp(`^(?:/(?![/\\\\])|${site}(?![^/?#]))[\\x21-\\x5b\\x5d-\\x7e]*$`)
const word = /^[\x21\x23-\x5b\x5d-\x7e]{1,200}$/

const field = (name: string): Refused => ({ ok: false, code: 'invalid_request', options: { field: name } })

/** Why a client cannot stand as it is, or `undefined`. */
function faultOf(
  client: Pick<Client, 'name' | 'transport' | 'origins' | 'returnTo' | 'scopes' | 'audiences' | 'policy' | 'keys' | 'accessTokenFormat'>,
  defaults: Pick<ClientPolicy, 'methods' | 'acr' | 'rotate' | 'window'>,
  place: { readonly passkeys: boolean },
): Refused | undefined {
  if (client.name.length < 1 || client.name.length > 80) return field('name')
  if (client.origins.length > 50 || !client.origins.every((text) => origin.test(text))) return field('origins')
  if (client.returnTo.length > 50 || !client.returnTo.every((text) => text.length <= 2000 && returnAddress.test(text)))
    return field('returnTo')
  if (client.scopes.length > 50 || !client.scopes.every((text) => word.test(text))) return field('scopes')
  if (client.audiences.length > 50 || !client.audiences.every((text) => word.test(text))) return field('audiences')
  if (client.keys.length > 0 && client.transport !== 'service') return field('keys')
  if (client.accessTokenFormat !== 'jwt' && client.accessTokenFormat !== 'opaque') return field('accessTokenFormat')
  const { policy } = client
  if ((policy.scope ?? []).some((text) => !word.test(text))) return field('policy.scope')
  if ((policy.targets ?? []).some((text) => !word.test(text))) return field('policy.targets')
  const within = (value: number | undefined, least: number, most: number) => value === undefined || (value >= least && value <= most)
  if (!within(policy.tokenLifetime, 60_000, client.transport === 'service' ? 3_600_000 : 900_000)) return field('policy.tokenLifetime')
  if (!within(policy.idle, 60_000, 400 * 86_400_000) || !within(policy.absolute, 60_000, 400 * 86_400_000)) return field('policy.idle')
  const ways = policy.methods === undefined && policy.acr === undefined ? undefined : waysFault({ ...defaults, ...policy }, place)
  if (ways !== undefined) return field(`policy.${ways}`)
  if (policy.stepUpLifetime !== 0 && !within(policy.stepUpLifetime, 60_000, 400 * 86_400_000)) return field('policy.stepUpLifetime')
  if (!within(policy.confirmationLifetime, 60_000, 300_000)) return field('policy.confirmationLifetime')
  if (!within(policy.window, 1000, 60_000)) return field('policy.window')
  if (client.transport === 'cookie' && policy.rotate === 'always') return field('policy.rotate')
  const { rotate, window } = { ...defaults, ...policy }
  const own = client.transport === 'cookie' && (policy.rotate !== undefined || policy.window !== undefined)
  if (own && typeof rotate === 'number' && rotate < 10 * window) return field('policy.rotate')
  return undefined
}

/** How many proven secrets are remembered, as hashes. */
const mostProven = 1000

/** Creates the clients' verbs. */
export function createClients(
  { store, crypto, passkeys }: Pick<Ports, 'store' | 'crypto'> & Partial<Pick<Ports, 'passkeys'>>,
  policyOf: (client: Client) => ClientPolicy,
  { budgets: rates, policy: defaults }: Pick<CoreOptions, 'budgets' | 'policy'>,
): Clients {
  const budgets = createBudgets(crypto, rates)
  const place = { passkeys: passkeys?.possible === true }
  /** Secrets that were right here once: showing one again is no guess. Whether it is right still, the store says each time. */
  const proven = new Set<string>()
  const audit = (event: string, clientId: string, by: string) => [{ event, userId: null, sid: null, clientId, ip: null, detail: { by } }]
  const newSecret = () => {
    const bytes = crypto.random(32)
    return { secret: `sys_${toBase64url(bytes)}`, hash: toBase64url(crypto.hash(bytes)) }
  }
  const nothing = toBase64url(crypto.hash('no client'))
  const stored = ({ epoch: _, createdAt: __, tenant: ___, ...client }: Client) => client

  /** Changes a record as it is: when somebody else was faster, once more from what they left. */
  const alter = async (
    id: string,
    change: (client: Client) => Partial<Client> | Refused,
    drafts: readonly AuditDraft[],
  ): Promise<{ readonly ok: true; readonly client: Client; readonly head: FeedHead } | Refused> => {
    for (let turn = 0; turn < 3; turn++) {
      const before = isClientId(id) ? await store.clients.find(id) : undefined
      if (before === undefined) return refuse('not_found')
      const changed = change(before)
      if ('code' in changed) return changed as Refused
      const keys = changed.keys === undefined ? before.keys : publicKeysOf(changed.keys)
      if (keys === undefined) return field('keys')
      const next = { ...stored(before), ...changed, keys }
      const fault = faultOf(next, defaults, place)
      // What stood there before keeps nobody from disabling the client.
      const stood = changed.status === 'disabled' && !((String(fault?.options?.field).split('.')[0] as string) in changed)
      if (fault !== undefined && !stood) return fault
      const put = await store.clients.put(next, before, drafts)
      if (put !== 'conflict') return { ok: true, ...put }
    }
    return refuse('conflict')
  }

  return {
    async create(input: NewClient, by) {
      const id = input.id ?? `cli_${toBase64url(crypto.random(16))}`
      if (!isClientId(id)) return field('id')
      const made = input.transport === 'service' ? newSecret() : undefined
      const {
        name,
        transport,
        origins = [],
        returnTo = [],
        scopes = [],
        keys: given = [],
        accessTokenFormat = 'jwt',
        audiences = [],
        policy = {},
      } = input
      const keys = publicKeysOf(given)
      if (keys === undefined) return field('keys')
      const client = {
        id,
        name,
        transport,
        origins,
        returnTo,
        scopes,
        keys,
        accessTokenFormat,
        audiences,
        policy,
        status: 'active' as const,
        secretHashes: made === undefined ? [] : [made.hash],
      }
      const fault = faultOf(client, defaults, place)
      if (fault !== undefined) return fault
      const put = await store.clients.put(client, null, audit('client.created', id, by))
      return put === 'conflict' ? refuse('conflict') : { ok: true, client: put.client, secret: made?.secret ?? null }
    },
    find: async (id) => (isClientId(id) ? store.clients.find(id) : undefined),
    list: async () => store.clients.list(),
    async origins() {
      const clients = await store.clients.list()
      return clients.filter(({ status, transport }) => status === 'active' && transport === 'cookie').flatMap(({ origins }) => origins)
    },
    change: (id, change, by) => alter(id, () => change, audit('client.changed', id, by)),
    async bumpEpoch(id, by) {
      const bumped = isClientId(id) ? await store.clients.bump(id, audit('client.epoch', id, by)) : undefined
      return bumped === undefined ? refuse('not_found') : { ok: true, ...bumped }
    },
    async rotateSecret(id, by) {
      const { secret, hash } = newSecret()
      const rotated = await alter(
        id,
        ({ transport, secretHashes }) =>
          transport === 'service' ? { secretHashes: [hash, ...secretHashes].slice(0, 2) } : field('transport'),
        audit('client.secret_rotated', id, by),
      )
      return rotated.ok ? { ok: true, secret } : rotated
    },
    removeOldSecret: (id, by) =>
      alter(id, ({ secretHashes }) => ({ secretHashes: secretHashes.slice(0, 1) }), audit('client.secret_removed', id, by)),
    async authenticate(id, secret, ip = null) {
      const guess = toBase64url(crypto.hash(`${id}\n${secret}`))
      if (!proven.has(guess)) {
        // Charged by a committed write before anything is compared; a service pays once for each process that it meets.
        const spent = await store.limits.spend(budgets.secret({ clientId: id, ip }))
        if (spent.outcome === 'limited') throw new SymbolonError('rate_limited', { retryAfter: spent.retryAfterMs / 1000 })
      }
      const client = isClientId(id) ? await store.clients.find(id) : undefined
      const bytes = secret.startsWith('sys_') && secret.length === 47 ? fromBase64url(secret.slice(4)) : undefined
      const hash = crypto.hash(bytes ?? 'no secret')
      // An unknown client costs the same two comparisons.
      const hashes = [client?.secretHashes[0] ?? nothing, client?.secretHashes[1] ?? nothing]
      const right = hashes.map((text) => crypto.equal(fromBase64url(text) ?? new Uint8Array(32), hash))
      if (bytes === undefined || client?.status !== 'active' || !right.includes(true)) return undefined
      if (proven.size >= mostProven) proven.clear()
      proven.add(guess)
      return client
    },
    policyOf,
  }
}
