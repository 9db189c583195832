// Passes the page's calls on to the API processes, so that the page stays on one origin. Only what an API needs goes along:
// no cookie does, since cookies know no ports and the service's session cookie would come with every request.

import { request as call, type IncomingMessage } from 'node:http'
import type { Request, Response } from 'express'
import type { Api } from './processes.ts'

/** Bytes of a request's body, and of an answer's; milliseconds for the whole. */
const mostAsked = 16_384
const mostAnswered = 65_536
const within = 5000
const passedOn = ['authorization', 'accept', 'content-type', 'symbolon-seq'] as const
const passedBack = ['content-type', 'server-timing', 'www-authenticate', 'retry-after', 'cache-control'] as const

const refuse = (response: Response, status: number, code: string) => {
  if (response.headersSent) response.destroy()
  else response.status(status).json({ code })
}

/** Reads a body whole; undefined when it is longer than `most`. */
async function bodyOf(message: IncomingMessage, most: number): Promise<Buffer | undefined> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of message as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > most) return undefined
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

/** Passes one request on. */
export async function passOn(api: Api, path: string, request: Request, response: Response): Promise<void> {
  if (request.method !== 'GET' && request.method !== 'POST') return refuse(response, 405, 'method_not_allowed')
  const port = api.port()
  if (port === undefined) return refuse(response, 503, 'try_later')
  try {
    const body = await bodyOf(request, mostAsked)
    if (body === undefined) return refuse(response, 413, 'invalid_request')
    const headers: Record<string, string> = {}
    for (const name of passedOn) {
      const value = request.headers[name]
      if (typeof value === 'string') headers[name] = value
    }
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      call({ host: '127.0.0.1', port, path, method: request.method, headers, signal: AbortSignal.timeout(within) }, resolve)
        .on('error', reject)
        .end(body)
    })
    const answered = await bodyOf(answer, mostAnswered)
    if (answered === undefined) return refuse(response, 502, 'try_later')
    for (const name of passedBack) {
      const value = answer.headers[name]
      if (value !== undefined) response.setHeader(name, value)
    }
    response.status(answer.statusCode ?? 502).end(answered)
  } catch {
    refuse(response, 502, 'try_later')
  }
}
