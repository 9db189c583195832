// examples/react-router as a user runs it: type-checked, bundled, served; a loader at token level, an action at session level.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { get } from 'node:http'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Browser, createBrowser, signInOver } from '../../packages/symbolon/test/setting/browser.ts'
import { freePort } from '../free-port.ts'
import { installPinned } from '../pinned.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const pinned = installPinned('test/e2e/react-router', 'React Router')
const data = mkdtempSync(join(tmpdir(), 'symbolon-react-router-'))
let app: string
let child: ChildProcess | undefined
let origin: string

beforeAll(async () => {
  if (pinned === undefined) return
  // Below what is installed, which is below the workspace: its packages are found there, built.
  app = mkdtempSync(join(dirname(pinned), 'app-'))
  cpSync(join(root, 'examples/react-router'), app, { recursive: true })
  await build({
    absWorkingDir: app,
    entryPoints: ['server.tsx'],
    outfile: 'build/server.mjs',
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    jsx: 'automatic',
  })
  const port = await freePort()
  origin = `http://localhost:${port}`
  const env = { PATH: process.env.PATH ?? '', NODE_ENV: 'production', PORT: String(port), SYMBOLON_DATA: data }
  child = spawn(process.execPath, ['build/server.mjs'], { cwd: app, env, stdio: ['ignore', 'ignore', 'ignore'] })
  const deadline = Date.now() + 30_000
  const answers = () =>
    fetch(`${origin}/auth/readyz`).then(
      ({ status }) => status === 200,
      () => false,
    )
  while (!(await answers())) {
    if (Date.now() > deadline) throw new Error('the example does not answer')
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}, 240_000)
afterAll(async () => {
  if (pinned === undefined) return
  const gone = new Promise((resolve) => child?.once('exit', resolve))
  if (child?.kill('SIGTERM')) await gone
  for (const folder of [app, data]) rmSync(folder, { recursive: true, force: true })
})

const headingOf = async (response: Response) => /<h1>(.*?)<\/h1>/.exec(await response.text())?.[1]
async function signedIn(email: string): Promise<Browser> {
  const browser = createBrowser(origin)
  expect((await signInOver(browser, '/auth', email)).status).toBe(200)
  return browser
}

it('pins the same versions in the example as are tried', () => {
  const read = (folder: string) => JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8'))
  const { dependencies, devDependencies } = read('examples/react-router')
  expect({ ...dependencies, ...devDependencies }).toMatchObject(read('test/e2e/react-router').dependencies)
})

describe.runIf(pinned !== undefined)('a React Router application', () => {
  it('type-checks', () => {
    const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], {
      cwd: app,
      encoding: 'utf8',
    })
    expect(tsc.stdout).toBe('')
  })

  it('guards a loader at token level, and gives a token that was minted back with the page', async () => {
    const refused = await fetch(`${origin}/feed`)
    expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('Sign in')])
    // As a window asks, which `fetch` cannot: it says what it is in `Sec-Fetch-Mode`.
    const sent = await new Promise<readonly [number | undefined, string | undefined]>((resolve) =>
      get(`${origin}/feed`, { headers: { 'sec-fetch-mode': 'navigate' } }, (response) => {
        response.resume()
        resolve([response.statusCode, response.headers.location])
      }),
    )
    expect(sent).toEqual([303, '/auth/login?return_to=%2Ffeed'])
    const ada = await signedIn('ada@example.com')
    const first = await ada.fetch('/feed')
    expect(first.headers.get('cache-control')).toBe('private, no-store')
    expect(await headingOf(first)).toMatch(/^Feed of usr_\S+, checked live$/)
    expect(await headingOf(await ada.fetch('/feed'))).toMatch(/^Feed of usr_\S+, checked local$/)
  })

  it('guards an action at session level', async () => {
    const ada = await signedIn('actions@example.com')
    const session = ada.jar.get('symbolon') as string
    const act = (headers: Record<string, string> = {}) =>
      ada.fetch('/transfers', { method: 'POST', body: new URLSearchParams({ amount: '7' }), headers })
    expect(await headingOf(await act())).toMatch(/^7 transferred by usr_/)
    expect([
      (await act({ origin: 'https://evil.example' })).status,
      await headingOf(await act({ origin: 'https://evil.example' })),
    ]).toEqual([403, 'Refused (403)'])
    await ada.fetch('/auth/v1/session', { method: 'DELETE' })
    ada.jar.set('symbolon', session)
    expect((await act()).status).toBe(401)
  })
})
