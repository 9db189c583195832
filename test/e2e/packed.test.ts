// What a user gets: the four packages packed, installed into an empty project, type-checked and run there, and
// what came along with each of them.

import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { build } from 'esbuild'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { freePort } from '../free-port.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const packages = ['protocol', 'verifier', 'client', 'symbolon'] as const
const folder = mkdtempSync(join(tmpdir(), 'symbolon-packed-'))
const tarballs: Record<string, string> = {}

const npm = (cwd: string, ...args: string[]) =>
  execFileSync('npm', [...args, '--loglevel=error', '--no-audit', '--no-fund'], { cwd, encoding: 'utf8', timeout: 110_000 })

/** An empty project that has installed these packages; returns its folder. */
function project(name: string, ...install: readonly (typeof packages)[number][]): string {
  const path = mkdtempSync(join(folder, `${name}-`))
  const overrides = Object.fromEntries(packages.filter((p) => p !== 'symbolon').map((p) => [`@symbolon/${p}`, `file:${tarballs[p]}`]))
  const dependencies = Object.fromEntries(install.map((p) => [p === 'symbolon' ? p : `@symbolon/${p}`, `file:${tarballs[p]}`]))
  for (const p of Object.keys(dependencies)) delete overrides[p]
  writeFileSync(join(path, 'package.json'), JSON.stringify({ name: `try-${name}`, private: true, type: 'module', dependencies, overrides }))
  npm(path, 'install', '--prefer-offline')
  return path
}

/** Every package below node_modules, by name. */
function installed(path: string): string[] {
  const lock = JSON.parse(readFileSync(join(path, 'node_modules/.package-lock.json'), 'utf8')) as { packages: Record<string, unknown> }
  return Object.keys(lock.packages)
    .map((key) => key.slice(key.lastIndexOf('node_modules/') + 'node_modules/'.length))
    .sort()
}

/** Type-checks and runs a program there; what it printed. */
function compileAndRun(path: string, text: string): string {
  writeFileSync(join(path, 'main.ts'), text)
  const options = {
    module: 'nodenext',
    target: 'es2023',
    strict: true,
    skipLibCheck: false,
    types: ['node'],
    typeRoots: [join(root, 'node_modules/@types')],
    lib: ['es2023', 'dom', 'dom.iterable'],
    outDir: 'out',
  }
  writeFileSync(join(path, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files: ['main.ts'] }))
  const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], { cwd: path, encoding: 'utf8' })
  // The compiler speaks on stdout, which a thrown error would not show.
  expect(tsc.stdout).toBe('')
  expect(tsc.status).toBe(0)
  return execFileSync(process.execPath, ['out/main.js'], { cwd: path, encoding: 'utf8', timeout: 30_000 })
}

beforeAll(() => {
  for (const name of packages) {
    npm(root, 'pack', '--pack-destination', folder, `./packages/${name}`)
    tarballs[name] = join(
      folder,
      readdirSync(folder).find((file) => file.endsWith('.tgz') && !Object.values(tarballs).includes(join(folder, file))) as string,
    )
  }
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

describe('the packed packages', () => {
  it('protocol brings nothing', () => expect(installed(project('protocol', 'protocol'))).toEqual(['@symbolon/protocol']), 120_000)

  it('verifier brings protocol and jose, and refuses a forged token', () => {
    const path = project('verifier', 'verifier')
    expect(installed(path)).toEqual(['@symbolon/protocol', '@symbolon/verifier', 'jose'])
    const printed = compileAndRun(
      path,
      `import { createVerifier } from '@symbolon/verifier'
const verifier = createVerifier({ issuer: 'https://auth.example' })
const result = await verifier.guard('token')({ method: 'GET', url: '/', header: (name) => (name === 'authorization' ? 'Bearer forged' : undefined) })
console.log(result.ok, result.ok ? '' : result.status)
await verifier.close()
`,
    )
    expect(printed.trim()).toBe('false 401')
  })

  it('client brings protocol, and its bundle is at most 5 kB gzip', async () => {
    const path = project('client', 'client')
    expect(installed(path)).toEqual(['@symbolon/client', '@symbolon/protocol'])
    writeFileSync(join(path, 'page.js'), "import { createClient } from '@symbolon/client'\nglobalThis.createClient = createClient\n")
    const { outputFiles } = await build({
      absWorkingDir: path,
      entryPoints: ['page.js'],
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
    })
    expect(gzipSync(outputFiles[0]?.contents as Uint8Array, { level: 9 }).length).toBeLessThanOrEqual(5 * 1024)
  })

  it('symbolon signs somebody in', () => {
    const path = project('symbolon', 'symbolon')
    expect(installed(path)).not.toContain('typescript')
    const printed = compileAndRun(
      path,
      `import { createAuth } from 'symbolon'
const auth = createAuth({ issuer: 'http://localhost:3000/auth', dev: true })
await auth.ready()
const post = (path: string, body: unknown) =>
  auth.handler(new Request('http://localhost:3000/auth' + path, { method: 'POST', headers: { 'content-type': 'application/json', origin: 'http://localhost:3000' }, body: JSON.stringify(body) }))
const start = await post('/v1/login/start', { method: 'email_otp', identifier: 'ada@example.com' })
console.log(start.status, start.headers.getSetCookie().length)
await auth.close()
`,
    )
    expect(printed).toMatch(/^200 1$/m)
  }, 180_000)

  it('runs the quick start of the README as it stands, in an empty project', async () => {
    const path = project('quickstart', 'symbolon')
    npm(path, 'install', '--prefer-offline', 'express@5')
    const block = /```ts\n([\s\S]*?)```/.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? ''
    const port = await freePort()
    // Only the port differs: another one may be in use where this runs.
    writeFileSync(join(path, 'server.mjs'), block.replaceAll('3000', String(port)))
    const child = spawn(process.execPath, ['server.mjs'], { cwd: path, stdio: ['ignore', 'ignore', 'pipe'] })
    try {
      let printed = ''
      child.stderr.on('data', (chunk) => {
        printed += chunk
      })
      const origin = `http://localhost:${port}`
      const jar: string[] = []
      const call = async (at: string, body?: unknown) => {
        const response = await fetch(origin + at, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { origin, cookie: jar.join('; '), 'content-type': 'application/json' },
          ...(body !== undefined && { body: JSON.stringify(body) }),
        })
        for (const cookie of response.headers.getSetCookie()) jar.push(cookie.split(';', 1)[0] as string)
        return response
      }
      await expect
        .poll(
          () =>
            call('/auth/readyz').then(
              ({ status }) => status,
              () => 0,
            ),
          { timeout: 20_000 },
        )
        .toBe(200)
      expect((await call('/feed')).status).toBe(401)
      const { login_id } = (await (await call('/auth/v1/login/start', { method: 'email_otp', identifier: 'ada@example.com' })).json()) as {
        login_id: string
      }
      await expect.poll(() => printed).toMatch(/code \d{6}/)
      const code = /code (\d{6})/.exec(printed)?.[1]
      expect((await call('/auth/v1/login/verify', { login_id, code })).status).toBe(200)
      expect(await (await call('/feed')).json()).toEqual({ hello: expect.stringMatching(/^usr_/) })
      expect((await call('/transfers', {})).status).toBe(201)
    } finally {
      child.kill('SIGKILL')
    }
  }, 180_000)
})
