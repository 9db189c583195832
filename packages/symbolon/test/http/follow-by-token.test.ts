// Following by an access token: the stream ends before the token does, and goes on with the next one.

import { expect, it, vi } from 'vitest'
import { handlerOf } from '../setting/handler.ts'
import { issuer, openSetting } from '../setting/service.ts'

it('ends before its token does, says when to come again, and goes on where it was with a fresh one', async () => {
  const setting = await openSetting()
  try {
    const made = await setting.core.clients.create({ id: 'api', name: 'API', transport: 'service', scopes: ['revocations:read'] }, 'test')
    const secret = made.ok ? (made.secret ?? '') : ''
    const handler = handlerOf(setting)
    const basic = { authorization: `Basic ${btoa(`api:${secret}`)}` }
    const call = (path: string, init: RequestInit) => handler(new Request(issuer + path, init), { ip: '192.0.2.1' })
    const grant = async () => {
      const body = new URLSearchParams({ grant_type: 'client_credentials' })
      return (await (await call('/oauth/token', { method: 'POST', headers: basic, body })).json()) as {
        access_token: string
        expires_in: number
      }
    }
    const follow = (headers: Record<string, string>) => call('/v1/revocations', { headers })
    const { access_token: token, expires_in } = await grant()
    const bearer = { authorization: `Bearer ${token}` }
    const patient = (await follow(basic)).body?.getReader()

    // Three seconds before its end: it lives for two of them, by a clock that is moved by hand.
    setting.time += expires_in * 1000 - 3000
    const began = Math.ceil(performance.now())
    let gone = 0
    const clock = vi.spyOn(setting.ports.clock, 'now').mockImplementation(() => began + gone)
    const first = await follow(bearer)
    expect(first.status).toBe(200)
    let text = ''
    let isOver = false
    const read = async () => {
      const decoder = new TextDecoder()
      for await (const part of first.body as ReadableStream<Uint8Array>) text += decoder.decode(part, { stream: true })
      isOver = true
    }
    const reading = read()
    gone = 1999
    await expect.poll(() => text).toContain(`"t":${began + gone}}`)
    expect([text.includes('event: bye'), isOver]).toEqual([false, false])
    gone = 2000
    await expect.poll(() => isOver).toBe(true)
    await reading
    clock.mockRestore()
    expect(text).toMatch(/^event: open\n[\s\S]*\nevent: bye\ndata: \{"retry_ms":100\}\n\n$/)
    const position = /^id: (\S+)$/m.exec(text)?.[1]

    // The same token is over, with the leeway for clocks; a fresh one goes on.
    setting.time += 8500
    expect((await follow(bearer)).status).toBe(401)
    const next = await follow({
      authorization: `Bearer ${(await grant()).access_token}`,
      ...(position !== undefined && { 'last-event-id': position }),
    })
    expect(next.status).toBe(200)
    await next.body?.cancel()
    // Whoever came by a secret follows still.
    expect(setting.core.feed.followers()).toHaveLength(1)
    await patient?.cancel()
  } finally {
    setting.core.feed.close()
    await setting.close()
  }
})
