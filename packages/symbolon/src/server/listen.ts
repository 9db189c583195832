// The listeners: public and admin, with limits on headers, bodies and time, and an orderly end. What node itself refuses
// before there is a request is answered like every other error.

import { createServer, type Server, type ServerResponse, STATUS_CODES } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { type ErrorCode, problemHeaders, problemOf, securityHeaders } from '@symbolon/protocol'
import { type Mountable, toNodeHandler } from '#node'
import { refuseConfiguration } from './configuration.ts'

/** A listener that answers. */
export interface Listener {
  readonly port: number
  /** Goes on answering, and tells each connection at its next answer that it ends there. */
  drain(): void
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
  const underWay = new Set<ServerResponse>()
  const connected = new Set<Socket>()
  let draining = false
  const last = (response: ServerResponse) => {
    if (!response.headersSent) response.setHeader('connection', 'close')
  }
  const drain = () => {
    draining = true
    for (const response of underWay) last(response)
  }
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
      underWay.add(response)
      if (draining) last(response)
      response.once('close', () => {
        underWay.delete(response)
        seen(response.statusCode, (performance.now() - began) / 1000, request.method ?? '', (request.url ?? '').split('?', 1)[0] ?? '')
      })
      if (request.headers.host === undefined) refuseEarly(request.socket, 'invalid_request', secure)
      else handle(request, response)
    },
  )
  // The handler counts them and refuses; node would drop the rest in silence.
  server.maxHeadersCount = 0
  server.on('connection', (socket) => {
    connected.add(socket)
    socket.once('close', () => connected.delete(socket))
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) =>
    refuseEarly(socket, early[error.code ?? ''] ?? 'invalid_request', secure),
  )
  server.on('checkExpectation', (request, response) => handle(request, response))
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve)
    server.once('error', (error: NodeJS.ErrnoException) => reject(portFault(error, where)))
    server.listen(where.port, where.host)
  })
  return {
    port: (server.address() as AddressInfo).port,
    drain,
    close(deadline) {
      drain()
      return end(server, connected, deadline)
    },
  }
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

/** Milliseconds for a connection that has said nothing yet; a browser opens some that never will. */
const silence = 250

function end(server: Server, connected: ReadonlySet<Socket>, deadline: number): Promise<void> {
  const hush = () => {
    for (const socket of connected) if (socket.bytesRead === 0) socket.destroy()
  }
  return new Promise((resolve) => {
    // Right after this turn's arrivals were taken in: what still waits at a listener that closes is reset.
    setImmediate(() => {
      const timers = [setTimeout(hush, Math.min(silence, deadline)), setTimeout(() => server.closeAllConnections(), deadline)]
      server.close(() => {
        for (const timer of timers) clearTimeout(timer)
        resolve()
      })
      server.closeIdleConnections()
    })
  })
}
