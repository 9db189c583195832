// The suite in a worker, and a verifier as a worker has it: made once, outside of any request, where nothing can be fetched
// and no timer runs. What a request began ends with it, when its client goes away, unless it is kept.

import { waitUntil } from 'cloudflare:workers'
import { createVerifier } from '@symbolon/verifier'
import { createGuard } from '@symbolon/verifier/web'
import config from './config.json'
import { run } from './suite.mjs'

const verifier = createVerifier({
  issuer: config.issuer,
  clientId: config.clientId,
  clientSecret: config.clientSecret,
  follow: 'snapshot',
  waitUntil,
  fetch: (input, init) => fetch(String(input).replace(config.issuer, config.gate), init),
})
const guard = createGuard(verifier)
const answer = (request) => Response.json({ checked: request.auth.checked, ...verifier.status() })
const routes = { '/token': guard('token')(answer), '/session': guard('session')(answer) }

export default {
  async fetch(request) {
    const route = routes[new URL(request.url).pathname]
    return route === undefined ? Response.json({ runtime: 'workerd', cases: await run(config) }) : route(request)
  },
}
