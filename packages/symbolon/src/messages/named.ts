// Which texts there are, by kind and name, and what must and may stand in braces in each: what an operator's own are held
// against.

import { ourAccount } from './account.ts'
import { addressPlaces, ourAddress } from './address.ts'
import { addressMailPlaces, ourAddressMails } from './address-mail.ts'
import { deletedMailPlaces, ourDeletedMails } from './deleted-mail.ts'
import { mailPlaces, ourMails } from './mail.ts'
import { ourPages, pagePlaces } from './page.ts'
import { ourPasskeyMails, passkeyMailPlaces } from './passkey-mail.ts'
import { ourPasskeys } from './passkeys.ts'

const named = <K extends string>(texts: Readonly<Partial<Record<K, unknown>>>, places: Readonly<Record<string, readonly string[]>>) =>
  Object.fromEntries(Object.keys(texts).map((name) => [name, places[name] ?? []])) as Readonly<Record<K, readonly string[]>>

const { errors, ...pages } = ourPages.en

/** The names of all texts, and what stands in braces in each. */
export const textNames = {
  pages: named(pages, pagePlaces),
  errors: named(errors, {}),
  passkeys: named(ourPasskeys.en, {}),
  account: named(ourAccount.en, {}),
  mails: named(ourMails.en, mailPlaces),
  passkeyMails: named(ourPasskeyMails.en, passkeyMailPlaces),
  deletedMails: named(ourDeletedMails.en, deletedMailPlaces),
  address: named(ourAddress.en, addressPlaces),
  addressMails: named(ourAddressMails.en, addressMailPlaces),
}

/**
 * What is wrong with a text of an operator's own, as the end of a sentence; undefined when it can stand. Names of
 * applications, and a code in a subject, may be left out; what somebody has to know (an act, a device, how long) may not.
 */
export function ownTextFault(text: string, places: readonly string[]): string | undefined {
  if (text.trim() === '' || text.length > 300) return 'must have 1 to 300 characters'
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u.test(text)) return 'must be one line without control characters'
  if (/<[a-z/!]/i.test(text)) return 'must be plain text, without mark-up'
  const list = places.map((place) => `{${place}}`).join(' and ')
  const bare = text.replace(/\{(\w+)\}/g, (whole, place: string) => (places.includes(place) ? '' : whole))
  if (/[{}]/.test(bare)) return places.length === 0 ? 'must have nothing in braces' : `must have nothing in braces but ${list}`
  const missing = places.find((place) => place !== 'name' && place !== 'code' && !text.includes(`{${place}}`))
  return missing === undefined ? undefined : `must say {${missing}}`
}
