// Clients in their own name: who they are by an assertion (RFC 7523), and the tokens they are granted (RFC 6749 §4.4). What a
// client may ask for was written down by an operator; it can ask for less, never for more.

import { isClientId, type PublicJwk } from '@symbolon/protocol'
import { assertedClient, verifyAssertion } from '@symbolon/verifier/token'
import type { OAuth } from './api.ts'
import type { MintForClient } from './mint.ts'
import type { Client, ClientPolicy } from './model.ts'
import type { Ports } from './ports.ts'

/** What the verbs stand on. */
export interface OAuthParts {
  readonly ports: Pick<Ports, 'store' | 'crypto' | 'observe' | 'clock'>
  readonly options: { readonly issuer: string; readonly audience: string }
  readonly policyOf: (client: Client) => ClientPolicy
  readonly mint: MintForClient
}

/** Creates the verbs. */
export function createOAuth({ ports, options, policyOf, mint }: OAuthParts): OAuth {
  const { store, crypto, clock } = ports
  return {
    async authenticate(assertion, endpoints) {
      const id = assertedClient(assertion)
      const client = id === undefined || !isClientId(id) ? undefined : await store.clients.find(id)
      // An unknown client costs a look at its assertion too.
      const keys: readonly PublicJwk[] = client?.status === 'active' ? client.keys : []
      const now = await store.now()
      const held = await verifyAssertion(assertion, { keys, audiences: [options.issuer, ...endpoints], now })
      if (client === undefined || held === undefined || held.clientId !== client.id) return undefined
      // Used once, by a committed write: whoever comes second with it stole it, or is retrying and makes a new one.
      const key = crypto.hash(`assertion\n${client.id}\n${held.jti}`)
      const hex = Array.from(key, (byte) => byte.toString(16).padStart(2, '0')).join('')
      return (await store.limits.once(hex, held.expires * 1000)) ? client : undefined
    },

    async grant(asked, { scope, audience }) {
      const at = clock.now()
      // Read again, with the time: what is granted is what holds now.
      const [client, now] = [await store.clients.find(asked.id), await store.now()]
      if (client?.status !== 'active' || client.transport !== 'service') return { ok: false, error: 'unauthorized_client' }
      const wanted = scope === undefined ? client.scopes : scope.split(' ').filter((one) => one !== '')
      if (new Set(wanted).size !== wanted.length || !wanted.every((one) => client.scopes.includes(one)))
        return { ok: false, error: 'invalid_scope' }
      const target = audience ?? options.audience
      if (target !== options.audience && !client.audiences.includes(target) && !policyOf(client).targets.includes(target))
        return { ok: false, error: 'invalid_target' }
      const minted = mint({ client, now, at, scope: wanted, audience: target })
      ports.observe({ event: 'oauth.granted', clientId: client.id })
      return { ok: true, accessToken: minted.accessToken, expiresIn: minted.expiresIn, scope: wanted.join(' ') }
    },
  }
}
