// Mails about another e-mail address: the code to the new one, a word to who has it already, and to the old one what happened
// and the way back. What whoever did it wrote stands in none of them.

import type { AddressedDelivery } from './address.ts'
import { type Language, pickLanguage } from './language.ts'
import { buttonOf, codeOf, line, type Mail, type MailBrand, mailOf, momentOf } from './layout.ts'
import { type Places, worded } from './wording.ts'

/** The texts. */
export interface AddressMailTexts {
  readonly codeSubject: (code: string) => string
  readonly codeLead: string
  readonly codeLife: (minutes: number) => string
  readonly codeOther: string
  readonly takenSubject: string
  readonly takenLead: string
  readonly takenOwn: string
  readonly takenOther: string
  readonly leftSubject: string
  readonly leftLead: (when: string) => string
  readonly leftOwn: string
  readonly leftOther: (subject: string) => string
  readonly changedSubject: string
  readonly changedLead: string
  readonly changedOther: (days: number) => string
  readonly undo: string
  readonly changedRest: string
  readonly undoneSubject: string
  readonly undoneLead: string
  readonly undoneOther: string
  readonly askedFrom: (device: string) => string
  readonly at: (when: string) => string
  readonly from: (device: string, when: string) => string
  readonly own: string
}

/** What stands in braces. */
export const addressMailPlaces: Places<AddressMailTexts> = {
  codeSubject: ['code'],
  codeLife: ['minutes'],
  leftLead: ['when'],
  leftOther: ['subject'],
  changedOther: ['days'],
  askedFrom: ['device'],
  at: ['when'],
  from: ['device', 'when'],
}

/** Ours. */
export const ourAddressMails: Readonly<Record<Language, AddressMailTexts>> = {
  en: {
    codeSubject: (code) => `${code} is your code to confirm this address`,
    codeLead: 'Somebody who is signed in wants this to be the e-mail address of their account. If that is you, give this code on the page:',
    codeLife: (minutes) => `It can be used once, for ${minutes} minutes, and only where it was asked for.`,
    codeOther: 'If that was not you, nothing happens as long as you give the code to nobody. We never ask for it.',
    takenSubject: 'This address was asked for by somebody else',
    takenLead: 'Somebody wanted this to be the e-mail address of their account. It belongs to an account already, so nothing was changed.',
    takenOwn: 'If that was you, with another account: sign in with this address, and change or delete that account first.',
    takenOther: 'If that was not you, there is nothing to do.',
    leftSubject: 'This address does not sign in any more',
    leftLead: (when) =>
      `Somebody wants to sign in with this address. The account that had it has another one since ${when}, so there is no code.`,
    leftOwn: 'If it was you who changed it, sign in with the other address.',
    leftOther: (subject) =>
      `If it was not, look for our mail of that day: “${subject}”. The link in it takes the account back. If you cannot find it, write to whoever runs the service.`,
    changedSubject: 'The e-mail address of your account was changed',
    changedLead:
      'Your account has another e-mail address now. This one does not sign in to it any more, and every other device was signed out.',
    changedOther: (days) =>
      `If that was not you, take your account back: press this, in the next ${days} days. The account has this address again, is signed out everywhere, and loses passkeys that were added since the day before.`,
    undo: 'It was not me: undo it',
    changedRest: 'The page asks once more before anything happens. Give the link to nobody: whoever has it can do the same.',
    undoneSubject: 'A change of e-mail address was undone',
    undoneLead:
      'The account that had come to this address has its earlier one again. That was done by the link that was sent there, and it is signed out everywhere.',
    undoneOther: 'If this address should still be yours in that account, sign in with the earlier one and change it again.',
    askedFrom: (device) => `Asked for from ${device}.`,
    at: (when) => `It was at ${when}.`,
    from: (device, when) => `${device}, at ${when}.`,
    own: 'If that was you, there is nothing to do.',
  },
  de: {
    codeSubject: (code) => `${code} ist Ihr Code, um diese Adresse zu bestätigen`,
    codeLead:
      'Jemand, der angemeldet ist, möchte dies als E-Mail-Adresse seines Kontos. Falls Sie das sind, geben Sie diesen Code auf der Seite ein:',
    codeLife: (minutes) => `Er gilt einmal, ${minutes} Minuten lang, und nur dort, wo er angefordert wurde.`,
    codeOther: 'Falls Sie das nicht waren, geschieht nichts, solange Sie den Code niemandem geben. Wir fragen nie danach.',
    takenSubject: 'Jemand anderes wollte diese Adresse',
    takenLead: 'Jemand wollte dies als E-Mail-Adresse seines Kontos. Sie gehört schon zu einem Konto, deshalb wurde nichts geändert.',
    takenOwn:
      'Falls Sie das mit einem anderen Konto waren: Melden Sie sich mit dieser Adresse an, und ändern oder löschen Sie erst jenes Konto.',
    takenOther: 'Falls Sie das nicht waren, ist nichts zu tun.',
    leftSubject: 'Diese Adresse meldet nicht mehr an',
    leftLead: (when) =>
      `Jemand möchte sich mit dieser Adresse anmelden. Das Konto, zu dem sie gehörte, hat seit ${when} eine andere; deshalb gibt es keinen Code.`,
    leftOwn: 'Falls Sie sie geändert haben, melden Sie sich mit der anderen Adresse an.',
    leftOther: (subject) =>
      `Falls nicht, suchen Sie unsere E-Mail von jenem Tag: „${subject}“. Der Link darin holt das Konto zurück. Falls Sie sie nicht finden, schreiben Sie dem Betreiber des Dienstes.`,
    changedSubject: 'Die E-Mail-Adresse Ihres Kontos wurde geändert',
    changedLead:
      'Ihr Konto hat jetzt eine andere E-Mail-Adresse. Mit dieser hier kann man sich dort nicht mehr anmelden, und alle anderen Geräte wurden abgemeldet.',
    changedOther: (days) =>
      `Falls Sie das nicht waren, holen Sie sich Ihr Konto zurück: Drücken Sie hier, in den nächsten ${days} Tagen. Das Konto hat dann wieder diese Adresse, ist überall abgemeldet und verliert Passkeys, die seit dem Tag davor dazukamen.`,
    undo: 'Das war nicht ich: rückgängig machen',
    changedRest: 'Die Seite fragt noch einmal, bevor etwas geschieht. Geben Sie den Link niemandem: Wer ihn hat, kann dasselbe tun.',
    undoneSubject: 'Eine Änderung der E-Mail-Adresse wurde rückgängig gemacht',
    undoneLead:
      'Das Konto, das zu dieser Adresse gekommen war, hat wieder seine frühere. Das geschah mit dem Link, der dorthin ging, und es ist überall abgemeldet.',
    undoneOther:
      'Falls dies weiter Ihre Adresse in jenem Konto sein soll, melden Sie sich mit der früheren an, und ändern Sie sie noch einmal.',
    askedFrom: (device) => `Angefordert von ${device}.`,
    at: (when) => `Das war um ${when}.`,
    from: (device, when) => `${device}, um ${when}.`,
    own: 'Falls Sie das waren, ist nichts zu tun.',
  },
}

/** The mail. */
export function addressMail(mail: AddressedDelivery, brand: MailBrand): Mail {
  const language = pickLanguage(mail.language)
  const t = worded(ourAddressMails[language], brand.texts?.[language]?.addressMails, addressMailPlaces)
  const device = line(mail.device)
  const look = { brand, language }
  if (mail.kind === 'address_code') {
    const from = device === '' ? [] : [t.askedFrom(device)]
    return mailOf(t.codeSubject(mail.code), [t.codeLead, codeOf(mail.code), t.codeLife(mail.minutes), ...from, t.codeOther], look)
  }
  const when = momentOf(mail.at)
  if (mail.kind === 'address_left') {
    const asked = device === '' ? [] : [t.askedFrom(device)]
    return mailOf(t.leftSubject, [t.leftLead(when), ...asked, t.leftOwn, t.leftOther(t.changedSubject)], look)
  }
  const from = device === '' ? t.at(when) : t.from(device, when)
  if (mail.kind === 'address_taken') return mailOf(t.takenSubject, [t.takenLead, from, t.takenOwn, t.takenOther], look)
  if (mail.kind === 'address_undone') return mailOf(t.undoneSubject, [t.undoneLead, from, t.undoneOther], look)
  const { address, days } = mail.undo
  const undo = { text: address, html: buttonOf(address, t.undo, brand) }
  return mailOf(t.changedSubject, [t.changedLead, from, t.own, t.changedOther(days), undo, t.changedRest], look)
}
