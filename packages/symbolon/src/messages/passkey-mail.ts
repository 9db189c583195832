// The mail after a passkey was added or removed: a way into an account has changed, and its owner hears of it. It has no
// link, and says nothing that whoever did it could have written.

import { type Language, pickLanguage } from './language.ts'
import { line, type Mail, mailOf } from './mail.ts'

/** What it says. `at` in milliseconds since 1970. */
export interface PasskeyMail {
  readonly change: 'added' | 'removed'
  readonly at: number
  /** The device in words; may be empty. */
  readonly device: string
  readonly language: string
}

interface Texts {
  readonly added: string
  readonly addedLead: string
  readonly removed: string
  readonly removedLead: string
  readonly from: (device: string, when: string) => string
  readonly own: string
  readonly other: string
}

const texts: Readonly<Record<Language, Texts>> = {
  en: {
    added: 'A passkey was added to your account',
    addedLead: 'A passkey was added to your account. It can sign in from now on, without a mail.',
    removed: 'A passkey was removed from your account',
    removedLead: 'A passkey was removed from your account. It signs in nowhere any more.',
    from: (device, when) => (device === '' ? `It was at ${when}.` : `${device}, at ${when}.`),
    own: 'If that was you, there is nothing to do.',
    other:
      'If it was not you, somebody is in your account: sign in, sign out everywhere else, and remove each passkey that is not yours. Then see who else can read your mail.',
  },
  de: {
    added: 'Ihrem Konto wurde ein Passkey hinzugefügt',
    addedLead: 'Ihrem Konto wurde ein Passkey hinzugefügt. Er kann sich von jetzt an anmelden, ohne eine E-Mail.',
    removed: 'Aus Ihrem Konto wurde ein Passkey entfernt',
    removedLead: 'Aus Ihrem Konto wurde ein Passkey entfernt. Er meldet nirgends mehr an.',
    from: (device, when) => (device === '' ? `Das war um ${when}.` : `${device}, um ${when}.`),
    own: 'Falls Sie das waren, ist nichts zu tun.',
    other:
      'Falls nicht, ist jemand in Ihrem Konto: Melden Sie sich an, melden Sie sich überall sonst ab, und entfernen Sie jeden Passkey, der nicht Ihrer ist. Sehen Sie dann nach, wer Ihre E-Mails noch lesen kann.',
  },
}

/** The mail. */
export function passkeyMail({ change, at, device, language }: PasskeyMail): Mail {
  const t = texts[pickLanguage(language)]
  const when = `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  const [subject, lead] = change === 'added' ? [t.added, t.addedLead] : [t.removed, t.removedLead]
  return mailOf(subject, [lead, t.from(line(device), when), t.own, t.other])
}
