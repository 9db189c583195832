// The process: configuration, service, two listeners, and the way down, on which nobody who came through a load balancer
// is dropped. What it prints is for a person; what it logs is for machines.

import { issuerPath, routes } from '@symbolon/protocol'
import { type AuthObject, createAuth, storePlace } from '#embed'
import type { Mountable } from '#node'
import type { Configuration } from './configuration.ts'
import { type Listener, listen } from './listen.ts'

/** A service that runs. */
export interface Running {
  readonly auth: AuthObject
  readonly port: number
  readonly adminPort: number
  /** Readiness off, followers sent elsewhere, requests finished, store closed; at most the drain and six seconds more. */
  stop(): Promise<void>
}

/** How a process is run. */
export interface ServeOptions {
  /** Milliseconds to go on answering after readiness is off, so that load balancers see it; 4 s unless said, none in development. */
  readonly drain?: number | undefined
}

const usualDrain = 4000
/** Milliseconds, after the drain: for requests under way, and for everything. */
const grace = 4000
const rest = 6000
const loud = /\.(?:fault|failed|reused|rolled_back|recovered|recovery_refused|renewed|cut|down|up|unsafe|closed|dropped|parked)$/

/** Starts the service; throws an error whose message is one sentence. */
export async function serve(configuration: Configuration, options: ServeOptions = {}): Promise<Running> {
  const { host, port, adminHost, adminPort } = configuration
  // Commands that do not serve need neither.
  const [{ createLog }, { createMetrics }] = await Promise.all([import('./log.ts'), import('./metrics.ts')])
  const log = createLog(configuration.logLevel)
  const metrics = createMetrics(
    async () => ({ followers: auth.feed.followers().length, head: (await auth.feed.head()).seq }),
    () => auth.jobs(),
    () => auth.webhooks.list(),
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
  const readyPath = issuerPath(auth.issuer) + routes.ready
  /** Not ready before the operator's listener is open, too, nor on the way down. */
  let starting = true
  let draining = false
  const seen = (listener: 'public' | 'admin') => (status: number, seconds: number, method: string, path: string) => {
    metrics.request(listener, status, seconds)
    // A load balancer asks many times, and hears what it should.
    if (status >= 500 && !((starting || draining) && path === readyPath))
      log.error({ listener, status, method, path: path.slice(0, 100) }, 'request failed')
  }
  const { drain = auth.settings.dev ? 0 : usualDrain } = options
  const opened: Listener[] = []
  const handler: Mountable['handler'] = async (request, info) => {
    const answer = await auth.handler(request, info)
    return (starting || draining) && new URL(request.url).pathname === readyPath
      ? unready(answer, starting ? 'starting' : 'draining')
      : answer
  }
  const stop = async () => {
    draining = true
    for (const one of opened) one.drain()
    // Followers hold their streams open as long as they may; they are told to go elsewhere first.
    auth.feed.close()
    if (drain > 0) await new Promise((resolve) => setTimeout(resolve, drain))
    const closed = Promise.all(opened.map((one) => one.close(grace))).then(() => auth.close())
    // Whatever does not end, a mail server that does not answer for one, must not hold the process.
    let late: NodeJS.Timeout | undefined
    const over = new Promise<void>((resolve) => {
      late = setTimeout(resolve, rest)
    })
    await Promise.race([closed, over])
    clearTimeout(late)
  }
  try {
    const { issuer, trustedProxies, wellKnown } = auth
    const mountable = { issuer, trustedProxies, wellKnown, handler }
    const open = await listen(mountable, { host, port, variable: 'SYMBOLON_PORT' }, seen('public'))
    opened.push(open)
    const operator = { issuer: 'http://127.0.0.1', trustedProxies: 0, handler: auth.adminHandler }
    const admin = await listen(operator, { host: adminHost, port: adminPort, variable: 'SYMBOLON_ADMIN_PORT' }, seen('admin'))
    opened.push(admin)
    starting = false
    let stopping: Promise<void> | undefined
    return {
      auth,
      port: open.port,
      adminPort: admin.port,
      stop() {
        stopping ??= stop()
        return stopping
      },
    }
  } catch (error) {
    await Promise.all(opened.map((one) => one.close(0)))
    await auth.close()
    throw error
  }
}

/** The answer of a process that is well, but on its way up or down. */
const unready = (answer: Response, status: 'starting' | 'draining'): Response =>
  answer.status === 200 ? new Response(JSON.stringify({ status }), { status: 503, headers: answer.headers }) : answer

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
