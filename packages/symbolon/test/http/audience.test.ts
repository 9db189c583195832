// Whose a token is, is said by its own `aud`, whatever else a claims template puts into it.

import { expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'
import { startService } from '../setting/server.ts'

it('is read from the claim itself, not from one of a claim’s own', async () => {
  const service = await startService({ claims: () => ({ tenant: { aud: 'https://other.example', name: '"aud":"x"' } }) })
  try {
    const made = await service.auth.clients.create({ id: 'api', name: 'API', transport: 'service', audiences: [service.origin] }, 'test')
    if (!made.ok) throw new Error(made.code)
    const browser = createBrowser(service.origin)
    await signInOver(browser, '', 'ada@example.com')
    const minted = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
    const { access_token: token } = (await minted.json()) as { access_token: string }
    const session = await fetch(`${service.origin}/v1/session`, { headers: { authorization: `Bearer ${token}` } })
    expect(session.status).toBe(200)
    const answer = await fetch(`${service.origin}/oauth/introspect`, {
      method: 'POST',
      headers: { authorization: `Basic ${btoa(`api:${made.secret}`)}` },
      body: new URLSearchParams({ token }),
    })
    expect(await answer.json()).toMatchObject({ active: true, aud: service.origin })
  } finally {
    await service.close()
  }
})
