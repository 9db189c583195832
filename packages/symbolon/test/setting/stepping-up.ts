// Sessions to be stepped up, on a real store: a core for each test of the file, and the calls of a step-up.

import { afterEach, beforeEach } from 'vitest'
import type { Action, ChallengeFactor, Need, PlacedStep, SignedIn } from '#core'
import { browser, caller, openSetting, type Setting } from './service.ts'

/** Stands in for a passkey: it proves whatever it is told to. */
export const key: ChallengeFactor = {
  kind: 'challenge',
  method: 'passkey',
  lifetime: 300_000,
  maxTries: 5,
  first: true,
  has: (user) => user.email !== 'nokey@example.com',
  begin: ({ user }) => ({ options: { for: user?.id ?? null }, state: 'asked' }),
  finish: ({ user, response }) =>
    (response as { ok?: boolean }).ok === true && user !== null
      ? { ok: true, userId: user.id, method: 'passkey', amr: ['hwk', 'user'] }
      : { ok: false, reason: 'no' },
}
export const email = 'urn:symbolon:acr:email'
export const passkey = 'urn:symbolon:acr:passkey'

let seen = ''
const look: PlacedStep = {
  after: 'claims',
  step: {
    name: 'look',
    budget: 1000,
    onFailure: 'deny',
    run: ({ session }) => {
      seen = `${session.acr} ${session.amr}`
    },
  },
}

/** Opens a core before each test, and closes it. */
export function steppingUp() {
  let setting: Setting
  beforeEach(async () => {
    setting = await openSetting({
      steps: [look],
      policy: { methods: ['email_otp', 'email_link', 'passkey'] },
      factors: [key],
    })
  })
  afterEach(() => setting.close())

  const codeSent = () => {
    const last = setting.sent.at(-1)
    return last?.kind === 'code' ? last.code : ''
  }
  const at = (
    signedIn: Pick<SignedIn, 'credential'>,
    kind: 'cookie' | 'token',
    change: { need?: Need; method?: string; action?: Action } = {},
  ) =>
    setting.core.login.stepUp({
      credential: signedIn.credential,
      kind,
      method: change.method ?? null,
      need: change.need ?? {},
      action: change.action ?? null,
      browser: kind === 'cookie' ? browser : null,
      device: null,
      caller,
    })
  const begin = async (...input: Parameters<typeof at>) => {
    const started = await at(...input)
    if (!started.ok) throw new Error(started.code)
    return { ...started, code: codeSent() }
  }
  const verify = (
    loginId: string,
    given: { code: string } | { response: unknown },
    replaces: string | null = null,
    from: string | null = browser,
  ) => setting.core.login.verify({ loginId, browser: from, device: null, replaces, caller, ...given })
  const raised = async (...input: Parameters<typeof verify>): Promise<SignedIn> => {
    const answer = await verify(...input)
    if (!answer.ok || 'state' in answer) throw new Error(answer.ok ? answer.state : answer.code)
    return answer
  }
  const refresh = (credential: string, binding?: string, kind: 'cookie' | 'token' = 'token') =>
    setting.core.sessions.refresh({ credential, kind, background: false, caller, ...(binding !== undefined && { binding }) })

  return {
    get setting() {
      return setting
    },
    /** What a refresh's own step saw last. */
    seen: () => seen,
    ...{ at, begin, verify, raised, refresh, codeSent },
  }
}
