// Tests run from source: the condition names our own sources, so no build is needed except for worker threads,
// which Node starts itself. Their one expression is pointed at the built file here, so that product code stays plain.
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { defineConfig } from 'vitest/config'

const conditions = ['@symbolon/source']
const source = fileURLToPath(new URL('./packages/symbolon/src/', import.meta.url))
const built = fileURLToPath(new URL('./packages/symbolon/dist/', import.meta.url))

const builtWorkers = {
  name: 'built-workers',
  enforce: 'pre' as const,
  transform(code: string, id: string) {
    if (!id.startsWith(source) || !code.includes('new URL(')) return null
    const folder = pathToFileURL(id.replace(source, built).replace(/[^/]+$/, '')).href
    return code.replace(/new URL\('(\.\/[a-z-]+\.js)', import\.meta\.url\)/g, (_, file) => `new URL('${file}', '${folder}')`)
  },
}

export default defineConfig({
  plugins: [builtWorkers],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.{ts,tsx}', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Two at least: much of the time is spent waiting, for processes, databases and browsers.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
})
