// Texts of the pages where people change their e-mail address, or put the earlier one back, in every language.

import type { Language } from './language.ts'
import { type Places, type Wording, worded } from './wording.ts'

/** What a mail about an address is made from. Times in milliseconds since 1970; the device may be empty. */
export type AddressedDelivery = { readonly device: string; readonly language: string } & (
  | { readonly kind: 'address_code'; readonly code: string; readonly minutes: number }
  | { readonly kind: 'address_taken'; readonly at: number }
  | { readonly kind: 'address_undone'; readonly at: number }
  | { readonly kind: 'address_left'; readonly at: number }
  | { readonly kind: 'address_changed'; readonly at: number; readonly undo: { readonly address: string; readonly days: number } }
)

/** The texts. */
export interface AddressTexts {
  readonly title: string
  readonly hint: string
  readonly label: string
  readonly change: string
  readonly enter: string
  readonly sentTo: (email: string, minutes: number) => string
  readonly confirm: string
  readonly back: string
  readonly invalid: string
  readonly taken: string
  readonly refused: string
  readonly undo: string
  readonly undoHint: (email: string) => string
  readonly undoYes: string
  readonly undone: string
  readonly undoneHint: (email: string) => string
  readonly undoTaken: string
  readonly gone: string
  readonly goneHint: string
}

/** What stands in braces. */
export const addressPlaces: Places<AddressTexts> = {
  sentTo: ['email', 'minutes'],
  undoHint: ['email'],
  undoneHint: ['email'],
}

const en: AddressTexts = {
  title: 'E-mail address',
  hint: 'A code is sent to the new address; the present one counts until you have given it. Every other device is signed out then, and a mail to the present address can undo it for seven days.',
  label: 'New e-mail address',
  change: 'Change address',
  enter: 'Confirm the new address',
  sentTo: (email, minutes) =>
    `A code is on its way to ${email}. It is valid for ${minutes} minutes. If the address belongs to another account, the mail says so and brings none.`,
  confirm: 'Make it my address',
  back: 'Keep the present address',
  invalid: 'That is not an address that can be used here, or it is yours already.',
  taken: 'Somebody else has this address by now.',
  refused: 'This address cannot be used for this account. The present one stays.',
  undo: 'Take your account back?',
  undoHint: (email) =>
    `The account has ${email} as its address again, is signed out everywhere, and loses passkeys that were added since the day before the change. Do this if it was not you who changed it.`,
  undoYes: 'Yes, undo the change',
  undone: 'The change is undone',
  undoneHint: (email) =>
    `The account has ${email} again and is signed out everywhere. Sign in now, and look through your passkeys and recent activity. If somebody else can read your mail, secure that first.`,
  undoTaken: 'Somebody else has this address by now, so it cannot be put back. Write to whoever runs the service.',
  gone: 'This link cannot be used any more',
  goneHint:
    'It was used, is too old, or a later one took its place. If your account is still not yours, write to whoever runs the service.',
}

const de: AddressTexts = {
  title: 'E-Mail-Adresse',
  hint: 'An die neue Adresse geht ein Code; die jetzige gilt, bis Sie ihn eingegeben haben. Dann werden alle anderen Geräte abgemeldet, und mit einer E-Mail an die jetzige Adresse lässt es sich sieben Tage lang rückgängig machen.',
  label: 'Neue E-Mail-Adresse',
  change: 'Adresse ändern',
  enter: 'Neue Adresse bestätigen',
  sentTo: (email, minutes) =>
    `Ein Code ist unterwegs an ${email}. Er gilt ${minutes} Minuten. Gehört die Adresse zu einem anderen Konto, sagt die E-Mail es und bringt keinen.`,
  confirm: 'Das ist jetzt meine Adresse',
  back: 'Jetzige Adresse behalten',
  invalid: 'Diese Adresse kann hier nicht benutzt werden, oder sie ist schon Ihre.',
  taken: 'Diese Adresse hat inzwischen jemand anderes.',
  refused: 'Diese Adresse kann für dieses Konto nicht benutzt werden. Die jetzige bleibt.',
  undo: 'Ihr Konto zurückholen?',
  undoHint: (email) =>
    `Das Konto hat dann wieder ${email} als Adresse, ist überall abgemeldet und verliert Passkeys, die seit dem Tag vor der Änderung dazukamen. Tun Sie das, wenn nicht Sie sie geändert haben.`,
  undoYes: 'Ja, Änderung rückgängig machen',
  undone: 'Die Änderung ist rückgängig gemacht',
  undoneHint: (email) =>
    `Das Konto hat wieder ${email} und ist überall abgemeldet. Melden Sie sich jetzt an, und sehen Sie Ihre Passkeys und letzten Aktivitäten durch. Falls jemand anderes Ihre E-Mails lesen kann, sichern Sie zuerst das Postfach.`,
  undoTaken:
    'Diese Adresse hat inzwischen jemand anderes, sie lässt sich nicht wiederherstellen. Schreiben Sie dem Betreiber des Dienstes.',
  gone: 'Dieser Link gilt nicht mehr',
  goneHint:
    'Er wurde benutzt, ist zu alt, oder ein anderer trat an seine Stelle. Falls Ihr Konto noch nicht wieder Ihres ist, schreiben Sie dem Betreiber des Dienstes.',
}

/** Ours. */
export const ourAddress: Readonly<Record<Language, AddressTexts>> = { en, de }

/** The texts somebody reads. */
export const addressTexts = ({ language, texts }: Wording): AddressTexts =>
  worded(ourAddress[language], texts?.[language]?.address, addressPlaces)
