// Two service processes on one store: what may happen once happens once, whichever of them is asked.

import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type ServiceProcess, startServiceProcess } from '../faults/service-process.ts'

let data: string
let one: ServiceProcess
let other: ServiceProcess
let privateKey: CryptoKey

beforeAll(async () => {
  data = mkdtempSync(join(tmpdir(), 'symbolon-siblings-'))
  one = await startServiceProcess(data)
  other = await startServiceProcess(data, { env: { SYMBOLON_ISSUER: one.origin } })
  const pair = await generateKeyPair('ES256')
  privateKey = pair.privateKey
  const keys = [{ ...(await exportJWK(pair.publicKey)), kid: 'k', alg: 'ES256' }]
  await one.admin('POST', '/clients', { id: 'reports', name: 'Reports', transport: 'service', keys })
})
afterAll(async () => {
  await one.stop('SIGKILL')
  await other.stop('SIGKILL')
  rmSync(data, { recursive: true, force: true })
})

const assertion = () =>
  new SignJWT({ iss: 'reports', sub: 'reports', aud: one.origin, jti: randomUUID() })
    .setProtectedHeader({ alg: 'ES256', kid: 'k' })
    .setIssuedAt()
    .setExpirationTime('1m')
    .sign(privateKey)
const ask = async (service: ServiceProcess, client_assertion: string) => {
  const answer = await fetch(`${service.origin}/oauth/token`, {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion,
    }),
  })
  const { error } = (await answer.json()) as { error?: string }
  return error ?? answer.status
}

it('an assertion is taken once by both together', async () => {
  const first = await assertion()
  expect([await ask(one, first), await ask(other, first), await ask(one, first)]).toEqual([200, 'invalid_client', 'invalid_client'])
  const second = await assertion()
  expect([await ask(other, second), await ask(one, second), await ask(other, second)]).toEqual([200, 'invalid_client', 'invalid_client'])
  // At the same moment, too.
  for (let i = 0; i < 25; i++) {
    const raced = await assertion()
    const answers = await Promise.all([ask(one, raced), ask(other, raced), ask(one, raced), ask(other, raced)])
    expect(answers.map(String).sort()).toEqual(['200', 'invalid_client', 'invalid_client', 'invalid_client'])
  }
  // And after both have been killed.
  const third = await assertion()
  expect(await ask(other, third)).toBe(200)
  for (const service of [one, other]) await service.stop('SIGKILL')
  await one.start()
  await other.start({ SYMBOLON_ISSUER: one.origin })
  expect([await ask(one, third), await ask(other, third), await ask(one, await assertion())]).toEqual([
    'invalid_client',
    'invalid_client',
    200,
  ])
})
