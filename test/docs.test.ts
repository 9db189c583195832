// The documentation holds: every TypeScript block compiles against the packages, links lead somewhere, and the page of
// errors is the table's.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { errors, events } from '@symbolon/protocol'
import { createVerifier } from '@symbolon/verifier'
import { expect, it } from 'vitest'

const root = fileURLToPath(new URL('..', import.meta.url))
const pages = [
  'README.md',
  'SECURITY.md',
  'CHANGELOG.md',
  'ARCHITECTURE.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const textOf = (page: string) => readFileSync(join(root, page), 'utf8')

it('every TypeScript block compiles', () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-docs-'))
  try {
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
    const files: string[] = []
    for (const page of pages)
      [...textOf(page).matchAll(/```ts\n([\s\S]*?)```/g)].forEach(([, code = ''], i) => {
        const name = `${page.replace(/\W/g, '-')}-${i}.ts`
        writeFileSync(join(folder, name), `${code}\nexport {}\n`)
        files.push(name)
      })
    expect(files.length).toBeGreaterThan(8)
    writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
    const compilerOptions = {
      module: 'nodenext',
      target: 'es2023',
      strict: true,
      noEmit: true,
      skipLibCheck: true,
      types: ['node'],
      lib: ['es2023', 'dom', 'dom.iterable'],
      preserveSymlinks: false,
    }
    // What only a worker has.
    writeFileSync(
      join(folder, 'workers.d.ts'),
      "declare module 'cloudflare:workers' { export function waitUntil(work: Promise<unknown>): void }",
    )
    files.push('workers.d.ts')
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files }))
    const tsc = spawnSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], { cwd: folder, encoding: 'utf8' })
    expect(tsc.stdout).toBe('')
    expect(tsc.status).toBe(0)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

it('every link leads somewhere', () => {
  for (const page of pages)
    for (const [, target = ''] of textOf(page).matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g))
      if (!/^https?:/.test(target)) expect(existsSync(join(root, dirname(page), target)), `${page} → ${target}`).toBe(true)
})

it('the page of errors is the table', () => {
  const page = textOf('docs/errors.md').replace(/ +/g, ' ')
  for (const [code, { status, text }] of Object.entries(errors)) expect(page).toContain(`| \`${code}\` | ${status} | ${text} |`)
  expect(page.match(/^\| `/gm)).toHaveLength(Object.keys(errors).length)
})

it('the page of events is the table', () => {
  const page = textOf('docs/events.md').replace(/ +/g, ' ')
  for (const [name, { when, data }] of Object.entries(events)) {
    const row = page.split('\n').find((line) => line.startsWith(`| \`${name}\` | ${when} |`))
    for (const field of Object.keys(data)) expect(row, name).toContain(`\`${field}\``)
  }
  expect(page.match(/^\| `/gm)).toHaveLength(Object.keys(events).length)
})

it('the page of revocation names every option, field and metric of a verifier', async () => {
  const page = textOf('docs/revocation.md')
  /** The members of an interface, by its source. */
  const members = (file: string, name: string) => {
    const body =
      new RegExp(`^export interface ${name}\\b[^{]*\\{([\\s\\S]*?)^\\}`, 'm').exec(textOf(`packages/verifier/src/${file}`))?.[1] ?? ''
    return [...body.matchAll(/^ {2}(?:readonly )?(\w+)\??:/gm)].map(([, member = '']) => member)
  }
  const verifier = createVerifier({ issuer: 'https://auth.example' })
  const metrics = [...verifier.metrics().matchAll(/^# TYPE (\w+)/gm)].map(([, name = '']) => name)
  await verifier.close()
  const said = [
    ...members('verifier.ts', 'VerifierOptions'),
    ...members('verifier.ts', 'VerifierStatus'),
    ...members('source.ts', 'FeedStatus'),
    ...metrics,
  ]
  expect(said.length).toBeGreaterThan(40)
  for (const name of said) expect(page, name).toMatch(new RegExp(`^\\| \`${name}\` +\\|`, 'm'))
  for (const name of members('counters.ts', 'Counters')) expect(page).toContain(`\`${name}\``)
})

it('the quick start of the README is the one that is tested', () => {
  const block = /```ts\n([\s\S]*?)```/.exec(textOf('README.md'))?.[1] ?? ''
  const tested = readFileSync(join(root, 'packages/symbolon/test/embed/quickstart.test.ts'), 'utf8')
  for (const line of ['app.use(toNodeHandler(auth))', "guard('token'), (req, res)", "guard('session', { maxAuthAge: '5m' })"]) {
    expect(block).toContain(line)
    expect(tested).toContain(line)
  }
})
