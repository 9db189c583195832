// What only one test needs and is large (runtimes, Next): pinned by a lock file in the test's own folder, installed when that
// test runs, into .cache (not below node_modules, whose TypeScript no bundler compiles). A second run finds it there.

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('..', import.meta.url))
const manifests = ['package.json', 'package-lock.json']

/**
 * The `node_modules` that a folder's lock file describes; `undefined`, with one line that says what is skipped and why, when
 * it cannot be installed. Where CI is set nothing may be skipped: then it throws.
 */
export function installPinned(folder: string, what: string): string | undefined {
  const from = join(root, folder)
  const cache = join(root, '.cache', basename(folder))
  const done = join(cache, 'node_modules/.package-lock.json')
  const same = manifests.every(
    (name) => existsSync(join(cache, name)) && readFileSync(join(cache, name)).equals(readFileSync(join(from, name))),
  )
  if (same && existsSync(done)) return join(cache, 'node_modules')
  rmSync(cache, { recursive: true, force: true })
  mkdirSync(cache, { recursive: true })
  const args = ['ci', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error', '--fetch-retries=1', '--fetch-timeout=60000']
  for (const name of manifests) cpSync(join(from, name), join(cache, name))
  const { status, stderr } = spawnSync('npm', args, { cwd: cache, encoding: 'utf8', timeout: 180_000 })
  if (status === 0) return join(cache, 'node_modules')
  rmSync(cache, { recursive: true, force: true })
  const why = stderr.split('\n').find((line) => line.includes('npm error')) ?? 'npm did not finish in time'
  const line = `${what}: skipped, because ${folder}/package.json could not be installed (${why.replace(/^npm error /, '')})`
  if (process.env.CI !== undefined) throw new Error(line)
  process.stderr.write(`${line}\n`)
  return undefined
}
