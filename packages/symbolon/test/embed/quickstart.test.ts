// The quick start of the README on a real Express: sign in, three levels, sign out.

import { mkdtempSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { createAuth, uncovered } from 'symbolon'
import { createGuard, routesOf } from 'symbolon/express'
import { toNodeHandler } from 'symbolon/node'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createBrowser, signInOver } from '../setting/browser.ts'

const folder = mkdtempSync(join(tmpdir(), 'symbolon-quickstart-'))
let server: Server
let origin: string
let auth: ReturnType<typeof createAuth>
const app = express()

beforeAll(async () => {
  server = app.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  origin = `http://localhost:${(server.address() as AddressInfo).port}`
  auth = createAuth({ issuer: `${origin}/auth`, dev: true, data: folder })
  const guard = createGuard(auth)
  app.use(toNodeHandler(auth))
  app.get('/feed', guard('token'), (req, res) => void res.json({ hello: req.auth.sub, checked: req.auth.checked }))
  app.post('/transfers', guard('session', { maxAuthAge: '5m' }), (_req, res) => void res.sendStatus(201))
  app.get('/open', guard('public'), (_req, res) => void res.json({ open: true }))
  app.get('/old', guard('session', { maxAuthAge: '1ms' }), (_req, res) => void res.sendStatus(200))
  await auth.ready()
})
afterAll(async () => {
  server.closeAllConnections()
  server.close()
  await auth.close()
  rmSync(folder, { recursive: true, force: true })
})

const codeOf = async (response: Response) => ((await response.json()) as { code?: string }).code

describe('the quick start', () => {
  it('refuses strangers and lets them see what is public', async () => {
    const stranger = createBrowser(origin)
    const refused = await stranger.fetch('/feed')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain('Bearer')
    expect(await codeOf(refused)).toBe('missing_credential')
    expect((await stranger.fetch('/transfers', { method: 'POST' })).status).toBe(401)
    expect((await stranger.fetch('/open')).status).toBe(200)
  })

  it('signs in by code, serves both levels by cookie and by token, and signs out', async () => {
    const browser = createBrowser(origin)
    const signedIn = await signInOver(browser, '/auth', 'ada@example.com')
    expect(signedIn.status).toBe(200)
    expect(signedIn.headers.get('cache-control')).toBe('private, no-store')
    expect([...browser.jar.keys()].sort()).toEqual(['symbolon', 'symbolon-device', 'symbolon-login'])

    const minted = await browser.fetch('/auth/v1/session/token', { method: 'POST', json: {} })
    expect(minted.status).toBe(200)
    const { access_token } = (await minted.json()) as { access_token: string }
    const bearer = { headers: { authorization: `Bearer ${access_token}` } }
    for (let i = 0; i < 2; i++) {
      const feed = await fetch(`${origin}/feed`, bearer)
      expect(feed.status).toBe(200)
      expect(await feed.json()).toMatchObject({ hello: expect.stringMatching(/^usr_/), checked: 'local' })
    }
    expect((await fetch(`${origin}/transfers`, { method: 'POST', ...bearer })).status).toBe(201)
    expect((await browser.fetch('/feed')).status).toBe(200)
    expect([...browser.jar.keys()]).toContain('symbolon-token')
    expect((await browser.fetch('/feed')).status).toBe(200)
    expect((await browser.fetch('/transfers', { method: 'POST' })).status).toBe(201)
    expect((await browser.fetch('/transfers', { method: 'POST', headers: { origin: 'https://evil.example' } })).status).toBe(403)
    const old = await browser.fetch('/old')
    expect(old.status).toBe(401)
    expect(old.headers.get('www-authenticate')).toContain('insufficient_user_authentication')

    const out = await browser.fetch('/auth/v1/session', { method: 'DELETE' })
    expect(out.status).toBe(204)
    expect(out.headers.get('symbolon-seq')).toMatch(/^[0-9a-f]+\.\d+$/)
    expect(browser.jar.has('symbolon')).toBe(false)
    // In the same process the token dies with its session.
    expect((await fetch(`${origin}/feed`, bearer)).status).toBe(401)
    expect((await fetch(`${origin}/transfers`, { method: 'POST', ...bearer })).status).toBe(401)
  })

  it('lists its routes for a policy, and says which have no level', () => {
    const routes = routesOf(app as never)
    expect(routes).toContainEqual({ method: 'POST', path: '/transfers' })
    expect(uncovered({ 'GET /feed': 'token' }, routes)).toEqual([{ method: 'POST', path: '/transfers' }])
    expect(uncovered({ 'POST /transfers': { level: 'session', maxAuthAge: '5m' } }, routes, { strict: true })).toEqual([])
    expect(() => uncovered({ 'GET /feed': 'token' }, routes, { strict: true })).toThrow('POST /transfers')
  })
})
