// Builds the playground's page when its sources are newer than what was built.
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
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
  process.exitCode =
    spawnSync(process.execPath, [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'error'], {
      cwd: app,
      stdio: ['ignore', 2, 2],
    }).status ?? 1
}
