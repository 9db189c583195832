// The playground as an operator: the few admin calls it makes, with the development service's own key.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** Admin calls. */
export interface Operator {
  call<T>(method: string, path: string, body?: unknown): Promise<{ readonly status: number; readonly body: T; readonly seq: string | null }>
}

/** Reads the admin key that development wrote, and calls with it. */
export function createOperator(origin: string, data: string): Operator {
  return {
    async call<T>(method: string, path: string, body?: unknown) {
      const key = readFileSync(join(data, 'admin.key'), 'utf8').trim()
      const response = await fetch(`${origin}/admin/v1${path}`, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
        ...(body !== undefined && { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(5000),
      })
      return { status: response.status, body: (await response.json()) as T, seq: response.headers.get('symbolon-seq') }
    },
  }
}

/** Waits until the service answers; throws a sentence after `deadline` milliseconds. */
export async function untilReady(issuer: string, deadline: number): Promise<void> {
  const end = Date.now() + deadline
  for (;;) {
    const ready = await fetch(`${issuer}/readyz`, { signal: AbortSignal.timeout(1000) }).then(
      (response) => response.ok,
      () => false,
    )
    if (ready) return
    if (Date.now() > end) throw new Error(`The service at ${issuer} does not answer; start both with: npm start`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

/** The playground's API as a client of the service: the secret is new at every start. */
export async function ownSecret(operator: Operator, issuer: string): Promise<{ readonly id: string; readonly secret: string }> {
  const id = 'playground-api'
  const made = await operator.call<{ client_secret?: string }>('POST', '/clients', {
    id,
    name: 'Playground API',
    transport: 'service',
    audiences: [issuer],
    scopes: ['revocations:read'],
  })
  // A client that is there from before may not follow yet.
  if (made.status !== 201) await operator.call('PATCH', `/clients/${id}`, { scopes: ['revocations:read'] })
  const secret =
    made.status === 201
      ? made.body.client_secret
      : (await operator.call<{ client_secret?: string }>('POST', `/clients/${id}/secret`)).body.client_secret
  if (secret === undefined) throw new Error('The service did not register the playground.')
  return { id, secret }
}
