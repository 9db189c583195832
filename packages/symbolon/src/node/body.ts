// A request's body, bounded in size and time. A body that a framework has read already is written back as it was
// meant, never waited for.

import type { IncomingMessage } from 'node:http'
import type { ErrorCode } from '@symbolon/protocol'

/** The largest body taken, bytes, unless its path takes more. */
const usualLimit = 65_536
/** How long a body may take to arrive, milliseconds. */
const bodyTime = 10_000

/** The whole body; or the code of its refusal. */
export function readBody(
  request: IncomingMessage & { body?: unknown },
  bodyLimit = usualLimit,
): Promise<Uint8Array<ArrayBuffer> | ErrorCode> {
  if (request.body !== undefined && (request.readableEnded || request.complete)) return Promise.resolve(rewrite(request, bodyLimit))
  if (Number(request.headers['content-length'] ?? 0) > bodyLimit) return Promise.resolve('body_too_large')
  return new Promise((resolve) => {
    const parts: Uint8Array[] = []
    let size = 0
    const end = (result: Uint8Array<ArrayBuffer> | ErrorCode) => {
      clearTimeout(timer)
      request.off('data', onData).off('end', onEnd).off('error', onError).off('close', onError)
      resolve(result)
    }
    const onData = (part: Uint8Array) => {
      size += part.length
      if (size > bodyLimit) end('body_too_large')
      else parts.push(part)
    }
    const onEnd = () => end(joined(parts, size))
    const onError = () => end('invalid_request')
    const timer = setTimeout(() => end('request_timeout'), bodyTime)
    if (request.readableEnded) return end(new Uint8Array())
    request.on('data', onData).on('end', onEnd).on('error', onError).on('close', onError)
  })
}

function joined(parts: readonly Uint8Array[], size: number): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(size)
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

/** What a parser made of the body, as text again. */
function rewrite(request: IncomingMessage & { body?: unknown }, bodyLimit: number): Uint8Array<ArrayBuffer> | ErrorCode {
  const { body } = request
  if (body === null || body === undefined) return new Uint8Array()
  const isForm = /^application\/x-www-form-urlencoded\b/i.test(request.headers['content-type'] ?? '')
  const whole =
    body instanceof Uint8Array
      ? new Uint8Array(body)
      : new TextEncoder().encode(
          typeof body === 'string' ? body : isForm ? new URLSearchParams(body as Record<string, string>).toString() : JSON.stringify(body),
        )
  return whole.length > bodyLimit ? 'body_too_large' : whole
}
