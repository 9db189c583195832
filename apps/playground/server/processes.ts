// The two API processes, kept running: forked, told what to do, asked how they are, started again when they die. They end
// with this process, however it ends: their channel to it closes.

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { type ApiName, apiNames, type Cut, type FromApi, type ToApi, type VerifierView } from './ipc.ts'

/** An API process as the page's process sees it. */
export interface Api {
  readonly name: ApiName
  /** Where it listens on loopback; undefined while it does not. */
  port(): number | undefined
  /** What its verifier last said of itself, with the time since then counted as staleness; undefined while it does not run. */
  verifier(): VerifierView | undefined
}

/** Both. */
export interface Apis {
  readonly all: readonly Api[]
  /** Resolves when both listen for the first time; rejects when one cannot. */
  ready(): Promise<void>
  cut(): Cut
  turn(cut: Cut): void
  end(): void
}

/** What they are started with. `port`: that of the page; theirs are the next two, if free. */
export interface ApisParts {
  readonly port: number
  readonly issuer: string
  readonly client: { readonly id: string; readonly secret: string }
}

/** Milliseconds: before a process that died is started again, longer each time; how long a cut lasts at most. */
const firstPause = 500
const longestPause = 10_000
const cutFor = 120_000
/** A process that says nothing for this long is not taken for running. */
const silence = 2000

/** Starts both. */
export function startApis({ port, issuer, client }: ApisParts): Apis {
  let cut: Cut = 'none'
  let ended = false
  let back: NodeJS.Timeout | undefined
  const children = new Map<ApiName, ChildProcess>()
  const send = (child: ChildProcess, message: ToApi) => {
    if (child.connected) child.send(message)
  }

  const keep = (name: ApiName, wished: number) => {
    let listening: number | undefined
    let said: { readonly at: number; readonly view: VerifierView } | undefined
    let pause = firstPause
    let settle: { done(): void; failed(error: Error): void }
    const ready = new Promise<void>((done, failed) => {
      settle = { done, failed }
    })
    const start = () => {
      const child = fork(fileURLToPath(new URL('./api.js', import.meta.url)), { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
      children.set(name, child)
      child.on('message', (message: FromApi) => {
        if ('listening' in message) {
          listening = message.listening
          settle.done()
        } else if ('status' in message) {
          said = { at: performance.now(), view: message.status }
          pause = firstPause
        } else settle.failed(new Error(`The playground's API ${name} did not start: ${message.failed}`))
      })
      child.on('error', () => child.kill())
      child.on('exit', () => {
        listening = undefined
        said = undefined
        if (ended) return
        setTimeout(() => ended || start(), pause).unref()
        pause = Math.min(longestPause, pause * 2)
      })
      send(child, { start: { name, port: wished, issuer, client, cut } })
    }
    start()
    const api: Api = {
      name,
      port: () => listening,
      verifier() {
        const age = said === undefined ? Number.POSITIVE_INFINITY : performance.now() - said.at
        if (said === undefined || age > silence) return undefined
        const { stalenessMs } = said.view
        return { ...said.view, stalenessMs: stalenessMs === null ? null : stalenessMs + age }
      },
    }
    return { api, ready }
  }
  const kept = apiNames.map((name, i) => keep(name, port + i + 1 > 65_535 ? 0 : port + i + 1))

  const turn = (next: Cut): void => {
    cut = next
    clearTimeout(back)
    // Whoever closes the page on a cut feed must not leave it cut for the next visitor.
    if (next !== 'none') back = setTimeout(turn, cutFor, 'none' satisfies Cut).unref()
    for (const child of children.values()) send(child, { cut: next })
  }
  return {
    all: kept.map(({ api }) => api),
    ready: async () => void (await Promise.all(kept.map(({ ready }) => ready))),
    cut: () => cut,
    turn,
    end() {
      ended = true
      clearTimeout(back)
      for (const child of children.values()) child.kill()
    },
  }
}
