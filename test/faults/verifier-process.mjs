// A resource server in a process of its own: one verifier, a route at each level, its status, and a wall clock that can be set.

import { createServer } from 'node:http'
import { createVerifier } from '@symbolon/verifier'
import { createGuard } from '@symbolon/verifier/node'

const { issuer, clientId, clientSecret, via, bound } = JSON.parse(process.argv[2])
let offset = 0
const verifier = createVerifier({
  issuer,
  clientId,
  clientSecret,
  now: () => Date.now() + offset,
  fetch: (input, init) => fetch(String(input).replace(issuer, via), init),
})
const guard = createGuard(verifier)
const ok = (_request, response) => response.end('ok')
const routes = {
  '/token': guard('token', { maxStaleness: bound })(ok),
  '/session': guard('session')(ok),
  '/status': (_request, response) => response.end(JSON.stringify(verifier.status())),
}
const server = createServer((request, response) => {
  const route = routes[request.url]
  if (route === undefined) return response.writeHead(404).end()
  Promise.resolve(route(request, response)).catch(() => response.destroy())
})
server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
process.on('message', (message) => {
  offset = message.offset
})
process.on('disconnect', () => process.exit())
