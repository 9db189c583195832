// `npm run faults [-- --minutes N] [SCENARIO]`: the fault suite on PostgreSQL, an hour over all scenarios unless said. The
// name of a scenario, or a part of it, runs only those.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, database, install, root } from './bootstrap.mjs'

const words = process.argv.slice(2)
const at = words.indexOf('--minutes')
const minutes = at < 0 ? 60 : Number(words.splice(at, 2)[1])
if (!(minutes > 0) || words.length > 1) {
  process.stderr.write('Usage: npm run faults -- [--minutes N] [SCENARIO]\n')
  process.exit(2)
}
install()
build()
database()
const vitest = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', 'test/faults/postgres.test.ts'], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, FAULTS_MINUTES: String(minutes), FAULTS_ONLY: words[0] ?? '' },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => vitest.kill(signal))
vitest.on('exit', (code) => process.exit(code ?? 1))
