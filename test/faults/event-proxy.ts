// An HTTP proxy that knows server-sent events, and sends them twice, out of order, or some of them not at all.

import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What becomes of an event (its lines, without the empty one): what is sent instead, in order. */
export type Rewrite = (event: string) => readonly string[]

/** A proxy that runs. */
export interface EventProxy {
  readonly port: number
  become(rewrite: Rewrite): void
  close(): Promise<void>
}

/** Sends every event twice. */
export const twice: Rewrite = (event) => [event, event]
/** Holds every other event back until the next one has gone. */
export function swapped(): Rewrite {
  let held: string | undefined
  return (event) => {
    if (event.startsWith('event: open')) return [event]
    if (held === undefined) {
      held = event
      return []
    }
    const pair = [event, held]
    held = undefined
    return pair
  }
}
/** Loses revocations, and lets beats through: a gap that only shows in the numbers. */
export const lossy: Rewrite = (event) => (/^event: revocations$/m.test(event) ? [] : [event])

/** Starts a proxy on a free port before `target` on this machine. */
export async function startEventProxy(target: number): Promise<EventProxy> {
  let rewrite: Rewrite = (event) => [event]
  const pass = (from: IncomingMessage, to: ServerResponse) => {
    const out = request({ port: target, host: '127.0.0.1', method: from.method, path: from.url, headers: from.headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers)
      if (answer.headers['content-type']?.startsWith('text/event-stream') !== true) return void answer.pipe(to)
      let rest = ''
      answer.setEncoding('utf8')
      answer.on('data', (text: string) => {
        const events = (rest + text).split('\n\n')
        rest = events.pop() ?? ''
        for (const event of events) for (const one of rewrite(event)) to.write(`${one}\n\n`)
      })
      answer.on('close', () => to.end())
    })
    out.on('error', () => to.destroy())
    to.on('close', () => out.destroy())
    from.pipe(out)
  }
  const server = createServer(pass)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    become(next) {
      rewrite = next
    },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
