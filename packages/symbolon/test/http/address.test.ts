// Changing one's e-mail address over real HTTP, and putting it back: what it takes, what it ends, and what nobody finds out by it.

import { join } from 'node:path'
import Database from 'libsql'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createAuthenticator } from '../setting/authenticator.ts'
import { type Browser, createBrowser, signInOver } from '../setting/browser.ts'
import { fresh, moving, wrong } from '../setting/moving.ts'
import { startService, type TestService } from '../setting/server.ts'

let service: TestService
beforeAll(async () => {
  service = await startService({
    clients: [
      { id: 'app', name: 'App', transport: 'cookie' },
      { id: 'one', name: 'One', transport: 'cookie', policy: { maxSessions: 1, onLimit: 'ask' } },
      { id: 'native', name: 'Native', transport: 'native' },
    ],
    budgets: { startPerAddress: { limit: 10_000, window: '1h' }, verifyPerAddress: { limit: 10_000, window: '1h' } },
  })
})
afterAll(() => service.close())

const { mailsTo, codeTo, undoTo, person, json, post, begin, verify, change, idOf, isAlive } = moving(() => service)
function age(id: string | undefined, seconds: number) {
  const db = new Database(join(String(service.auth.settings.data), 'symbolon.db'))
  db.prepare('UPDATE sessions SET auth_time = auth_time - ?, revision = revision + 1 WHERE user_id = ?').run(seconds * 1000, id)
  db.close()
}

describe('an operator who puts an address back', () => {
  it('gives the address that stood between no way to it, and the earlier one none that is used up', async () => {
    const { email, browser } = await person()
    const [between, id] = [fresh(), await idOf(email)]
    expect((await change(browser, between)).status).toBe(200)
    const way = await undoTo(email)
    expect(way).toBeDefined()
    const back = await service.auth.users.changeEmail(id ?? '', email, { actor: 'support' })
    expect(back).toMatchObject({ ok: true, user: { email } })
    const told = (await mailsTo(between)).at(-1)
    expect([told?.subject, told?.text]).toEqual([expect.stringContaining('undone'), expect.not.stringContaining('/account/undo')])
    expect(await undoTo(between)).toBeUndefined()
    // What was to be undone is.
    const page = await createBrowser(service.origin).fetch(way ?? '')
    expect([page.status, await idOf(between)]).toEqual([303, undefined])
    expect((await signInOver(createBrowser(service.origin), '', between)).status).toBe(200)
    expect(await idOf(between)).not.toBe(id)
  })
})

describe('a change of address', () => {
  it('knows the device by the new address, too', async () => {
    const { browser } = await person()
    const email = fresh()
    const before = browser.jar.get('symbolon-device')
    expect((await change(browser, email)).status).toBe(200)
    expect(browser.jar.get('symbolon-device')).not.toBe(before)
    browser.jar.delete('symbolon')
    await signInOver(browser, '', email)
    expect((await mailsTo(email)).filter(({ text }) => !/^ {4}\d{6}$/m.test(text))).toEqual([])
  })

  it('wants at its end what it wants at its beginning', async () => {
    const { browser } = await person()
    const email = fresh()
    const { change_id } = await begin(browser, email)
    // Meanwhile there are a passkey and a client that wants one.
    const device = createAuthenticator(service.origin)
    const begun = (await (await browser.fetch('/v1/account/passkeys/start', { method: 'POST', json: {} })).json()) as never as {
      registration_id: string
      public_key: never
    }
    const added = { registration_id: begun.registration_id, response: device.create(begun.public_key) }
    expect((await browser.fetch('/v1/account/passkeys/finish', { method: 'POST', json: added })).status).toBe(201)
    const policy = { methods: ['email_otp', 'passkey'], acr: 'urn:symbolon:acr:passkey' }
    await service.auth.clients.create({ id: 'later', name: 'Later', transport: 'cookie', policy }, 'test')
    try {
      expect(await verify(browser, change_id, await codeTo(email))).toMatchObject({ status: 401, code: 'step_up_required' })
      await service.auth.clients.change('later', { status: 'disabled' }, 'test')
      expect(await verify(browser, change_id, await codeTo(email))).toMatchObject({ status: 200, email })
    } finally {
      await service.auth.clients.change('later', { status: 'disabled' }, 'test')
    }
  })

  it('keeps this session, ends the others, makes tokens stale, and tells both addresses', async () => {
    const { email, browser } = await person()
    const other = (await person(email)).browser
    const id = await idOf(email)
    const { access_token } = await post(browser, '/v1/session/token', {})
    const next = fresh()
    const begun = await begin(browser, next)
    expect(begun).toEqual({ status: 200, change_id: expect.stringMatching(/^[\w-]{43}$/), expires_at: expect.stringMatching(/Z$/) })
    const [mail] = await mailsTo(next)
    expect([mail?.subject, mail?.text.includes('http')]).toEqual([expect.stringMatching(/^\d{6} is your code/), false])
    // The old one counts until it is done.
    expect([await idOf(email), await idOf(next)]).toEqual([id, undefined])

    expect(await verify(browser, begun.change_id, await codeTo(next))).toEqual({ status: 200, email: next })
    expect([await idOf(email), await idOf(next)]).toEqual([undefined, id])
    expect([await isAlive(browser), await isAlive(other)]).toEqual([true, false])
    expect(await service.auth.verifier.verify(access_token ?? '')).toMatchObject({ ok: false, code: 'claims_stale' })
    const told = (await mailsTo(email)).at(-1)
    expect(told?.subject).toBe('The e-mail address of your account was changed')
    expect(told?.text).not.toContain(next)
    const events = (await (await browser.fetch('/v1/account/events')).json()) as { events: { type: string; data: object }[] }
    expect(events.events[0]).toMatchObject({ type: 'user.email_changed', data: { user_id: id, by: id } })
    expect(JSON.stringify(events)).not.toContain('example.com')
    const exported = (await (await browser.fetch('/v1/account/export')).json()) as { earlier_addresses: object[] }
    expect(exported.earlier_addresses).toEqual([{ email, until: expect.stringMatching(/Z$/) }])

    // The new one signs in; by the old one nobody does, and nobody becomes somebody new while it can be put back.
    expect(await idOf((await person(next)).email)).toBe(id)
    const started = await post(createBrowser(service.origin), '/v1/login/start', { method: 'email_otp', identifier: email })
    expect([started.status, await codeTo(email)]).toEqual([200, undefined])
    const left = (await mailsTo(email)).at(-1)
    expect([left?.subject, left?.text.includes('“The e-mail address of your account was changed”')]).toEqual([
      'This address does not sign in any more',
      true,
    ])
  })

  it('is open to a client without cookies', async () => {
    const email = fresh()
    const call = (path: string, body: unknown) =>
      fetch(service.origin + path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }).then(
        json,
      )
    const { login_id } = await call('/v1/login/start', { method: 'email_otp', identifier: email, client_id: 'native' })
    const { refresh_token } = await call('/v1/login/verify', { login_id, code: await codeTo(email) })
    const next = fresh()
    const { change_id } = await call('/v1/account/email', { email: next, refresh_token })
    expect(await call('/v1/account/email/verify', { change_id, code: await codeTo(next), refresh_token })).toMatchObject({ email: next })
    expect(await call('/v1/session/refresh', { refresh_token })).toMatchObject({ status: 200 })
  })

  it('is for who has just signed in, from no other site, with an address that can be had', async () => {
    const { email, browser } = await person()
    expect(await post(createBrowser(service.origin), '/v1/account/email', { email: fresh() })).toMatchObject({ code: 'missing_credential' })
    expect(await post(browser, '/v1/account/email', { email: fresh() }, { origin: 'https://evil.example' })).toMatchObject({
      code: 'cross_site_request',
    })
    for (const bad of [email, email.toUpperCase(), 'a@b', 'ａ@example.com', 'a@example.com, b@example.com', ''])
      expect(await begin(browser, bad)).toMatchObject({ status: 400, code: 'invalid_identifier' })
    const next = fresh()
    const { change_id } = await begin(browser, next)
    age(await idOf(email), 301)
    expect(await begin(browser, fresh())).toMatchObject({ code: 'step_up_required' })
    // What was begun in time is finished.
    expect(await verify(browser, change_id, await codeTo(next))).toMatchObject({ email: next })
  })

  it('takes five guesses, exactly, however many come at once, and its code once', async () => {
    const { browser } = await person()
    const next = fresh()
    const { change_id } = await begin(browser, next)
    const code = await codeTo(next)
    const answers = await Promise.all(Array.from({ length: 12 }, () => verify(browser, change_id, wrong(code))))
    expect(answers.map((one) => one.code)).toEqual(answers.map(() => 'login_failed'))
    expect(await verify(browser, change_id, code)).toMatchObject({ code: 'login_failed' })
    const again = await begin(browser, next)
    const right = await codeTo(next)
    for (let n = 0; n < 4; n++) expect(await verify(browser, again.change_id, wrong(right))).toMatchObject({ code: 'login_failed' })
    const both = await Promise.all([verify(browser, again.change_id, right), verify(browser, again.change_id, right)])
    expect(both.map(({ status }) => status).sort()).toEqual([200, 401])
  })

  it('gives its code no other use, and takes no other code', async () => {
    const { browser, email } = await person()
    const stranger = (await person()).browser
    const twin = (await person(email)).browser
    const next = fresh()
    const { change_id } = await begin(browser, next)
    const code = await codeTo(next)
    for (const login of ['/v1/login/verify', '/v1/login/resend'])
      for (const who of [browser, createBrowser(service.origin)])
        expect(await post(who, login, { login_id: change_id, ...(login.endsWith('verify') && { code }) })).toMatchObject({
          code: 'login_failed',
        })
    // In another session, of this person or another, it is none.
    for (const who of [stranger, twin]) expect(await verify(who, change_id, code)).toMatchObject({ code: 'login_failed' })
    const visitor = createBrowser(service.origin)
    const { login_id } = await post(visitor, '/v1/login/start', { method: 'email_otp', identifier: next })
    expect(await verify(browser, login_id, await codeTo(next))).toMatchObject({ code: 'login_failed' })
    for (const odd of ['', 'x'.repeat(43), 'a'.repeat(128)])
      expect(await verify(browser, odd, code)).toMatchObject({ code: 'login_failed' })
    expect(await verify(browser, change_id, code)).toMatchObject({ email: next })
  })

  it('looks the same for an address that is somebody’s, who is told and gets no code', async () => {
    const { browser } = await person()
    const theirs = (await person()).email
    const shape = async (email: string) => {
      const answer = await browser.fetch('/v1/account/email', { method: 'POST', json: { email } })
      const text = await answer.text()
      const headers = [...answer.headers]
        .filter(([name]) => name !== 'date')
        .map(([name, value]) => [name, name === 'set-cookie' ? '' : value])
      return { status: answer.status, length: text.length, keys: Object.keys(JSON.parse(text) as object), headers }
    }
    expect(await shape(theirs)).toEqual(await shape(fresh()))
    const told = (await mailsTo(theirs)).at(-1)
    expect([told?.subject, /\d{6}/.test(told?.text ?? '')]).toEqual(['This address was asked for by somebody else', false])
  })

  it('refuses an address that became somebody’s while its code was on the way', async () => {
    const [{ browser, email }, next] = [await person(), fresh()]
    const { change_id } = await begin(browser, next)
    const code = await codeTo(next)
    await service.auth.users.create({ email: next }, 'cli')
    expect(await verify(browser, change_id, code)).toMatchObject({ status: 409, code: 'conflict' })
    expect(await idOf(email)).toBeDefined()
  })

  it('floods no mailbox, and is not begun without end', async () => {
    const target = fresh()
    const codes: (string | undefined)[] = []
    for (let n = 0; n < 14; n++) codes.push((await begin((await person()).browser, target)).code)
    expect(codes.filter((code) => code === 'rate_limited').length).toBeGreaterThanOrEqual(4)
    const { browser } = await person()
    const own: (string | undefined)[] = []
    for (let n = 0; n < 24; n++) own.push((await begin(browser, fresh())).code)
    expect(own.filter((code) => code === 'rate_limited')).toHaveLength(4)
  })

  it('makes what the old mailbox began worthless: step-ups, and sign-ins that wait for a choice', async () => {
    const { email, browser } = await person()
    const stepUp = await post(browser, '/v1/login/start', { purpose: 'step_up', method: 'email_otp' })
    const stepUpCode = await codeTo(email)
    const signInAtOne = async (visitor: Browser, address: string) => {
      const { login_id } = await post(visitor, '/v1/login/start', { method: 'email_otp', identifier: address, client_id: 'one' })
      return { login_id, answer: await post(visitor, '/v1/login/verify', { login_id, code: await codeTo(address) }) }
    }
    expect((await signInAtOne(createBrowser(service.origin), email)).answer).toMatchObject({ status: 200, session: {} })
    const visitor = createBrowser(service.origin)
    const waiting = await signInAtOne(visitor, email)
    expect(waiting.answer).toMatchObject({ status: 200, state: 'limit' })
    const next = fresh()
    expect(await change(browser, next)).toMatchObject({ status: 200 })
    // Everything was proven there, and a session that could be ended is there again.
    const owner = createBrowser(service.origin)
    const { session } = (await signInAtOne(owner, next)).answer as unknown as { session: { sid: string } }
    expect(await post(visitor, '/v1/login/verify', { login_id: waiting.login_id, end: session.sid })).toMatchObject({
      code: 'login_failed',
    })
    expect([await isAlive(owner), await isAlive(visitor)]).toEqual([true, false])
    expect(await post(browser, '/v1/login/verify', { login_id: stepUp.login_id, code: stepUpCode })).toMatchObject({ code: 'login_failed' })
    expect(await isAlive(browser)).toBe(true)
  })
})

describe('its undo', () => {
  /** The page behind the link, as a browser without JavaScript has it. */
  async function open(link: string) {
    const visitor = createBrowser(service.origin)
    const moved = await visitor.fetch(link, { headers: { accept: 'text/html' } })
    expect([moved.status, moved.headers.get('location'), moved.headers.get('referrer-policy')]).toEqual([
      303,
      '/account/undo',
      'no-referrer',
    ])
    const shown = await visitor.fetch('/account/undo', { headers: { accept: 'text/html' } })
    const text = await shown.text()
    return { visitor, status: shown.status, text, formToken: /name="form_token" value="([^"]+)"/.exec(text)?.[1] ?? '' }
  }
  const press = (visitor: Browser, formToken: string) =>
    visitor.fetch('/account/undo', {
      method: 'POST',
      headers: { accept: 'text/html', 'content-type': 'application/x-www-form-urlencoded' },
      body: `form_token=${formToken}`,
    })

  it('puts the address back, once, with every session ended and the thief’s keys gone', async () => {
    const { email, browser: thief } = await person()
    const id = await idOf(email)
    const [b, c] = [fresh(), fresh()]
    await change(thief, b)
    const device = createAuthenticator(service.origin)
    const begun = await post(thief, '/v1/account/passkeys/start', {})
    const response = device.create(begun.public_key as never)
    const made = await post(thief, '/v1/account/passkeys/finish', { registration_id: begun.registration_id, response, name: 'theirs' })
    expect(made).toMatchObject({ status: 201 })
    // Once more, so that the owner might be too late.
    await change(thief, c)
    const link = (await undoTo(email)) ?? ''
    const token = link.split('=')[1] ?? ''
    const { visitor, status, text, formToken } = await open(link)
    expect([status, text.includes(email), text.includes(token)]).toEqual([200, true, false])
    // Who presses may be signed in to another account in that browser, and stays so.
    expect((await signInOver(visitor, '', fresh())).status).toBe(200)
    const pressed = await press(visitor, formToken)
    expect(await isAlive(visitor)).toBe(true)
    expect([pressed.status, (await pressed.text()).includes('The change is undone')]).toEqual([200, true])
    expect([await idOf(email), await idOf(b), await idOf(c)]).toEqual([id, undefined, undefined])
    expect([await isAlive(thief), visitor.jar.has('symbolon-link')]).toEqual([false, false])
    expect((await service.auth.passkeys.list(id ?? '')).passkeys).toEqual([])
    expect((await mailsTo(c)).at(-1)?.subject).toBe('A change of e-mail address was undone')
    // Neither it nor those to addresses that came later can be used again.
    expect((await open(link)).status).toBe(410)
    expect((await open((await undoTo(b)) ?? '')).status).toBe(410)
    const owner = (await person(email)).browser
    expect(await idOf(email)).toBe(id)
    const { events } = (await (await owner.fetch('/v1/account/events')).json()) as { events: { type: string; data: object }[] }
    expect(events).toContainEqual(expect.objectContaining({ type: 'user.email_restored', data: expect.objectContaining({ by: 'mail' }) }))
  })

  it('is not used up by whatever opens links, nor without the page', async () => {
    const { email, browser } = await person()
    await change(browser, fresh())
    const link = (await undoTo(email)) ?? ''
    for (const method of ['HEAD', 'GET', 'GET']) await createBrowser(service.origin).fetch(link, { method })
    const { visitor, formToken } = await open(link)
    const scanner = createBrowser(service.origin)
    await scanner.fetch(link)
    expect((await press(scanner, formToken)).status).toBe(403)
    expect((await press(visitor, 'x')).status).toBe(403)
    const strange = await visitor.fetch('/account/undo', {
      method: 'POST',
      headers: { origin: 'https://evil.example', 'content-type': 'application/x-www-form-urlencoded' },
      body: `form_token=${formToken}`,
    })
    expect(strange.status).toBe(403)
    for (const bad of ['', 'x', 'x'.repeat(43)]) expect((await open(`/account/undo?token=${bad}`)).status).toBe(410)
    // In the very browser that changed it, the cookies of what ended go with it.
    await browser.fetch(link)
    const shown = await (await browser.fetch('/account/undo')).text()
    expect([await isAlive(browser), browser.jar.has('symbolon')]).toEqual([true, true])
    expect((await press(browser, /name="form_token" value="([^"]+)"/.exec(shown)?.[1] ?? '')).status).toBe(200)
    expect(browser.jar.has('symbolon')).toBe(false)
    expect((await press(visitor, formToken)).status).toBe(410)
  })
})

describe('deletion', () => {
  const remove = (browser: Browser) => browser.fetch('/v1/account', { method: 'DELETE' })
  const deleted = async (email: string) => (await mailsTo(email)).filter(({ subject }) => subject === 'Your account was deleted').length

  it('is not for who holds an account whose earlier address can be put back, but for operators, who tell both', async () => {
    const { email, browser } = await person()
    const next = fresh()
    expect((await change(browser, next)).status).toBe(200)
    const id = (await idOf(next)) ?? ''
    expect(await json(await remove(browser))).toMatchObject({ status: 409, code: 'conflict' })
    const headers = { accept: 'text/html', 'accept-language': 'de' }
    const account = await (await browser.fetch('/account', { headers })).text()
    const form_token = /name="form_token" value="([^"]+)"/.exec(account)?.[1] ?? ''
    const page = await browser.fetch('/account/delete', { method: 'POST', headers, body: new URLSearchParams({ form_token }) })
    expect([page.status, await page.text()]).toEqual([409, expect.stringContaining('die frühere lässt sich noch wiederherstellen')])
    expect([await idOf(next), await isAlive(browser), await deleted(next)]).toEqual([id, true, 0])
    expect(await service.auth.users.remove(id, { actor: id })).toMatchObject({ ok: false, code: 'conflict' })
    expect((await service.auth.users.remove(id, { actor: 'support' })).ok).toBe(true)
    expect([await deleted(next), await deleted(email)]).toEqual([1, 1])
  })

  it('is open again when the change was undone, or its days are over', async () => {
    const { email, browser } = await person()
    expect((await change(browser, fresh())).status).toBe(200)
    const visitor = createBrowser(service.origin)
    await visitor.fetch((await undoTo(email)) ?? '')
    const form_token = /name="form_token" value="([^"]+)"/.exec(await (await visitor.fetch('/account/undo')).text())?.[1] ?? ''
    await visitor.fetch('/account/undo', { method: 'POST', body: new URLSearchParams({ form_token }) })
    await signInOver(browser, '', email)
    expect((await remove(browser)).status).toBe(204)

    const other = await person()
    const next = fresh()
    expect((await change(other.browser, next)).status).toBe(200)
    const db = new Database(join(String(service.auth.settings.data), 'symbolon.db'))
    db.prepare('UPDATE address_undos SET expires_at = 0 WHERE email = ?').run(other.email)
    db.close()
    expect((await remove(other.browser)).status).toBe(204)
    expect([await deleted(next), await deleted(other.email)]).toEqual([1, 0])
  })
})

it('is changed by operators, too, who end every session and tell the old address', async () => {
  const { email, browser } = await person()
  const id = await idOf(email)
  const next = fresh()
  const put = (path: string, body: unknown, key = service.adminKey) =>
    fetch(`${service.admin}/admin/v1/users/${path}`, {
      method: 'PUT',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    })
  expect((await put(`${id}/email`, { email: next }, 'x')).status).toBe(401)
  const answer = await put(`${id}/email`, { email: next.toUpperCase() })
  const head = await service.auth.feed.head()
  expect([answer.status, answer.headers.get('symbolon-seq')]).toEqual([200, `${head.feedId}.${head.seq}`])
  expect(await answer.json()).toMatchObject({ id, email: next })
  expect(await isAlive(browser)).toBe(false)
  expect(await undoTo(email)).toBeDefined()
  expect(await json(await put(`${id}/email`, { email: next }))).toMatchObject({ status: 409, code: 'conflict' })
  expect(await json(await put(`${id}/email`, { email: 'x' }))).toMatchObject({ code: 'invalid_identifier' })
  expect(await json(await put('usr_x/email', { email: fresh() }))).toMatchObject({ code: 'not_found' })
})
