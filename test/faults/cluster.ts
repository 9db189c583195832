// Several service processes on one data directory, a verifier behind each, and the client that a load signs in with.

import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../free-port.ts'
import type { LoadNode } from './load.ts'
import { startVerifierProcess, type VerifierProcess } from './recorder.ts'
import { patiently, type ServiceProcess, startServiceProcess } from './service-process.ts'

/** The files that run: this build unless said. */
export interface Build {
  readonly main?: string
  readonly verifier?: string
}

/** A node that can be killed and started again. */
export interface ClusterNode extends LoadNode {
  kill(): Promise<void>
  signal(signal: NodeJS.Signals): void
  /** Ends it as an operator does; returns when it has ended. */
  end(): Promise<void>
  /** Starts it again; `more`: what it finds in its environment this time; `main`: by another build. */
  start(more?: Readonly<Record<string, string>>, main?: string): Promise<void>
  /** Whether its process has ended, by whatever hand. */
  exited(): boolean
}

/** Processes at work. */
export interface Cluster {
  readonly nodes: readonly ClusterNode[]
  readonly verifiers: readonly VerifierProcess[]
  readonly clientId: string
  /** Ends everything that was started. */
  close(): Promise<void>
}

/** Starts `count` nodes. `window` and `bound` in milliseconds. */
export async function startCluster(options: {
  readonly count: number
  readonly window: number
  readonly bound: number
  readonly build?: Build
  /** More words for `serve`. */
  readonly words?: readonly string[]
  /** What each node finds in its environment beside the rest, such as its way to a database. */
  readonly env?: (at: number) => Readonly<Record<string, string>>
  /** Where a verifier reaches a node that listens on a port: this port unless said. */
  readonly link?: (port: number) => Promise<number>
}): Promise<Cluster> {
  const { count, window, bound, build = {}, words = [] } = options
  const data = mkdtempSync(join(tmpdir(), 'symbolon-load-'))
  const ends: (() => Promise<void> | void)[] = [() => rmSync(data, { recursive: true, force: true })]
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end()
  }
  try {
    const services: ServiceProcess[] = []
    const first = { port: await freePort(), admin: await freePort() }
    const issuer = `http://localhost:${first.port}`
    // Every caller names an address, so that the budget of one does not hold them all.
    const envOf = (at: number) => ({ SYMBOLON_ISSUER: issuer, SYMBOLON_TRUSTED_PROXIES: '1', ...options.env?.(at) })
    for (let at = 0; at < count; at++) {
      const main = build.main === undefined ? {} : { main: build.main }
      const service = await startServiceProcess(data, { env: envOf(at), words, ...main, ...(at === 0 && { ports: first }) })
      ends.push(() => service.stop('SIGKILL'))
      services.push(service)
    }
    const [one] = services as [ServiceProcess]
    const secret = await one.register()
    await patiently(() => one.admin('PATCH', '/clients/native', { policy: { window } }))
    const adminKey = readFileSync(join(data, 'admin.key'), 'utf8').trim()
    const nodes = services.map((service, at) => ({
      name: `node${at}`,
      origin: `http://127.0.0.1:${service.ports.port}`,
      admin: `http://127.0.0.1:${service.ports.admin}`,
      adminKey,
      end: () => service.stop('SIGTERM').then(() => {}),
      kill: () => service.stop('SIGKILL').then(() => {}),
      exited: () => service.exited(),
      signal: (signal: NodeJS.Signals) => void service.signal(signal),
      start: (more: Readonly<Record<string, string>> = {}, main?: string) => service.start({ ...envOf(at), ...more }, main),
    }))
    const verifiers: VerifierProcess[] = []
    for (const [at, { ports }] of services.entries()) {
      const program = build.verifier === undefined ? {} : { program: build.verifier }
      const verifier = await startVerifierProcess(`verifier${at}`, {
        service: { origin: issuer },
        secret,
        port: (await options.link?.(ports.port)) ?? ports.port,
        bound,
        ...program,
      })
      ends.push(() => verifier.stop())
      verifiers.push(verifier)
    }
    return { nodes, verifiers, clientId: 'native', close }
  } catch (error) {
    await close()
    throw error
  }
}
