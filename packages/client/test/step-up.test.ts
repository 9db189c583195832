// What the client reads of a challenge (RFC 9470 §3), and what it makes of a cookie that a step-up replaced. No browser.

import { describe, expect, it } from 'vitest'
import { createIssuer } from '../src/calls.ts'
import { stepUpNeed } from '../src/index.ts'

const answer = (status: number, challenge: string, body = '{}') =>
  new Response(body, { status, headers: challenge === '' ? {} : { 'www-authenticate': challenge } })
const asks = 'Bearer realm="symbolon", error="insufficient_user_authentication", error_description="acr_values=x"'

describe('a challenge', () => {
  it.each<[string, number, string, object | undefined]>([
    ['for classes and an age', 401, `${asks}, acr_values="urn:a urn:b", max_age="300"`, { acrValues: ['urn:a', 'urn:b'], maxAge: 300 }],
    ['for an age of nothing', 401, `${asks}, max_age="0"`, { maxAge: 0 }],
    ['for no more than a step-up', 401, asks, {}],
    ['of another kind', 401, 'Bearer realm="symbolon", error="invalid_token", max_age="300"', undefined],
    ['with another status', 403, `${asks}, max_age="300"`, undefined],
    ['that is not there', 401, '', undefined],
  ])('%s', (_, status, challenge, need) => expect(stepUpNeed(answer(status, challenge))).toEqual(need))
})

describe('a mint', () => {
  const issuer = (...answers: Response[]) => createIssuer('https://app.example', async () => answers.shift() as Response)
  const superseded = () => answer(401, '', '{"code":"session_superseded"}')
  const minted = () => new Response('{"access_token":"t"}')

  it('whose cookie was replaced on its way asks once more, and then it is signed out', async () => {
    expect(await issuer(superseded(), minted()).mint(false)).toEqual({ access_token: 't' })
    await expect(issuer(superseded(), superseded(), minted()).mint(false)).rejects.toMatchObject({ code: 'signed_out' })
  })

  it('that asks for a step-up says what for', async () => {
    const refused = answer(401, `${asks}, max_age="60"`, '{"code":"step_up_required"}')
    await expect(issuer(refused).mint(false)).rejects.toMatchObject({ code: 'step_up_required', need: { maxAge: 60 } })
  })
})
