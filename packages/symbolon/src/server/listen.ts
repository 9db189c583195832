// The listeners: public and admin, with limits on headers, bodies and time, and an orderly end.

import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type Mountable, toNodeHandler } from '#node'
import { refuseConfiguration } from './configuration.ts'

/** A listener that answers. */
export interface Listener {
  readonly port: number
  /** Takes no more connections, lets requests finish for `deadline` milliseconds, then cuts. */
  close(deadline: number): Promise<void>
}

/** Listens; throws a sentence when the port is taken or forbidden. `seen` is told of every answer. */
export async function listen(
  mountable: Mountable,
  where: { readonly host: string; readonly port: number; readonly variable: string },
  seen: (status: number, seconds: number, method: string, path: string) => void,
): Promise<Listener> {
  const handle = toNodeHandler(mountable)
  const server = createServer(
    { maxHeaderSize: 16_384, headersTimeout: 10_000, requestTimeout: 20_000, keepAliveTimeout: 65_000, connectionsCheckingInterval: 5000 },
    (request, response) => {
      const began = performance.now()
      response.once('close', () =>
        seen(response.statusCode, (performance.now() - began) / 1000, request.method ?? '', (request.url ?? '').split('?', 1)[0] ?? ''),
      )
      handle(request, response)
    },
  )
  server.maxHeadersCount = 100
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: NodeJS.ErrnoException) => reject(portFault(error, where)))
    server.listen(where.port, where.host)
  })
  return { port: (server.address() as AddressInfo).port, close: (deadline) => end(server, deadline) }
}

function portFault(error: NodeJS.ErrnoException, { host, port, variable }: { host: string; port: number; variable: string }): Error {
  if (error.code === 'EADDRINUSE')
    return refuseConfiguration(`Port ${port} is in use; stop what runs there, or choose another one: ${variable}=${port + 10}`)
  if (error.code === 'EACCES')
    return refuseConfiguration(`Port ${port} may not be opened by this user; choose one above 1023: ${variable}=4000`)
  return refuseConfiguration(`${host}:${port} cannot be listened on (${error.code ?? 'unknown'}); check the address.`)
}

function end(server: Server, deadline: number): Promise<void> {
  return new Promise((resolve) => {
    const cut = setTimeout(() => server.closeAllConnections(), deadline)
    server.close(() => {
      clearTimeout(cut)
      resolve()
    })
    server.closeIdleConnections()
  })
}
