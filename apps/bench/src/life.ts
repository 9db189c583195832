// The process: how long until the first answer, and how much memory it holds when idle.

import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type Figures, median } from './figures.ts'
import { freePort } from './free-port.ts'

const main = fileURLToPath(new URL('../../../packages/symbolon/dist/cli/main.js', import.meta.url))

/** Measures. */
export async function measureLife(figures: Figures): Promise<void> {
  figures.begin('start and idle')
  const starts: number[] = []
  let idle = 0
  for (let i = 0; i < 5; i++) {
    const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-'))
    const [port, admin] = [await freePort(), await freePort()]
    const began = performance.now()
    const child = spawn(process.execPath, [main, 'serve', '--dev'], {
      env: { PATH: process.env.PATH, SYMBOLON_DATA: folder, SYMBOLON_PORT: String(port), SYMBOLON_ADMIN_PORT: String(admin) },
      stdio: 'ignore',
    })
    for (;;) {
      const ok = await fetch(`http://127.0.0.1:${port}/readyz`).then(
        (response) => response.ok,
        () => false,
      )
      if (ok) break
      if (performance.now() - began > 20_000) throw new Error('The service does not start.')
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    starts.push(performance.now() - began)
    await new Promise((resolve) => setTimeout(resolve, 1000))
    idle = Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1] ?? Number.NaN) / 1024
    child.kill('SIGTERM')
    await new Promise((resolve) => child.once('exit', resolve))
    rmSync(folder, { recursive: true, force: true })
  }
  figures.put('start.ms', median(starts), 'ms', '≤ 1000')
  figures.put('idle.mb', idle, 'MB', '≤ 120')
}
