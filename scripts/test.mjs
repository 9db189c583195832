// `npm test`: brings up what is missing, builds, and runs every test. Arguments go on to vitest.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { browser, build, database, inPath, install, proxies, root } from './bootstrap.mjs'

install()
build({ playground: true })
browser()
database()
proxies()
// As root a browser raises itself above everything else, and starves what is measured beside it: nobody may.
const level = process.getuid?.() === 0 && inPath('setpriv') ? ['setpriv', '--bounding-set=-sys_nice', '--inh-caps=-sys_nice'] : []
const [command, ...words] = [...level, process.execPath, join(root, 'node_modules/vitest/vitest.mjs'), 'run', ...process.argv.slice(2)]
const vitest = spawn(command, words, { cwd: root, stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => vitest.kill(signal))
vitest.on('exit', (code) => process.exit(code ?? 1))
