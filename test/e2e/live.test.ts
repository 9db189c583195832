// Live connections as docs/revocation.md shows them: its two servers run as they stand there, in a process of their own,
// against a real service.

import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { transform } from 'esbuild'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { WebSocket } from 'ws'
import { type Browser, createBrowser, signInOver } from '../../packages/symbolon/test/setting/browser.ts'
import { startService, type TestService } from '../../packages/symbolon/test/setting/server.ts'
import { freePort } from '../free-port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const page = readFileSync(join(root, 'docs/revocation.md'), 'utf8')
const children: ChildProcess[] = []
let folder: string
let service: TestService
let secret: string

/** Runs the block that says `mark`, with what is the reader's own put in; its warning comes five minutes ahead, which is at once. */
async function run(mark: string, port: number): Promise<void> {
  const block = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, code = '']) => code).find((code) => code.includes(mark)) ?? ''
  const lead = "expiringBefore: '5m', onExpiring:"
  const filled = block
    .replace('https://app.example/auth', service.origin)
    .replace('port: 8080', `port: ${port}`)
    .replace(/(?:expiringBefore: '30s',\s*)?onExpiring:/, lead)
  expect([filled.includes(service.origin), filled.includes(lead)]).toEqual([true, true])
  const file = join(folder, `${port}.mjs`)
  const listens = mark === 'express()' ? `\napp.listen(${port})` : ''
  writeFileSync(file, (await transform(`${filled}${listens}\nawait verifier.ready()\nconsole.log('runs')\n`, { loader: 'ts' })).code)
  const child = spawn(process.execPath, [file], { env: { API_SECRET: secret }, stdio: ['ignore', 'pipe', 'inherit'] })
  children.push(child)
  await new Promise<void>((resolve, reject) => {
    child.stdout?.once('data', () => resolve())
    child.once('exit', (code) => reject(new Error(`The example ended with ${code}.`)))
  })
}

const signIn = async (email: string) => {
  const browser = createBrowser(service.origin)
  await signInOver(browser, '', email)
  return browser
}
const mint = async (browser: Browser): Promise<string> => {
  const answer = await browser.fetch('/v1/session/token', { method: 'POST', json: {} })
  return ((await answer.json()) as { access_token: string }).access_token
}
const sub = (token: string) => (JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { sub: string }).sub

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-live-'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  service = await startService()
  const api = { id: 'api', name: 'API', transport: 'service' as const, audiences: [service.origin], scopes: ['revocations:read'] }
  const made = await service.auth.clients.create(api, 'test')
  secret = made.ok ? (made.secret ?? '') : ''
})
afterAll(async () => {
  for (const child of children) child.kill('SIGKILL')
  await service.close()
  rmSync(folder, { recursive: true, force: true })
})

it('a WebSocket: the first message says who it is, a warning comes, a fresh token goes on, a revocation ends it', async () => {
  const port = await freePort()
  await run('WebSocketServer({', port)
  const connect = async (...messages: unknown[]) => {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`)
    const heard: string[] = []
    let code = 0
    const send = (message: unknown) => socket.send(JSON.stringify(message))
    socket.on('message', (data) => void heard.push(String(data)))
    socket.on('close', (how) => {
      code = how
    })
    await new Promise((resolve) => socket.once('open', resolve))
    for (const message of messages) send(message)
    return { heard, send, code: () => code, warnings: () => heard.filter((text) => text.includes('expiring')).length }
  }
  const until = (check: () => unknown) => expect.poll(check)
  const ada = await signIn('ada@example.com')
  const token = await mint(ada)

  const silent = await connect({ hello: 1 })
  await until(silent.code).toBe(4401)
  const forged = await connect({ token: 'a.b.c' })
  await until(forged.code).toBe(4401)

  const open = await connect({ token }, { hello: 1 })
  await until(open.warnings).toBe(1)
  // A fresh token goes on with the connection, and is warned of in its turn.
  open.send({ token: await mint(ada) })
  await until(open.warnings).toBe(2)
  open.send({ hello: 2 })
  await until(() => open.heard).toContain('{"echo":{"hello":2}}')
  expect(open.code()).toBe(0)
  const changed = await service.auth.users.change(sub(token), { roles: ['editor'] }, 'test')
  expect(changed.ok).toBe(true)
  await until(open.code).toBe(4403)

  const other = await connect({ token: await mint(ada) })
  await until(other.warnings).toBe(1)
  other.send({ token: await mint(await signIn('eve@example.com')) })
  await until(other.code).toBe(4401)

  const last = await connect({ token: await mint(ada) })
  await until(last.warnings).toBe(1)
  await ada.fetch('/v1/session', { method: 'DELETE' })
  await until(last.code).toBe(4401)
})

it('a stream of events: open, a warning, and its end with the reason', async () => {
  const port = await freePort()
  await run('express()', port)
  const bob = await signIn('bob@example.com')
  const token = await mint(bob)
  const ask = (bearer: string) => fetch(`http://127.0.0.1:${port}/events`, { headers: { authorization: `Bearer ${bearer}` } })
  expect((await ask('a.b.c')).status).toBe(401)
  const answer = await ask(token)
  expect(answer.headers.get('content-type')).toBe('text/event-stream')
  let heard = ''
  const whole = (async () => {
    for await (const chunk of answer.body as AsyncIterable<Uint8Array>) heard += Buffer.from(chunk).toString()
  })()
  await expect.poll(() => heard, { timeout: 5000 }).toMatch(/^event: open\ndata: \{\}\n\nevent: expiring\ndata: \d+\n\n$/)
  await bob.fetch('/v1/session', { method: 'DELETE' })
  await whole
  expect(heard).toMatch(/event: end\ndata: \{"code":4401,"reason":"session_revoked"\}\n\n$/)
})
