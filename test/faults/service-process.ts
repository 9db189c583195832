// The built service as a process on free ports, with an operator's hand on it and people who sign in by the outbox.

import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { freePort } from '../free-port.ts'
import type { TokenFacts } from './history.ts'

const built = fileURLToPath(new URL('../../packages/symbolon/dist/cli/main.js', import.meta.url))

/** Somebody who signed in: their token, what it says, and the refresh token behind it. */
export interface SignedIn {
  readonly accessToken: string
  readonly refreshToken: string
  readonly facts: TokenFacts
}

/** What a token says. */
export function factsOf(token: string): TokenFacts {
  const [header, claims] = token
    .split('.', 2)
    .map((part) => JSON.parse(Buffer.from(part, 'base64url').toString('utf8')) as Record<string, never>)
  return {
    sid: claims?.sid ?? null,
    sub: claims?.sub as unknown as string,
    epoch: claims?.epoch as unknown as number,
    clientId: claims?.client_id as unknown as string,
    clientEpoch: claims?.client_epoch as unknown as number,
    jti: claims?.jti as unknown as string,
    kid: header?.kid as unknown as string,
  }
}

/** Waits until something holds; throws when it does not within `ms`. */
export async function until(what: string, holds: () => Promise<boolean> | boolean, ms = 30_000): Promise<void> {
  const end = performance.now() + ms
  while (!(await holds())) {
    if (performance.now() > end) throw new Error(`Not within ${ms} ms: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/** Does something to set a stage, again for a while when the store was too slow for it. */
export async function patiently<T>(run: () => Promise<T>): Promise<T> {
  for (let turn = 1; ; turn++)
    try {
      return await run()
    } catch (error) {
      if (turn === 5 || !/answered 503/.test(String(error))) throw error
      await new Promise((resolve) => setTimeout(resolve, 500))
    }
}

/** How a service is started. `words` come after `serve --dev`; `main`: another build than this one. */
export interface ServiceStart {
  readonly ports?: { readonly port: number; readonly admin: number }
  readonly env?: Readonly<Record<string, string>>
  readonly words?: readonly string[]
  readonly main?: string
}

/** Starts a service on `data`; on ports of its own, or on those given. */
export async function startServiceProcess(data: string, options: ServiceStart = {}) {
  const { main = built } = options
  const ports = options.ports ?? { port: await freePort(), admin: await freePort() }
  const origin = `http://localhost:${ports.port}`
  let child: ChildProcess
  const startOnce = async (env: Readonly<Record<string, string>>, program: string) => {
    child = spawn(process.execPath, [program, 'serve', '--dev', ...(options.words ?? [])], {
      env: {
        PATH: process.env.PATH ?? '',
        SYMBOLON_DATA: data,
        SYMBOLON_PORT: String(ports.port),
        SYMBOLON_ADMIN_PORT: String(ports.admin),
        SYMBOLON_LOG_LEVEL: 'silent',
        ...env,
      },
      stdio: 'ignore',
    })
    await until('the service answers', () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new Error('The service ended at its start.')
      return fetch(`${origin}/readyz`, { signal: AbortSignal.timeout(1000) }).then(
        (answer) => answer.ok,
        () => false,
      )
    })
  }
  /** As a supervisor does: one that ends at its start, because the store was too slow to answer it, is started again. */
  const start = async (env: Readonly<Record<string, string>> = {}, program = main) => {
    for (let turn = 1; ; turn++)
      try {
        return await startOnce(env, program)
      } catch (error) {
        if (child.exitCode === null || turn === 3) throw error
      }
  }
  const stop = async (signal: NodeJS.Signals) => {
    if (child.exitCode !== null || child.signalCode !== null) return child.exitCode
    const gone = new Promise<number | null>((resolve) => child.once('exit', resolve))
    child.kill(signal)
    return gone
  }
  await start(options.env)

  const admin = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await fetch(`http://127.0.0.1:${ports.admin}/admin/v1${path}`, {
      method,
      headers: {
        authorization: `Bearer ${readFileSync(join(data, 'admin.key'), 'utf8').trim()}`,
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    if (!answer.ok) throw new Error(`${method} ${path} answered ${answer.status}: ${await answer.text()}`)
    return (answer.status === 204 ? undefined : await answer.json()) as T
  }
  const post = async (path: string, body: unknown) => {
    const answer = await fetch(origin + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    if (!answer.ok) throw new Error(`POST ${path} answered ${answer.status}: ${await answer.text()}`)
    return (await answer.json()) as Record<string, string>
  }
  const signedIn = (answer: Record<string, string>): SignedIn => ({
    accessToken: answer.access_token as string,
    refreshToken: answer.refresh_token as string,
    facts: factsOf(answer.access_token as string),
  })
  return {
    origin,
    ports,
    admin,
    start,
    stop,
    signal: (signal: NodeJS.Signals) => child.kill(signal),
    exited: () => child.exitCode !== null || child.signalCode !== null,
    /** Registers a client without cookies, and this API, which may follow revocations. */
    async register() {
      // What was refused as too slow may have been done.
      const unlessThere = (error: unknown) => {
        if (!/answered 409/.test(String(error))) throw error
      }
      await patiently(() => admin('POST', '/clients', { id: 'native', name: 'Native', transport: 'native' })).catch(unlessThere)
      const api = { id: 'api', name: 'API', transport: 'service', audiences: [origin], scopes: ['revocations:read'] }
      await patiently(() => admin('POST', '/clients', api)).catch(unlessThere)
      return (await patiently(() => admin<{ client_secret: string }>('POST', '/clients/api/secret'))).client_secret
    },
    async signIn(email: string): Promise<SignedIn> {
      const { login_id } = await post('/v1/login/start', { method: 'email_otp', identifier: email, client_id: 'native' })
      const outbox = (await (await fetch(`${origin}/dev/outbox`)).json()) as { to: string; text: string }[]
      const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0]
      return signedIn(await post('/v1/login/verify', { login_id, code }))
    },
    refresh: async (one: SignedIn) => signedIn(await post('/v1/session/refresh', { refresh_token: one.refreshToken })),
    /** Signs out by the access token; the answer is the acknowledgement. */
    async signOut(one: SignedIn): Promise<string | null> {
      const answer = await fetch(`${origin}/v1/session`, {
        method: 'DELETE',
        headers: { authorization: `Bearer ${one.accessToken}` },
        signal: AbortSignal.timeout(20_000),
      })
      if (answer.status !== 204) throw new Error(`Sign-out answered ${answer.status}.`)
      return answer.headers.get('symbolon-seq')
    },
  }
}

/** A service in a process. */
export type ServiceProcess = Awaited<ReturnType<typeof startServiceProcess>>
