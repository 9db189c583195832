// The listeners: public and admin, with limits on headers, bodies and time, and an orderly end. What node itself refuses
// before there is a request is answered like every other error.

import { createServer, type Server, STATUS_CODES } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ErrorCode, problemHeaders, problemOf, securityHeaders } from '@symbolon/protocol'
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
  const secure = mountable.issuer.startsWith('https:')
  const server = createServer(
    {
      maxHeaderSize: 16_384,
      headersTimeout: 10_000,
      requestTimeout: 20_000,
      keepAliveTimeout: 65_000,
      connectionsCheckingInterval: 5000,
      // Refused below, in our words.
      requireHostHeader: false,
    },
    (request, response) => {
      const began = performance.now()
      response.once('close', () =>
        seen(response.statusCode, (performance.now() - began) / 1000, request.method ?? '', (request.url ?? '').split('?', 1)[0] ?? ''),
      )
      if (request.headers.host === undefined) refuseEarly(request.socket, 'invalid_request', secure)
      else handle(request, response)
    },
  )
  // The handler counts them and refuses; node would drop the rest in silence.
  server.maxHeadersCount = 0
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    refuseEarly(socket, early[error.code ?? ''] ?? 'invalid_request', secure),
  )
  server.on('checkExpectation', (request, response) => handle(request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: NodeJS.ErrnoException) => reject(portFault(error, where)))
    server.listen(where.port, where.host)
  })
  return { port: (server.address() as AddressInfo).port, close: (deadline) => end(server, deadline) }
}

const early: Readonly<Record<string, ErrorCode>> = {
  HPE_HEADER_OVERFLOW: 'headers_too_large',
  ERR_HTTP_REQUEST_TIMEOUT: 'request_timeout',
}

/** Answers on a connection whose request could not be read, and ends it. */
function refuseEarly(socket: Duplex, code: ErrorCode, secure: boolean): void {
  if (!socket.writable) return void socket.destroy()
  const problem = problemOf(code)
  const text = JSON.stringify(problem)
  const headers = { ...securityHeaders(secure), ...problemHeaders(code), 'content-length': Buffer.byteLength(text), connection: 'close' }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`)
  socket.end(`HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}\r\n${lines.join('')}\r\n${text}`)
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
