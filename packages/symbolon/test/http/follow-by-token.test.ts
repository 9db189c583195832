// Following by an access token: the stream ends before the token does, and goes on with the next one.

import { expect, it } from 'vitest'
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

    // Three seconds before its end: it lives for two of them.
    setting.time += expires_in * 1000 - 3000
    const began = performance.now()
    const first = await follow(bearer)
    expect(first.status).toBe(200)
    const text = await first.text()
    const took = performance.now() - began
    expect(took).toBeGreaterThan(1500)
    expect(took).toBeLessThan(3000)
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
