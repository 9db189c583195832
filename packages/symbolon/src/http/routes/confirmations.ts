// Confirmations of single acts, as whoever carries the act out takes them: a client in its own name, live, each once.

import { SymbolonError } from '@symbolon/protocol'
import { readJson } from '../body.ts'
import { clientOf } from '../client.ts'
import { type Http, refusal, type Site } from '../context.ts'
import { confirmationConsume } from '../schemas/login.ts'

/** `POST /v1/session/confirmations/consume` */
export const consume = (site: Site) => async (c: Http) => {
  const client = await clientOf(c, site)
  if (client === undefined) throw new SymbolonError('invalid_client')
  const answer = await site.parts.core.confirmations.consume(await readJson(c, confirmationConsume), client)
  if (!answer.ok) throw refusal(answer)
  const { sid, userId, clientId, acr, action } = answer
  return c.json({ sid, sub: userId, client_id: clientId, acr, action })
}
