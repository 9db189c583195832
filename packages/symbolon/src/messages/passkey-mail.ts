// The mail after a passkey was added or removed: a way into an account has changed, and its owner hears of it. It has no
// link, and says nothing that whoever did it could have written.

import { type Language, pickLanguage } from './language.ts'
import { line, type Mail, type MailBrand, mailOf, momentOf } from './layout.ts'
import { type Places, worded } from './wording.ts'

/** What it says. `at` in milliseconds since 1970. */
export interface PasskeyMail {
  readonly change: 'added' | 'removed'
  readonly at: number
  /** The device in words; may be empty. */
  readonly device: string
  readonly language: string
}

/** The texts. */
export interface PasskeyMailTexts {
  readonly added: string
  readonly addedLead: string
  readonly removed: string
  readonly removedLead: string
  readonly at: (when: string) => string
  readonly from: (device: string, when: string) => string
  readonly own: string
  readonly other: string
}

/** What stands in braces. */
export const passkeyMailPlaces: Places<PasskeyMailTexts> = { at: ['when'], from: ['device', 'when'] }

/** Ours. */
export const ourPasskeyMails: Readonly<Record<Language, PasskeyMailTexts>> = {
  en: {
    added: 'A passkey was added to your account',
    addedLead: 'A passkey was added to your account. It can sign in from now on, without a mail.',
    removed: 'A passkey was removed from your account',
    removedLead: 'A passkey was removed from your account. It signs in nowhere any more.',
    at: (when) => `It was at ${when}.`,
    from: (device, when) => `${device}, at ${when}.`,
    own: 'If that was you, there is nothing to do.',
    other:
      'If it was not you, somebody is in your account: sign in, sign out everywhere else, and remove each passkey that is not yours. Then see who else can read your mail.',
  },
  de: {
    added: 'Ihrem Konto wurde ein Passkey hinzugefügt',
    addedLead: 'Ihrem Konto wurde ein Passkey hinzugefügt. Er kann sich von jetzt an anmelden, ohne eine E-Mail.',
    removed: 'Aus Ihrem Konto wurde ein Passkey entfernt',
    removedLead: 'Aus Ihrem Konto wurde ein Passkey entfernt. Er meldet nirgends mehr an.',
    at: (when) => `Das war um ${when}.`,
    from: (device, when) => `${device}, um ${when}.`,
    own: 'Falls Sie das waren, ist nichts zu tun.',
    other:
      'Falls nicht, ist jemand in Ihrem Konto: Melden Sie sich an, melden Sie sich überall sonst ab, und entfernen Sie jeden Passkey, der nicht Ihrer ist. Sehen Sie dann nach, wer Ihre E-Mails noch lesen kann.',
  },
}

/** The mail. */
export function passkeyMail({ change, at, ...mail }: PasskeyMail, brand: MailBrand): Mail {
  const language = pickLanguage(mail.language)
  const t = worded(ourPasskeyMails[language], brand.texts?.[language]?.passkeyMails, passkeyMailPlaces)
  const device = line(mail.device)
  const when = momentOf(at)
  const [subject, lead] = change === 'added' ? [t.added, t.addedLead] : [t.removed, t.removedLead]
  return mailOf(subject, [lead, device === '' ? t.at(when) : t.from(device, when), t.own, t.other], { brand, language })
}
