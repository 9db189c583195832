// Changing e-mail addresses over HTTP: who does it, by what they are sent, and what came of it.

import { randomBytes } from 'node:crypto'
import { expect } from 'vitest'
import { type Browser, createBrowser, signInOver } from './browser.ts'
import type { TestService } from './server.ts'

/** An address that nobody has. */
export const fresh = () => `a${randomBytes(6).toString('hex')}@example.com`
/** One that differs from the right one. */
export const wrong = (code: string | undefined) => (code === '000000' ? '000001' : '000000')

type Sent = { to: string; subject: string; text: string }

/** At a service that may change from test to test. */
export function moving(service: () => TestService) {
  const mailsTo = async (email: string) =>
    ((await (await fetch(`${service().origin}/dev/outbox`)).json()) as Sent[]).filter(({ to }) => to === email)
  const codeTo = async (email: string) => /^ {4}(\d{6})$/m.exec((await mailsTo(email)).at(-1)?.text ?? '')?.[1]
  const undoTo = async (email: string) =>
    /^http\S+(\/account\/undo\?token=\S+)$/m.exec(
      (await mailsTo(email)).findLast(({ text }) => text.includes('/account/undo'))?.text ?? '',
    )?.[1]
  const person = async (email = fresh()) => {
    const browser = createBrowser(service().origin)
    expect((await signInOver(browser, '', email)).status).toBe(200)
    return { email, browser }
  }
  const json = async (answer: Response) => ({ status: answer.status, ...((await answer.json()) as Record<string, string>) })
  const post = async (browser: Browser, path: string, body: unknown, headers: Record<string, string> = {}) =>
    json(await browser.fetch(path, { method: 'POST', json: body, headers }))
  const begin = (browser: Browser, email: string) => post(browser, '/v1/account/email', { email })
  const verify = (browser: Browser, change_id: string | undefined, code: string | undefined) =>
    post(browser, '/v1/account/email/verify', { change_id, code })
  /** The whole way. */
  async function change(browser: Browser, email: string) {
    const { change_id } = await begin(browser, email)
    return verify(browser, change_id, await codeTo(email))
  }
  const idOf = async (email: string) => (await service().auth.users.find({ email }))?.id
  const isAlive = async (browser: Browser) => (await browser.fetch('/v1/session')).status === 200
  return { mailsTo, codeTo, undoTo, person, json, post, begin, verify, change, idOf, isAlive }
}
