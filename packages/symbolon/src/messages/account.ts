// Texts of what people can do with their whole account on its page, in every language.

import type { Language } from './language.ts'
import { type Wording, worded } from './wording.ts'

/** The texts. */
export interface AccountTexts {
  readonly data: string
  readonly exportHint: string
  readonly exportLink: string
  readonly remove: string
  readonly removeSure: string
  readonly removeYes: string
  readonly removeLater: string
  readonly removed: string
  readonly removedHint: string
}

const en: AccountTexts = {
  data: 'Your data',
  exportHint: 'Everything that is kept here about you, in one file (JSON). It may ask you first to confirm that it is you.',
  exportLink: 'Download your data',
  remove: 'Delete your account',
  removeSure:
    'You are signed out everywhere, your passkeys stop working, and what is kept here about you is removed. It cannot be undone. Applications where you used this account may keep data of their own.',
  removeYes: 'Yes, delete my account for good',
  removeLater:
    'Your e-mail address was changed less than seven days ago, and the earlier one can still be put back. You can delete your account when these days are over. Until then only whoever runs the service can.',
  removed: 'Your account is deleted',
  removedHint: 'You are signed out everywhere. A mail confirms it. Signing in again makes a new account.',
}

const de: AccountTexts = {
  data: 'Ihre Daten',
  exportHint: 'Alles, was hier über Sie gespeichert ist, in einer Datei (JSON). Vorher müssen Sie vielleicht bestätigen, dass Sie es sind.',
  exportLink: 'Ihre Daten herunterladen',
  remove: 'Ihr Konto löschen',
  removeSure:
    'Sie werden überall abgemeldet, Ihre Passkeys gelten nicht mehr, und was hier über Sie gespeichert ist, wird entfernt. Das lässt sich nicht rückgängig machen. Anwendungen, in denen Sie dieses Konto benutzt haben, können eigene Daten behalten.',
  removeYes: 'Ja, mein Konto endgültig löschen',
  removeLater:
    'Ihre E-Mail-Adresse wurde vor weniger als sieben Tagen geändert, und die frühere lässt sich noch wiederherstellen. Wenn diese Tage vorbei sind, können Sie Ihr Konto löschen. Bis dahin kann es nur der Betreiber des Dienstes.',
  removed: 'Ihr Konto ist gelöscht',
  removedHint: 'Sie sind überall abgemeldet. Eine E-Mail bestätigt es. Wer sich wieder anmeldet, bekommt ein neues Konto.',
}

/** Ours. */
export const ourAccount: Readonly<Record<Language, AccountTexts>> = { en, de }

/** The texts somebody reads. */
export const accountTexts = ({ language, texts }: Wording): AccountTexts => worded(ourAccount[language], texts?.[language]?.account, {})
