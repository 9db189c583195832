// How mails look and read under a brand: what an operator may say, what fills it in, and what stays text.

import { describe, expect, it } from 'vitest'
import { codeMail, inkOn, noticeMail, ownTextFault, pageTexts, passkeyMail, passkeyTexts, textNames } from '#messages'
import { addressPlaces, ourAddress } from '../../src/messages/address.ts'
import { addressMailPlaces, ourAddressMails } from '../../src/messages/address-mail.ts'
import { mailPlaces, ourMails } from '../../src/messages/mail.ts'
import { ourPages, pagePlaces } from '../../src/messages/page.ts'
import { ourPasskeyMails, passkeyMailPlaces } from '../../src/messages/passkey-mail.ts'
import { ourPasskeys } from '../../src/messages/passkeys.ts'

const code = {
  code: '123456',
  clientName: 'Example',
  minutes: 10,
  link: { address: 'https://auth.example/login/link?token=abc', minutes: 15 },
  confirms: null,
  device: 'Firefox on Linux',
  language: 'en',
}

/** Every text of ours as an operator would write it. */
function templates(texts: object, places: Readonly<Record<string, readonly string[]>>): [string, string, readonly string[]][] {
  return Object.entries(texts)
    .filter(([, text]) => typeof text !== 'object')
    .map(([name, text]) => {
      const order = places[name] ?? []
      return [name, typeof text === 'string' ? text : (text as (...v: string[]) => string)(...order.map((p) => `{${p}}`)), order]
    })
}
const all = (['en', 'de'] as const).flatMap((language) => [
  ...templates(ourPages[language], pagePlaces),
  ...templates(ourPages[language].errors, {}),
  ...templates(ourPasskeys[language], {}),
  ...templates(ourMails[language], mailPlaces),
  ...templates(ourPasskeyMails[language], passkeyMailPlaces),
  ...templates(ourAddress[language], addressPlaces),
  ...templates(ourAddressMails[language], addressMailPlaces),
])

describe('the names of texts', () => {
  it('are those of every language, and our own texts keep to the rules for them', () => {
    expect(all.length).toBeGreaterThan(200)
    for (const [name, text, places] of all) expect([name, ownTextFault(text, places)]).toEqual([name, undefined])
    for (const kind of [
      'pages',
      'errors',
      'passkeys',
      'account',
      'mails',
      'passkeyMails',
      'deletedMails',
      'address',
      'addressMails',
    ] as const)
      expect(Object.keys(textNames[kind])).not.toEqual([])
    expect(textNames.pages).not.toHaveProperty('errors')
    for (const texts of [
      ourPages,
      ourPasskeys,
      ourMails,
      ourPasskeyMails,
      ourAddress,
      ourAddressMails,
      { en: ourPages.en.errors, de: ourPages.de.errors },
    ])
      expect(Object.keys(texts.de).sort()).toEqual(Object.keys(texts.en).sort())
  })

  it('say what each takes', () => {
    for (const [texts, places] of [
      [ourPages.en, pagePlaces],
      [ourMails.en, mailPlaces],
      [ourPasskeyMails.en, passkeyMailPlaces],
      [ourAddress.en, addressPlaces],
      [ourAddressMails.en, addressMailPlaces],
    ] as const)
      for (const [name, text] of Object.entries(texts))
        if (typeof text === 'function') expect([name, text.length]).toEqual([name, (places as Record<string, string[]>)[name]?.length])
  })
})

describe('an own text', () => {
  it.each([
    ['', [], /1 to 300/],
    [' ', [], /1 to 300/],
    ['x'.repeat(301), [], /1 to 300/],
    ['two\nlines', [], /one line/],
    ['right\u202eleft', [], /one line/],
    ['<b>bold</b>', [], /plain text/],
    ['Hello {name}', [], /nothing in braces$/],
    ['Hello {nmae}', ['name'], /nothing in braces but \{name\}$/],
    ['Hello {name', ['name'], /nothing in braces/],
    ['Do it', ['act'], /must say \{act\}/],
  ])('is refused: %j with %j', (text, places, sentence) => expect(ownTextFault(text, places)).toMatch(sentence))

  it.each([
    ['x', []],
    ['1 < 2 & "so on"', []],
    ['Hello', ['name']],
    ['Welcome to {name}', ['name']],
    ['Your code', ['code', 'name']],
    ['You do: {act}', ['act']],
  ])('is taken: %j with %j', (text, places) => expect(ownTextFault(text, places)).toBeUndefined())

  it('takes the place of ours in its language only', () => {
    const texts = { de: { pages: { signInTo: 'Rein zu {name}' }, errors: { login_failed: 'Nein.' }, passkeys: { signIn: 'Schlüssel' } } }
    const [de, en] = [pageTexts({ language: 'de', texts }), pageTexts({ language: 'en', texts })]
    expect([de.signInTo('{email}'), de.errors.login_failed, de.email]).toEqual(['Rein zu {email}', 'Nein.', 'E-Mail-Adresse'])
    expect([en.signInTo('X'), en.errors.login_failed]).toEqual(['Sign in to X', expect.stringContaining('wrong')])
    expect(passkeyTexts({ language: 'de', texts }).signIn).toBe('Schlüssel')
    expect(de.errors.rate_limited).toBe(pageTexts({ language: 'de', texts: undefined }).errors.rate_limited)
  })
})

describe('a mail', () => {
  it('carries logo, accent and own texts, and nothing in them that is not text', () => {
    const brand = {
      name: 'A"><script>x</script>',
      logo: 'https://app.example/logo.png?a=1&b="',
      accent: '#ffcc00',
      radius: 2,
      texts: { en: { mails: { subject: 'Code for {name}', from: 'By {device} & co.' } } },
    }
    const mail = codeMail({ ...code, clientName: 'Evil {code}', device: '<i>{name}</i>' }, brand)
    expect(mail.subject).toBe('Code for Evil {code}')
    expect(mail.text).toContain('By <i>{name}</i> & co.')
    expect(mail.html).toContain('By &#60;i&#62;{name}&#60;/i&#62; &#38; co.')
    expect(mail.html).toContain('<img src="https://app.example/logo.png?a=1&#38;b=&#34;" alt="A&#34;&#62;&#60;script&#62;x')
    expect(mail.html).not.toContain('<script')
    expect(mail.html).toContain('border-radius:2px;background:#ffcc00;color:#0d1b1a')
    expect(mail.text).toContain('123456')
  })

  it('has the name where there is no logo, and no picture without one', () => {
    expect(codeMail(code, { name: 'Acme & Sons' }).html).toContain('Acme &#38; Sons</p>')
    expect(codeMail(code, {}).html).not.toContain('<img')
    expect(codeMail(code, {}).subject).toBe('123456 is your code for Example')
  })

  it('says when it was, where no device is known', () => {
    const texts = { en: { mails: { newFrom: 'On {device} ({when})', newAt: 'At {when}' }, passkeyMails: { from: 'P {device} {when}' } } }
    const notice = { clientName: 'Example', at: 1_800_000_000_000, language: 'en' }
    expect(noticeMail({ ...notice, device: '' }, { texts }).text).toContain('At 2027-01-15 08:00 UTC')
    expect(noticeMail({ ...notice, device: 'Firefox' }, { texts }).text).toContain('On Firefox (2027-01-15 08:00 UTC)')
    const passkey = { change: 'added', at: notice.at, language: 'en' } as const
    expect(passkeyMail({ ...passkey, device: 'Firefox' }, { texts }).text).toContain('P Firefox 2027-01-15 08:00 UTC')
    expect(passkeyMail({ ...passkey, device: '' }, { texts }).text).toContain('It was at 2027-01-15 08:00 UTC.')
  })
})

it('writes on an accent in the ink that reads better', () => {
  expect(['#1f5f5b', '#000000', '#a3262a'].map(inkOn)).toEqual(['#ffffff', '#ffffff', '#ffffff'])
  expect(['#ffffff', '#ffcc00', '#6cc3bb'].map(inkOn)).toEqual(['#0d1b1a', '#0d1b1a', '#0d1b1a'])
})
