// `npm run faults [-- --minutes N] [SCENARIO]`: the fault suite on PostgreSQL, an hour over all scenarios unless said. The
// name of a scenario, or a part of it, runs only those; without it, all builds that are broken on purpose must be found, too.
// The last line is `faults.violations N`.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
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
const folder = mkdtempSync(join(tmpdir(), 'symbolon-faults-'))
const report = join(folder, 'report.json')
const files = ['postgres', ...(words.length === 0 ? ['broken'] : [])].map((name) => `test/faults/${name}.test.ts`)
const vitest = spawn(process.execPath, [join(root, 'node_modules/vitest/vitest.mjs'), 'run', '--no-file-parallelism', ...files], {
  cwd: root,
  stdio: 'inherit',
  env: { ...process.env, FAULTS_MINUTES: String(minutes), FAULTS_ONLY: words[0] ?? '', FAULTS_REPORT: report },
})
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => vitest.kill(signal))
vitest.on('exit', (code) => {
  const { chosen, report: done } = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : { chosen: 0, report: [] }
  rmSync(folder, { recursive: true, force: true })
  for (const { name, seconds, acts, calls, violations } of done)
    process.stdout.write(`${name}: ${seconds} s, ${acts} times, ${calls} calls, ${violations.length} violations\n`)
  const sum = (of) => done.reduce((all, one) => all + of(one), 0)
  const lines = {
    scenarios: done.length,
    acts: sum(({ acts }) => acts),
    calls: sum(({ calls }) => calls),
    // A run that has not come to its end proves nothing.
    violations: chosen === 0 || done.length < chosen ? 'unknown' : sum(({ violations }) => violations.length),
  }
  for (const [name, value] of Object.entries(lines)) process.stdout.write(`faults.${name} ${value}\n`)
  process.exit(lines.violations === 0 ? (code ?? 1) : 1)
})
