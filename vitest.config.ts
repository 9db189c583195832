// Tests run from source: the condition names our own sources, so no build is needed except for worker threads,
// which Node starts itself. Their one expression is pointed at the built file here, so that product code stays plain.
import { availableParallelism } from 'node:os'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

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

/** Those that take longest, so that no worker is left alone with one at the end; suites of faults, which load a machine most, far apart. */
const longest = [
  'http/enumeration',
  'stores/postgres',
  'http/every-page',
  'faults/postgres',
  'e2e/process',
  'e2e/secrets',
  'faults/faults',
  'http/passkey-pages',
  'e2e/restore',
  'e2e/move',
  'e2e/deploy',
  'e2e/step-up',
  'faults/broken',
  'e2e/playground',
  'http/links',
  'stores/postgres-faults',
  'stores/sqlite-disk',
  'client/test/tabs',
  'e2e/webhooks',
  'e2e/next',
  'faults/outage',
  'e2e/mass',
  'http/pages',
  'http/captcha',
]

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const place = ({ moduleId }: TestSpecification) => {
      const at = longest.findIndex((name) => moduleId.endsWith(`${name}.test.ts`))
      return at < 0 ? longest.length : at
    }
    return (await super.sort(files)).sort((a, b) => place(a) - place(b))
  }
}

export default defineConfig({
  plugins: [builtWorkers],
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.{ts,tsx}', 'apps/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    // Two at least: much of the time is spent waiting, for processes, databases and browsers.
    maxWorkers: Math.max(2, availableParallelism() - 1),
    // A worker runs one file after the other: what they import is loaded once. No file may leave behind what another one meets.
    isolate: false,
    sequence: { sequencer: LongestFirst },
    // Against a test that hangs. What has to be quick says so itself: no machine that is slow for a while makes a test red.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    expect: { poll: { timeout: 10_000 } },
  },
})
