// Clean-up goes through every room, and what is wrong with one keeps no other from its turn.

import { afterEach, beforeEach, expect, it } from 'vitest'
import { openDriver } from '../../src/stores/sqlite/driver.ts'
import { openSetting, type Setting } from '../setting/service.ts'

let setting: Setting
beforeEach(async () => {
  setting = await openSetting()
})
afterEach(() => setting.close())

const inFile = (statement: string) => {
  const file = openDriver(setting.path)
  file.exec(statement)
  file.close()
}

it('says what went, and nothing when nothing is left', async () => {
  expect(await setting.core.jobs.sweep()).toBe(0)
  await setting.store.limits.spend([{ key: 'k', limit: 1, window: 1000 }])
  setting.time += 5000
  expect(await setting.core.jobs.sweep()).toBe(1)
  expect(await setting.core.jobs.sweep()).toBe(0)
})

it('goes on beside a room that fails, and tells of the fault when there is nothing else to do', async () => {
  await setting.store.limits.spend([{ key: 'k', limit: 1, window: 1000 }])
  setting.time += 5000
  inFile('ALTER TABLE attempts RENAME TO elsewhere')
  expect(await setting.core.jobs.sweep()).toBe(1)
  await expect(setting.core.jobs.sweep()).rejects.toMatchObject({ code: 'store_unavailable' })
  inFile('ALTER TABLE elsewhere RENAME TO attempts')
  expect(await setting.core.jobs.sweep()).toBe(0)
})
