// The recorder: verifiers in processes of their own, checks fired at them without pause, and every revocation, all timed by
// the one clock of this process, so that a history can be judged.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Check, Revoke } from './history.ts'
import { type ServiceProcess, type SignedIn, until } from './service-process.ts'

const own = fileURLToPath(new URL('./verifier-process.mjs', import.meta.url))

/** A verifier in a process. */
export interface VerifierProcess {
  readonly name: string
  readonly origin: string
  readonly bound: number
  ask(path: '/token' | '/session', token: string): Promise<number>
  status(): Promise<Readonly<Record<string, unknown>>>
  /** Steps its wall clock. */
  setClock(offset: number): void
  signal(signal: NodeJS.Signals): void
  stop(): void
}

/** Starts a verifier that reaches its issuer by `port` of this machine. `bound` in milliseconds; `program`: another build of it. */
export async function startVerifierProcess(
  name: string,
  options: {
    readonly service: Pick<ServiceProcess, 'origin'>
    readonly secret: string
    readonly port: number
    readonly bound: number
    readonly program?: string
  },
): Promise<VerifierProcess> {
  const { service, secret, port, bound, program = own } = options
  const input = { issuer: service.origin, clientId: 'api', clientSecret: secret, via: `http://127.0.0.1:${port}`, bound: `${bound}ms` }
  const child: ChildProcess = fork(program, [JSON.stringify(input)], { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
  const origin = await new Promise<string>((resolve, reject) => {
    child.once('message', (message) => resolve(`http://127.0.0.1:${(message as { port: number }).port}`))
    child.once('exit', () => reject(new Error(`The verifier ${name} ended at its start.`)))
  })
  return {
    name,
    origin,
    bound,
    ask: async (path, token) =>
      (await fetch(origin + path, { headers: { authorization: `Bearer ${token}` }, signal: AbortSignal.timeout(10_000) })).status,
    // By a connection of its own: one that was kept may be closed at the very moment it is used.
    status: async () => (await (await fetch(`${origin}/status`, { headers: { connection: 'close' } })).json()) as Record<string, unknown>,
    setClock: (offset) => void child.send({ offset }),
    signal: (signal) => void child.kill(signal),
    stop: () => void child.kill('SIGKILL'),
  }
}

/** Records checks and revocations. */
export function createRecorder(service: ServiceProcess, verifiers: readonly VerifierProcess[], people: readonly SignedIn[]) {
  const checks: Check[] = []
  const revokes: Revoke[] = []
  const now = () => performance.now()
  let running = true
  const under = new Set<Promise<void>>()

  const one = async (verifier: VerifierProcess, level: Check['level'], person: SignedIn) => {
    const startedAt = now()
    const status = await verifier.ask(`/${level}`, person.accessToken).catch(() => 503)
    const result = status === 200 ? 'accepted' : status === 401 ? 'refused' : 'unknown'
    checks.push({ verifier: verifier.name, bound: verifier.bound, level, token: person.facts, startedAt, endedAt: now(), result })
  }
  let turn = 0
  const timer = setInterval(() => {
    turn++
    const person = people[turn % people.length] as SignedIn
    const level = turn % (2 * people.length + 1) === 0 ? 'session' : 'token'
    for (const verifier of verifiers) {
      // A verifier that does not answer is not asked ever more.
      if (under.size > 60) continue
      const asked = one(verifier, level, person).finally(() => under.delete(asked))
      under.add(asked)
    }
  }, 30)

  const revoke = async <T>(what: Pick<Revoke, 'kind' | 'id' | 'epoch'>, act: () => Promise<T>): Promise<T> => {
    const at = revokes.push({ ...what, startedAt: now(), ackAt: null }) - 1
    const answer = await act()
    revokes[at] = { ...(revokes[at] as Revoke), ackAt: now() }
    return answer
  }
  return {
    checks,
    revokes,
    signOut: (person: SignedIn) => revoke({ kind: 'session', id: person.facts.sid as string }, () => service.signOut(person)),
    changeRoles: (person: SignedIn, roles: readonly string[]) =>
      revoke({ kind: 'user', id: person.facts.sub, epoch: person.facts.epoch + 1 }, () =>
        service.admin('PUT', `/users/${person.facts.sub}/roles`, { roles }),
      ),
    disable: (person: SignedIn) =>
      revoke({ kind: 'user', id: person.facts.sub }, () =>
        service.admin('PUT', `/users/${person.facts.sub}/status`, { status: 'disabled' }),
      ),
    /** Notes a revocation that ended without an answer. */
    unanswered: (what: Pick<Revoke, 'kind' | 'id' | 'epoch'>) => void revokes.push({ ...what, startedAt: now(), ackAt: null }),
    /** The last answers of a verifier for a person, at one level. */
    latest: (verifier: string, person: SignedIn, level: Check['level'] = 'token') =>
      checks.findLast((check) => check.verifier === verifier && check.token === person.facts && check.level === level)?.result,
    async stop() {
      if (!running) return
      running = false
      clearInterval(timer)
      await until('checks under way end', () => under.size === 0)
    },
  }
}

/** A recorder. */
export type Recorder = ReturnType<typeof createRecorder>
