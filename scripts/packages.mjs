// Package checks: what would be published is packed and looked at by publint and by are-the-types-wrong.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { root, tool } from './bootstrap.mjs'

const folder = mkdtempSync(join(tmpdir(), 'symbolon-packages-'))
let failed = false
const run = (command, args) => {
  const { status } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) failed = true
}
try {
  for (const name of ['protocol', 'verifier', 'client', 'symbolon'])
    run('npm', ['pack', '--silent', '--pack-destination', folder, `./packages/${name}`])
  const packed = readdirSync(folder)
  if (packed.length !== 4) failed = true
  for (const file of packed) {
    run(tool('publint'), ['run', '--strict', join(folder, file)])
    run(tool('attw'), ['--profile', 'esm-only', '--no-emoji', '--no-color', join(folder, file)])
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
process.exitCode = failed ? 1 : 0
