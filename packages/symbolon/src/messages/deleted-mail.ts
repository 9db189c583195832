// The mail after an account was deleted: the last one to its address. It has no link, and says nothing that whoever did it
// could have written.

import { type Language, pickLanguage } from './language.ts'
import { line, type Mail, mailOf } from './mail.ts'

/** What it says. `at` in milliseconds since 1970. */
export interface DeletedMail {
  readonly at: number
  /** The device in words; may be empty. */
  readonly device: string
  readonly language: string
}

interface Texts {
  readonly subject: string
  readonly lead: string
  readonly from: (device: string, when: string) => string
  readonly own: string
  readonly other: string
}

const texts: Readonly<Record<Language, Texts>> = {
  en: {
    subject: 'Your account was deleted',
    lead: 'The account of this address was deleted. It is signed out everywhere, and its passkeys sign in nowhere any more.',
    from: (device, when) => (device === '' ? `It was at ${when}.` : `${device}, at ${when}.`),
    own: 'If that was you, there is nothing to do. You may delete its passkeys from your devices.',
    other:
      'If it was not you, and you did not ask for it, somebody was in your account: see who else can read your mail, and write to whoever runs the service. Signing in again makes a new account, with nothing of the old one.',
  },
  de: {
    subject: 'Ihr Konto wurde gelöscht',
    lead: 'Das Konto dieser Adresse wurde gelöscht. Es ist überall abgemeldet, und seine Passkeys melden nirgends mehr an.',
    from: (device, when) => (device === '' ? `Das war um ${when}.` : `${device}, um ${when}.`),
    own: 'Falls Sie das waren, ist nichts zu tun. Die Passkeys können Sie von Ihren Geräten löschen.',
    other:
      'Falls nicht, und falls Sie auch nicht darum gebeten haben, war jemand in Ihrem Konto: Sehen Sie nach, wer Ihre E-Mails noch lesen kann, und schreiben Sie dem Betreiber des Dienstes. Wer sich wieder anmeldet, bekommt ein neues Konto, mit nichts von dem alten.',
  },
}

/** The mail. */
export function deletedMail({ at, device, language }: DeletedMail): Mail {
  const t = texts[pickLanguage(language)]
  const when = `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`
  return mailOf(t.subject, [t.lead, t.from(line(device), when), t.own, t.other])
}
