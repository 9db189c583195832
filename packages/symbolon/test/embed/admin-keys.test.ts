// Admin keys in a file that changes while the service runs.

import { chmodSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createAdminKey, removeAdminKey } from '../../src/embed/admin-keys.ts'
import { startService } from '../setting/server.ts'

it('admits nobody by keys that others can read, says why once, and takes them again when they are private', async () => {
  const told: string[] = []
  const service = await startService({ observe: ({ event, detail }) => void (event === 'admin_keys.unsafe' && told.push(String(detail))) })
  try {
    const data = service.auth.settings.data as string
    const key = createAdminKey(data, 'one')
    const ask = async () => {
      const answer = await fetch(`${service.admin}/admin/v1/keys`, { headers: { authorization: `Bearer ${key}` } })
      return [answer.status, ((await answer.json()) as { code?: string }).code]
    }
    expect(await ask()).toEqual([200, undefined])
    chmodSync(join(data, 'admin-keys'), 0o644)
    expect([await ask(), await ask()]).toEqual([
      [401, 'invalid_admin_key'],
      [401, 'invalid_admin_key'],
    ])
    expect(told).toEqual([expect.stringMatching(/can be read by others; .*chmod 600/)])
    chmodSync(join(data, 'admin-keys'), 0o600)
    expect(await ask()).toEqual([200, undefined])
    removeAdminKey(data, 'one')
    expect(await ask()).toEqual([401, 'invalid_admin_key'])
  } finally {
    await service.close()
  }
})
