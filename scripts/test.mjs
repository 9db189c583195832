// `npm test`: brings up what is missing, builds, and runs every test. Arguments go on to vitest.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { browser, build, database, install, proxies, root } from './bootstrap.mjs'

install()
build({ playground: true })
browser()
database()
proxies()
const vitest = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => vitest.kill(signal))
vitest.on('exit', (code) => process.exit(code ?? 1))
