// The mail after an account was deleted: the last one to its address. It has no link, and says nothing that whoever did it
// could have written.

import { type Language, pickLanguage } from './language.ts'
import { line, type Mail, type MailBrand, mailOf, momentOf } from './layout.ts'
import { type Places, worded } from './wording.ts'

/** What it says. `at` in milliseconds since 1970. */
export interface DeletedMail {
  readonly at: number
  /** The device in words; may be empty. */
  readonly device: string
  readonly language: string
}

/** The texts. */
export interface DeletedMailTexts {
  readonly subject: string
  readonly lead: string
  readonly at: (when: string) => string
  readonly from: (device: string, when: string) => string
  readonly own: string
  readonly other: string
}

/** What stands in braces. */
export const deletedMailPlaces: Places<DeletedMailTexts> = { at: ['when'], from: ['device', 'when'] }

/** Ours. */
export const ourDeletedMails: Readonly<Record<Language, DeletedMailTexts>> = {
  en: {
    subject: 'Your account was deleted',
    lead: 'The account of this address was deleted. It is signed out everywhere, and its passkeys sign in nowhere any more.',
    at: (when) => `It was at ${when}.`,
    from: (device, when) => `${device}, at ${when}.`,
    own: 'If that was you, there is nothing to do. You may delete its passkeys from your devices.',
    other:
      'If it was not you, and you did not ask for it, somebody was in your account: see who else can read your mail, and write to whoever runs the service. Signing in again makes a new account, with nothing of the old one.',
  },
  de: {
    subject: 'Ihr Konto wurde gelöscht',
    lead: 'Das Konto dieser Adresse wurde gelöscht. Es ist überall abgemeldet, und seine Passkeys melden nirgends mehr an.',
    at: (when) => `Das war um ${when}.`,
    from: (device, when) => `${device}, um ${when}.`,
    own: 'Falls Sie das waren, ist nichts zu tun. Die Passkeys können Sie von Ihren Geräten löschen.',
    other:
      'Falls nicht, und falls Sie auch nicht darum gebeten haben, war jemand in Ihrem Konto: Sehen Sie nach, wer Ihre E-Mails noch lesen kann, und schreiben Sie dem Betreiber des Dienstes. Wer sich wieder anmeldet, bekommt ein neues Konto, mit nichts von dem alten.',
  },
}

/** The mail. */
export function deletedMail({ at, ...mail }: DeletedMail, brand: MailBrand): Mail {
  const language = pickLanguage(mail.language)
  const t = worded(ourDeletedMails[language], brand.texts?.[language]?.deletedMails, deletedMailPlaces)
  const device = line(mail.device)
  const when = momentOf(at)
  return mailOf(t.subject, [t.lead, device === '' ? t.at(when) : t.from(device, when), t.own, t.other], { brand, language })
}
