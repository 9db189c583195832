// A whole service on a free port, in a directory of its own, in development mode.

import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type AuthObject, type AuthOptions, createAuth } from 'symbolon'
import { toNodeHandler } from 'symbolon/node'

/** A service that runs. */
export interface TestService {
  readonly auth: AuthObject
  readonly origin: string
  readonly admin: string
  readonly adminKey: string
  close(): Promise<void>
}

const listen = (server: Server) =>
  new Promise<number>((resolve) => server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port)))

/** Starts a service at the root of its origin. */
export async function startService(options: Partial<AuthOptions> = {}): Promise<TestService> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-service-'))
  const holder: { auth?: AuthObject } = {}
  const late = (which: 'handler' | 'adminHandler') => ({
    handler: (request: Request, info?: { readonly ip?: string | null }) => (holder.auth as AuthObject)[which](request, info),
    trustedProxies: 0,
  })
  const admin = createServer(toNodeHandler({ issuer: 'http://127.0.0.1', ...late('adminHandler') }))
  // The issuer names the port, which is known only when it is taken.
  const server = createServer((request, response) => handle(request, response))
  const origin = `http://localhost:${await listen(server)}`
  const handle = toNodeHandler({ issuer: origin, ...late('handler') })
  const adminPort = await listen(admin)
  const auth = createAuth({ issuer: origin, dev: true, data: folder, ...options })
  holder.auth = auth
  await auth.ready()
  const { readFileSync } = await import('node:fs')
  return {
    auth,
    origin,
    admin: `http://127.0.0.1:${adminPort}`,
    adminKey: readFileSync(join(folder, 'admin.key'), 'utf8').trim(),
    async close() {
      for (const one of [server, admin]) {
        one.closeAllConnections()
        one.close()
      }
      await auth.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
