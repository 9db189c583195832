// The script for passkeys that the service serves is the one that its source makes, and small.

import { gzipSync } from 'node:zlib'
import { expect, it } from 'vitest'
import { passkeyScript } from '../packages/symbolon/src/http/pages/passkey-script.ts'
import { pageScript } from '../scripts/page-script.mjs'

it('is made from its source: else run `node scripts/page-script.mjs`', async () => expect(await pageScript()).toBe(passkeyScript))
it('is small', () => {
  expect(passkeyScript.length).toBeLessThan(15_000)
  expect(gzipSync(passkeyScript).length).toBeLessThan(6000)
})
