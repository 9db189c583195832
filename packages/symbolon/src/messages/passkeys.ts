// Texts about passkeys on the hosted pages, in every language.

import type { Language } from './language.ts'
import { type Wording, worded } from './wording.ts'

/** The texts. `{…}` is filled in by the page's script. */
export interface PasskeyTexts {
  readonly signIn: string
  readonly or: string
  readonly title: string
  readonly about: string
  readonly none: string
  readonly add: string
  readonly needScript: string
  readonly synced: string
  readonly oneDevice: string
  readonly added: string
  readonly used: string
  readonly neverUsed: string
  readonly name: string
  readonly rename: string
  readonly save: string
  readonly remove: string
  readonly removeSure: string
  readonly removeYes: string
  readonly failed: string
  readonly there: string
  readonly full: string
  readonly signInFailed: string
  readonly second: string
  readonly secondHint: string
  readonly offer: string
  readonly offerHint: string
  readonly later: string
  readonly enrol: string
  readonly enrolHint: string
  readonly enrolDo: string
}

const en: PasskeyTexts = {
  signIn: 'Sign in with a passkey',
  or: 'or',
  title: 'Passkeys',
  about: 'A passkey signs you in with the lock of your device: no code to wait for, and nothing to be tricked out of.',
  none: 'You have no passkey yet.',
  add: 'Add a passkey',
  needScript: 'Adding a passkey, and signing in with one, needs JavaScript, which is off in this browser.',
  synced: 'on all devices of its keychain',
  oneDevice: 'on one device',
  added: 'added',
  used: 'last used',
  neverUsed: 'not used yet',
  name: 'Name',
  rename: 'Rename',
  save: 'Save',
  remove: 'Remove',
  removeSure: 'It will no longer sign you in here. Devices where you are signed in stay signed in.',
  removeYes: 'Yes, remove it',
  failed: 'No passkey was added. Please try again.',
  there: 'This device or keychain has a passkey of yours already.',
  full: 'You have as many passkeys as there can be. Remove one first.',
  signInFailed: 'That passkey did not sign you in. Try again, or use your e-mail address.',
  second: 'Now your passkey',
  secondHint: 'This application wants your passkey as well. Your device will ask for its lock.',
  offer: 'Sign in faster next time',
  offerHint: 'With a passkey you sign in with the lock of your device: no code to wait for, and nothing to be tricked out of.',
  later: 'Not now',
  enrol: 'One more step: a passkey',
  enrolHint:
    'This application wants a passkey, and you have none yet. It signs you in with the lock of your device. Make one now, and you are in.',
  enrolDo: 'Make a passkey',
}

const de: PasskeyTexts = {
  signIn: 'Mit Passkey anmelden',
  or: 'oder',
  title: 'Passkeys',
  about: 'Ein Passkey meldet Sie mit der Sperre Ihres Geräts an: kein Warten auf einen Code, und nichts, was man Ihnen entlocken könnte.',
  none: 'Sie haben noch keinen Passkey.',
  add: 'Passkey hinzufügen',
  needScript: 'Einen Passkey hinzuzufügen oder zu benutzen braucht JavaScript; in diesem Browser ist es aus.',
  synced: 'auf allen Geräten seines Schlüsselbunds',
  oneDevice: 'auf einem Gerät',
  added: 'hinzugefügt',
  used: 'zuletzt benutzt',
  neverUsed: 'noch nicht benutzt',
  name: 'Name',
  rename: 'Umbenennen',
  save: 'Speichern',
  remove: 'Entfernen',
  removeSure: 'Er meldet Sie hier dann nicht mehr an. Wo Sie angemeldet sind, bleiben Sie es.',
  removeYes: 'Ja, entfernen',
  failed: 'Es wurde kein Passkey hinzugefügt. Bitte versuchen Sie es noch einmal.',
  there: 'Dieses Gerät oder dieser Schlüsselbund hat schon einen Passkey von Ihnen.',
  full: 'Mehr Passkeys kann es nicht geben. Entfernen Sie erst einen.',
  signInFailed: 'Dieser Passkey hat Sie nicht angemeldet. Versuchen Sie es noch einmal, oder nehmen Sie Ihre E-Mail-Adresse.',
  second: 'Jetzt Ihr Passkey',
  secondHint: 'Diese Anwendung möchte auch Ihren Passkey. Ihr Gerät fragt gleich nach seiner Sperre.',
  offer: 'Nächstes Mal schneller anmelden',
  offerHint:
    'Mit einem Passkey melden Sie sich mit der Sperre Ihres Geräts an: kein Warten auf einen Code, und nichts, was man Ihnen entlocken könnte.',
  later: 'Jetzt nicht',
  enrol: 'Noch ein Schritt: ein Passkey',
  enrolHint:
    'Diese Anwendung möchte einen Passkey, und Sie haben noch keinen. Er meldet Sie mit der Sperre Ihres Geräts an. Legen Sie jetzt einen an, dann sind Sie drin.',
  enrolDo: 'Passkey anlegen',
}

/** Ours. */
export const ourPasskeys: Readonly<Record<Language, PasskeyTexts>> = { en, de }

/** The texts somebody reads. */
export const passkeyTexts = ({ language, texts }: Wording): PasskeyTexts => worded(ourPasskeys[language], texts?.[language]?.passkeys, {})
