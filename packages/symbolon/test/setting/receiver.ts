// A real receiver of webhooks, that verifies what comes as an application would and keeps it.

import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type AuthEvent, type VerifiedWebhook, verifyWebhook } from '@symbolon/verifier/webhook'

export interface Receiver {
  readonly url: string
  readonly got: { readonly id: string; readonly event: AuthEvent }[]
  /** The status it answers; tests change it. */
  status: number
  /** What came and was not ours, or not of now. */
  readonly refused: VerifiedWebhook[]
  close(): void
}

/** Starts one on a free port. */
export async function startReceiver(secrets: readonly string[]): Promise<Receiver> {
  const got: Receiver['got'] = []
  const refused: VerifiedWebhook[] = []
  const receiver = { got, refused, status: 204 } as { -readonly [K in keyof Receiver]: Receiver[K] }
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const verified = await verifyWebhook({ headers: request.headers, body: Buffer.concat(parts) }, { secrets })
    if (!verified.ok) refused.push(verified)
    else got.push({ id: verified.id, event: verified.event })
    response.writeHead(verified.ok ? receiver.status : 400).end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  receiver.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks`
  receiver.close = () => {
    server.closeAllConnections()
    server.close()
  }
  return receiver
}

/** Looks until something is so; fails after `ms`. */
export async function eventually(done: () => boolean | Promise<boolean>, ms = 20_000): Promise<void> {
  const until = performance.now() + ms
  while (!(await done())) {
    if (performance.now() > until) throw new Error('it never came to that')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
