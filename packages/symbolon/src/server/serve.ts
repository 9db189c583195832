// The process: configuration, service, two listeners, and the way down. What it prints is for a person; what it logs is
// for machines.

import { type AuthObject, createAuth, storePlace } from '#embed'
import type { Configuration } from './configuration.ts'
import { listen } from './listen.ts'
import { createLog } from './log.ts'
import { createMetrics } from './metrics.ts'

/** A service that runs. */
export interface Running {
  readonly auth: AuthObject
  readonly port: number
  readonly adminPort: number
  /** Readiness off, requests finished, store closed; at most about ten seconds. */
  stop(): Promise<void>
}

const grace = 8000
const loud = /\.(?:fault|failed|reused|rolled_back|recovered|recovery_refused|renewed|cut|down|up|unsafe|closed)$/

/** Starts the service; throws an error whose message is one sentence. */
export async function serve(configuration: Configuration): Promise<Running> {
  const { host, port, adminHost, adminPort } = configuration
  const log = createLog(configuration.logLevel)
  const metrics = createMetrics(
    async () => ({ followers: auth.feed.followers().length, head: (await auth.feed.head()).seq }),
    () => auth.jobs(),
  )
  const auth: AuthObject = createAuth({
    ...configuration.auth,
    // What the guards of this process know of revocations is printed with the rest.
    metrics: async () => `${await metrics.print()}\n${auth.verifier.metrics()}`,
    observe: (event) => {
      metrics.observe(event)
      // A failed start is told by whoever started us, once.
      if (loud.test(event.event) && event.event !== 'open.failed') log.warn(event, event.event)
    },
  })
  try {
    await auth.ready()
  } catch (error) {
    await auth.close()
    throw error
  }
  const seen = (listener: 'public' | 'admin') => (status: number, seconds: number, method: string, path: string) => {
    metrics.request(listener, status, seconds)
    if (status >= 500) log.error({ listener, status, method, path: path.slice(0, 100) }, 'request failed')
  }
  const opened: { close(deadline: number): Promise<void> }[] = []
  try {
    const open = await listen(auth, { host, port, variable: 'SYMBOLON_PORT' }, seen('public'))
    opened.push(open)
    const operator = { issuer: 'http://127.0.0.1', trustedProxies: 0, handler: auth.adminHandler }
    const admin = await listen(operator, { host: adminHost, port: adminPort, variable: 'SYMBOLON_ADMIN_PORT' }, seen('admin'))
    opened.push(admin)
    let stopping: Promise<void> | undefined
    return {
      auth,
      port: open.port,
      adminPort: admin.port,
      stop() {
        // Followers hold their streams open as long as they may; they are told to go elsewhere first.
        auth.feed.close()
        stopping ??= Promise.all(opened.map((one) => one.close(grace))).then(() => auth.close())
        return stopping
      },
    }
  } catch (error) {
    await Promise.all(opened.map((one) => one.close(0)))
    await auth.close()
    throw error
  }
}

const placeOf = (host: string, port: number) => `${host.includes(':') ? `[${host}]` : host}:${port}`

/** What start-up tells a person: at most eight lines. */
export function greeting(running: Running, configuration: Configuration, colour: boolean): string {
  const { auth } = running
  const bold = (text: string) => (colour ? `\u001b[1m${text}\u001b[0m` : text)
  const dev = auth.settings.dev
  return [
    `${bold('Symbolon')} runs${dev ? ' in development mode' : ''}`,
    `  sign in   ${bold(`${auth.issuer}/login`)}`,
    ...(dev ? [`  codes     ${auth.issuer}/dev/mailbox (and here)`] : []),
    `  listens   ${placeOf(configuration.host, running.port)}`,
    `  operator  http://${placeOf(configuration.adminHost, running.adminPort)}/admin/v1${dev ? `  (key in ${auth.settings.data}/admin.key)` : ''}`,
    `  data      ${storePlace(auth.settings)}`,
    `  stop      Ctrl-C`,
    '',
  ].join('\n')
}
