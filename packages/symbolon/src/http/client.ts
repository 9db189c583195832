// Which client is calling: by Basic, by id and secret in a form (RFC 6749 §2.3.1), or by an
// assertion signed with a registered key (RFC 7523 §2.2). Cookies have no say here.

import { routes } from '@symbolon/protocol'
import type { Client } from '#core'
import type { Http, Site } from './context.ts'

/** What a form may say of its sender. */
export interface ClientForm {
  readonly client_id?: string | undefined
  readonly client_secret?: string | undefined
  readonly client_assertion?: string | undefined
  readonly client_assertion_type?: string | undefined
}

/** `client_assertion_type` of RFC 7523 §2.2. */
const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return undefined
  }
}

/** The client's id and secret: by Basic (RFC 6749 §2.3.1) or in the form; both at once is none. */
function credentialsOf(c: Http, form: ClientForm): { readonly id: string; readonly secret: string } | undefined {
  const header = c.req.header('authorization')
  if (header === undefined) {
    return form.client_id === undefined || form.client_secret === undefined ? undefined : { id: form.client_id, secret: form.client_secret }
  }
  const basic = /^basic +([A-Za-z0-9+/]{1,800}={0,2})$/i.exec(header)?.[1]
  if (basic === undefined || form.client_secret !== undefined) return undefined
  let pair: string
  try {
    pair = atob(basic)
  } catch {
    return undefined
  }
  const colon = pair.indexOf(':')
  const id = decoded(pair.slice(0, Math.max(0, colon)))
  const secret = decoded(pair.slice(colon + 1))
  return colon < 0 || id === undefined || secret === undefined ? undefined : { id, secret }
}

/** Whether a request shows more than one proof of who it is (RFC 6749 §2.3 forbids that). */
export function isTwofold(c: Http, form: ClientForm): boolean {
  const proofs = [c.req.header('authorization'), form.client_secret, form.client_assertion]
  return proofs.filter((proof) => proof !== undefined).length > 1
}

/** The client that authenticated itself; throws `rate_limited` for too many guesses; undefined for anything wrong. */
export async function clientOf(c: Http, site: Site, form: ClientForm = {}): Promise<Client | undefined> {
  const { core, issuer } = site.parts
  if (form.client_assertion !== undefined || form.client_assertion_type !== undefined) {
    // One way at once (RFC 6749 §2.3), and the form may not name another client than the assertion does.
    if (form.client_assertion === undefined || form.client_assertion_type !== jwtBearer) return undefined
    if (form.client_secret !== undefined || c.req.header('authorization') !== undefined) return undefined
    // The token endpoint is what a client knows of this service (RFC 7523 §3), wherever it brings the assertion.
    const endpoints = [issuer + routes.token, issuer + c.req.path.slice(site.mount.length)]
    const client = await core.oauth.authenticate(form.client_assertion, endpoints)
    return form.client_id === undefined || form.client_id === client?.id ? client : undefined
  }
  const given = credentialsOf(c, form)
  if (given === undefined || (form.client_id !== undefined && form.client_id !== given.id)) return undefined
  return core.clients.authenticate(given.id, given.secret, c.var.caller.ip)
}
