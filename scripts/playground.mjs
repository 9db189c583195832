// Builds the playground's page when its sources are newer than what was built.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { root } from './bootstrap.mjs'

const app = join(root, 'apps/playground')
const built = join(app, 'dist/page/index.html')
const newest = (folder) =>
  Math.max(
    0,
    ...readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((e) => e.isFile())
      .map((e) => statSync(join(e.parentPath, e.name)).mtimeMs),
  )
const sources = [join(app, 'page'), join(root, 'packages/client/src')].filter((folder) => existsSync(folder))
if (existsSync(join(app, 'vite.config.ts')) && (!existsSync(built) || Math.max(...sources.map(newest)) > statSync(built).mtimeMs)) {
  // npm may put vite beside the playground or at the root: only resolution knows.
  const vite = join(dirname(createRequire(join(app, 'package.json')).resolve('vite/package.json')), 'bin/vite.js')
  process.exitCode =
    spawnSync(process.execPath, [vite, 'build', '--logLevel', 'error'], {
      cwd: app,
      stdio: ['ignore', 2, 2],
    }).status ?? 1
}
