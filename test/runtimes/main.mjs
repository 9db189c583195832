// The suite in a process of its own: Node, Bun or Deno. Prints the result as one line and then has nothing left to do; a
// process that stays is a failure of `close()`.

import config from './config.json' with { type: 'json' }
import { run } from './suite.mjs'

const { Bun, Deno } = globalThis

/** A server of this runtime for a handler of the Fetch API. */
async function serve(handler) {
  if (Deno !== undefined) {
    const server = Deno.serve({ port: 0, hostname: '127.0.0.1', onListen: () => {} }, handler)
    return { origin: `http://127.0.0.1:${server.addr.port}`, close: () => server.shutdown() }
  }
  if (Bun !== undefined) {
    const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: handler })
    return { origin: `http://127.0.0.1:${server.port}`, close: () => server.stop(true) }
  }
  const { createServer } = await import('node:http')
  const server = createServer(async (request, response) => {
    const answer = await handler(new Request(`http://api.example${request.url}`, { headers: request.headers }))
    response.writeHead(answer.status).end(await answer.text())
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close: () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

const runtime =
  Deno !== undefined ? `Deno ${Deno.version.deno}` : Bun !== undefined ? `Bun ${Bun.version}` : `Node ${process.versions.node}`
console.log(JSON.stringify({ runtime, cases: await run(config, serve) }))
