// The service, and React Router's route modules rendered on the server, on one port. In framework mode the same modules
// stand in app/routes and this file is not needed: there `toNodeHandler(auth)` goes before React Router's own handler.

import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { Readable } from 'node:stream'
import { renderToString } from 'react-dom/server'
import { createStaticHandler, createStaticRouter, StaticRouterProvider } from 'react-router'
import { toNodeHandler } from 'symbolon/node'
import { auth, port } from './auth.server.ts'
import * as feed from './routes/feed.tsx'
import * as transfers from './routes/transfers.tsx'

const handler = createStaticHandler([
  { path: '/', Component: () => <a href="/feed">Feed</a> },
  { path: '/feed', loader: feed.loader, Component: feed.default, ErrorBoundary: feed.ErrorBoundary },
  { path: '/transfers', action: transfers.action, Component: transfers.default, ErrorBoundary: transfers.ErrorBoundary },
])

async function answer(request: Request): Promise<Response> {
  const context = await handler.query(request)
  if (context instanceof Response) return context
  const headers = new Headers({ 'content-type': 'text/html; charset=utf-8' })
  for (const given of Object.values(context.loaderHeaders)) for (const cookie of given.getSetCookie()) headers.append('set-cookie', cookie)
  if (headers.has('set-cookie')) headers.set('cache-control', 'private, no-store')
  const html = renderToString(<StaticRouterProvider router={createStaticRouter(handler.dataRoutes, context)} context={context} />)
  return new Response(`<!doctype html>${html}`, { status: context.statusCode, headers })
}

async function serve(incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> {
  const { method = 'GET', url = '/' } = incoming
  const body = method === 'GET' || method === 'HEAD' ? {} : { body: Readable.toWeb(incoming) as ReadableStream, duplex: 'half' as const }
  const headers = Object.entries(incoming.headers).map(([name, value]): [string, string] => [name, String(value)])
  const response = await answer(new Request(`http://localhost:${port}${url}`, { method, headers, ...body }))
  outgoing.writeHead(response.status, [...response.headers].flat())
  outgoing.end(await response.text())
}

await auth.ready()
const handle = toNodeHandler(auth)
createServer((incoming, outgoing) => handle(incoming, outgoing, () => void serve(incoming, outgoing))).listen(port)
