// What must be there before anything can run: dependencies, a fresh build, a browser and proxies for the tests.
// Plain Node without dependencies, so that it works right after a clone. One short line for each step taken.

import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))

function say(line) {
  process.stderr.write(`${line}\n`)
}

function fail(line) {
  say(line)
  process.exit(1)
}

function run(command, args, options = {}) {
  return spawnSync(command, args, { cwd: root, stdio: ['ignore', 2, 2], ...options }).status ?? 1
}

/** The path of a tool that came with the dependencies. */
export function tool(name) {
  return join(root, 'node_modules', '.bin', name)
}

/** Writes a printed page of the docs as the formatter wants it. */
export function writePage(path, text) {
  writeFileSync(join(root, path), text)
  if (run(tool('biome'), ['format', '--write', path], { stdio: ['ignore', 'ignore', 2] }) !== 0)
    fail(`${path} could not be formatted; the lines above say why.`)
}

function newest(path) {
  return existsSync(path) ? statSync(path).mtimeMs : 0
}

/** Installs the dependencies when they are missing or older than the lock file. */
export function install() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) fail(`Symbolon needs Node 20.19 or newer; this is ${process.versions.node}.`)
  if (newest(join(root, 'node_modules', '.package-lock.json')) >= newest(join(root, 'package-lock.json'))) return
  say('Installing dependencies (once, under a minute) …')
  if (run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error']) !== 0) fail('npm ci failed; the lines above say why.')
}

/** Builds what is stale; the compiler itself knows what that is. */
export function build({ playground = false } = {}) {
  if (!existsSync(join(root, 'packages/symbolon/dist/cli/main.js'))) say('Building …')
  if (run(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-b']) !== 0) fail('The build failed; the lines above say why.')
  if (playground && run(process.execPath, [join(root, 'scripts/playground.mjs')]) !== 0)
    fail('Building the playground failed; the lines above say why.')
}

export function inPath(name) {
  return [...(process.env.PATH ?? '').split(delimiter), ...(process.platform === 'linux' ? ['/usr/sbin'] : [])]
    .map((folder) => join(folder, name))
    .find((path) => existsSync(path))
}

function aptInstall(...names) {
  // Level 1: what is installed is not started.
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', RUNLEVEL: '1' }
  run('apt-get', ['update', '-qq'], { env, stdio: 'ignore' })
  run('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...names], { env, stdio: 'ignore' })
}

function canInstall() {
  return process.getuid?.() === 0 && inPath('apt-get') !== undefined
}

/** Finds Chromium, or installs it where that is possible; sets CHROMIUM_PATH for the tests. */
export function browser() {
  // The headless shell draws pages as Chromium does, in two thirds of the time.
  const names = ['chromium-headless-shell', 'chromium', 'chromium-browser', 'google-chrome']
  const find = () => process.env.CHROMIUM_PATH ?? names.map(inPath).find((path) => path !== undefined)
  for (const name of ['chromium-headless-shell', 'chromium'])
    if (find() === undefined && canInstall()) {
      say('Installing Chromium for the browser tests (once, under a minute) …')
      aptInstall(name, 'fonts-dejavu-core')
    }
  const path = find()
  if (path === undefined)
    fail('The browser tests need Chromium: install it (Debian: apt-get install chromium), or name it in CHROMIUM_PATH.')
  process.env.CHROMIUM_PATH = path
}

/** Finds HAProxy and nginx, or installs them where that is possible; without them the tests of a deployment are skipped. */
export function proxies() {
  const missing = () => inPath('haproxy') === undefined || inPath('nginx') === undefined
  if (missing() && canInstall()) {
    say('Installing HAProxy and nginx for the tests of a deployment (once, under a minute) …')
    aptInstall('haproxy', 'nginx-light')
  }
  if (missing()) say('The tests of a deployment are skipped without HAProxy and nginx (Debian: apt-get install haproxy nginx-light).')
}

/** Finds PostgreSQL's programs, or installs them where that is possible; sets POSTGRES_BIN for the tests. No server of the system is started or touched. */
export function database() {
  const debian = '/usr/lib/postgresql'
  const find = () => {
    if (process.env.POSTGRES_BIN !== undefined) return process.env.POSTGRES_BIN
    const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : []
    const found = versions.map((version) => join(debian, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')))
    const own = inPath('initdb')
    return found ?? (own === undefined ? undefined : dirname(own))
  }
  if (find() === undefined && canInstall()) {
    say('Installing PostgreSQL for the tests of its store (once, under a minute) …')
    aptInstall('postgresql')
  }
  const path = find()
  if (path === undefined)
    fail(
      'The tests of the PostgreSQL store need its server: install it (Debian: apt-get install postgresql), or name its programs in POSTGRES_BIN.',
    )
  process.env.POSTGRES_BIN = path
}
