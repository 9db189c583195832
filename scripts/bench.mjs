// `npm run bench`: builds, then measures. Arguments go on to the benchmark.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, install, root } from './bootstrap.mjs'

install()
build()
const bench = spawn(process.execPath, [join(root, 'apps/bench/dist/main.js'), ...process.argv.slice(2)], { cwd: root, stdio: 'inherit' })
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => bench.kill(signal))
bench.on('exit', (code) => process.exit(code ?? 1))
