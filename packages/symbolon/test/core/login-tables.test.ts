// The two tables of signing in: what may be done where, and what was reached by what was proven.

import { describe, expect, it } from 'vitest'
import { acrValues, isOnlyWay, reached, reaches, waysFault } from '../../src/core/login/levels.ts'
import { allows, type LoginAction, machine } from '../../src/core/login/machine.ts'

describe('the table', () => {
  const actions: readonly LoginAction[] = ['start', 'resend', 'link', 'verify', 'respond', 'choose', 'end']
  it.each([
    ['start', ['start']],
    ['verify', ['resend', 'link', 'verify', 'choose']],
    ['challenge', ['verify', 'respond', 'choose']],
    ['choose', ['choose']],
    ['enrol', ['respond']],
    ['limit', ['end']],
    ['done', []],
  ] as const)('in %s allows %j and nothing else', (place, allowed) =>
    expect(actions.filter((action) => allows(place, action)).sort()).toEqual([...allowed].sort()),
  )

  it('leads from everywhere to an end, and from the end nowhere', () => {
    const ends = (place: keyof typeof machine, way: readonly string[]): boolean =>
      place === 'done' ||
      Object.values(machine[place]).some((next) => next?.some((one) => !way.includes(one) && ends(one, [...way, place])) === true)
    for (const place of Object.keys(machine) as (keyof typeof machine)[]) expect(ends(place, []), place).toBe(true)
  })

  it.each([
    [[], undefined],
    [['email_otp'], 'urn:symbolon:acr:email'],
    [['email_link'], 'urn:symbolon:acr:email'],
    [['word'], undefined],
    [['email_otp', 'word'], 'urn:symbolon:acr:email'],
    [['email_otp', 'passkey'], 'urn:symbolon:acr:passkey'],
  ])('says that %j reaches %s', (methods, acr) => {
    const proven = methods.map((method) => ({ method, amr: ['x'], at: 0 }))
    expect(reached(proven)?.acr).toBe(acr)
    expect(reaches(proven, 'urn:symbolon:acr:passkey')).toBe(methods.includes('passkey'))
    expect(reaches(proven, 'urn:nobody:knows')).toBe(false)
  })

  it.each([
    [['email_otp', 'email_link'], 'urn:symbolon:acr:email', undefined],
    [['email_otp'], 'urn:symbolon:acr:passkey', 'acr'],
    [['email_link'], 'urn:symbolon:acr:email', 'methods'],
    [['email_otp', 'telepathy'], 'urn:symbolon:acr:email', 'methods'],
    [['passkey'], 'urn:symbolon:acr:key', undefined],
    [['passkey_presence'], 'urn:symbolon:acr:key', 'methods'],
    [[], 'urn:symbolon:acr:email', 'acr'],
  ] as const)('takes %j with %s for a policy, or says what is wrong with it: %s', (methods, acr, fault) =>
    expect(waysFault({ methods, acr }, { passkeys: true })).toBe(fault),
  )

  it.each([
    [{ methods: ['passkey'], acr: 'urn:symbolon:acr:key', enrol: 'off' }, true],
    [{ methods: ['passkey'], acr: 'urn:symbolon:acr:key', enrol: 'required' }, true],
    [{ methods: ['email_otp', 'passkey'], acr: 'urn:symbolon:acr:email', enrol: 'off' }, false],
    [{ methods: ['email_otp', 'passkey'], acr: 'urn:symbolon:acr:passkey', enrol: 'off' }, true],
    [{ methods: ['email_otp', 'passkey'], acr: 'urn:symbolon:acr:passkey', enrol: 'offered' }, true],
    [{ methods: ['email_otp', 'passkey'], acr: 'urn:symbolon:acr:passkey', enrol: 'required' }, false],
  ] as const)('says of %j whether a passkey is the only way in: %s', (policy, only) =>
    expect(isOnlyWay(policy, (method) => method === 'passkey')).toBe(only),
  )

  it('counts on no passkey where the host can have none', () => {
    const methods = ['email_otp', 'passkey']
    expect(waysFault({ methods, acr: 'urn:symbolon:acr:email' }, { passkeys: false })).toBeUndefined()
    expect(waysFault({ methods, acr: 'urn:symbolon:acr:passkey' }, { passkeys: false })).toBe('acr')
    expect(waysFault({ methods: ['passkey'], acr: 'urn:symbolon:acr:email' }, { passkeys: false })).toBe('acr')
    expect(acrValues({ passkeys: false })).toEqual(['urn:symbolon:acr:email'])
    expect(acrValues({ passkeys: true })).toEqual(['urn:symbolon:acr:email', 'urn:symbolon:acr:key', 'urn:symbolon:acr:passkey'])
  })
})
