// What happened to an account, in words for its owner, in every language.

import type { AuthEvent } from '@symbolon/protocol'
import type { Language } from './language.ts'

/** The texts around them. */
export interface ActivityTexts {
  readonly title: string
  readonly about: string
  readonly none: string
  readonly more: string
}

type Said = Readonly<Record<string, string>>

const around: Readonly<Record<Language, ActivityTexts>> = {
  en: {
    title: 'Recent activity',
    about: 'What happened to your account. If something here was not you, sign out everywhere else.',
    none: 'Nothing yet.',
    more: 'Show more',
  },
  de: {
    title: 'Letzte Aktivitäten',
    about: 'Was mit Ihrem Konto geschehen ist. Wenn etwas davon nicht Sie waren, melden Sie sich überall sonst ab.',
    none: 'Noch nichts.',
    more: 'Mehr zeigen',
  },
}

const en: Said = {
  'user.created': 'Account created',
  'user.updated': 'What you may do was changed',
  'user.disabled': 'Account locked',
  'user.enabled': 'Account unlocked',
  'user.email_changed': 'E-mail address changed',
  'user.email_restored': 'E-mail address put back by the link in a mail',
  'passkey.added': 'Passkey added',
  'passkey.removed': 'Passkey removed',
  'passkey.counter_back': 'A passkey was refused: there may be a copy of it',
  'session.opened': 'Signed in',
  'session.stepped_up': 'Confirmed that it is you',
  'session.confirmed': 'Confirmed an act',
  'session.ended': 'Signed out',
  'session.ended signed_out_elsewhere': 'Signed out from another device',
  'session.ended admin': 'Signed out by an operator',
  'session.ended evicted': 'Signed out to make room for another device',
  'session.reused': 'An old copy of a sign-in was used, and the sign-in ended: it may have been stolen',
  'session.rolled_back': 'A sign-in ended because the service went back to an older state',
  'session.recovered': 'A sign-in went on after a lost answer',
  'token.revoked': 'An application gave up its access',
  '': 'Something else',
}

const de: Said = {
  'user.created': 'Konto angelegt',
  'user.updated': 'Ihre Rechte wurden geändert',
  'user.disabled': 'Konto gesperrt',
  'user.enabled': 'Konto entsperrt',
  'user.email_changed': 'E-Mail-Adresse geändert',
  'user.email_restored': 'E-Mail-Adresse durch den Link in einer E-Mail zurückgesetzt',
  'passkey.added': 'Passkey hinzugefügt',
  'passkey.removed': 'Passkey entfernt',
  'passkey.counter_back': 'Ein Passkey wurde abgelehnt: Es könnte eine Kopie davon geben',
  'session.opened': 'Angemeldet',
  'session.stepped_up': 'Bestätigt, dass Sie es sind',
  'session.confirmed': 'Eine Handlung bestätigt',
  'session.ended': 'Abgemeldet',
  'session.ended signed_out_elsewhere': 'Von einem anderen Gerät aus abgemeldet',
  'session.ended admin': 'Vom Betreiber abgemeldet',
  'session.ended evicted': 'Abgemeldet, um einem anderen Gerät Platz zu machen',
  'session.reused': 'Eine alte Kopie einer Anmeldung wurde benutzt, und die Anmeldung beendet: Sie könnte gestohlen sein',
  'session.rolled_back': 'Eine Anmeldung endete, weil der Dienst auf einen älteren Stand zurückging',
  'session.recovered': 'Eine Anmeldung ging nach einer verlorenen Antwort weiter',
  'token.revoked': 'Eine Anwendung hat ihren Zugang aufgegeben',
  '': 'Etwas anderes',
}

/** The texts in one language. */
export const activityTexts = (language: Language): ActivityTexts => around[language]

/** An event in a few words. */
export function activityText({ type, data }: AuthEvent, language: Language): string {
  const said = { en, de }[language]
  return ('reason' in data ? said[`${type} ${data.reason}`] : undefined) ?? said[type] ?? (said[''] as string)
}
