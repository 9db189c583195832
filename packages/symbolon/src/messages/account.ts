// Texts of what people can do with their whole account on its page, in every language.

import type { Language } from './language.ts'

/** The texts. */
export interface AccountTexts {
  readonly data: string
  readonly exportHint: string
  readonly exportLink: string
}

const en: AccountTexts = {
  data: 'Your data',
  exportHint: 'Everything that is kept here about you, in one file (JSON). It may ask you first to confirm that it is you.',
  exportLink: 'Download your data',
}

const de: AccountTexts = {
  data: 'Ihre Daten',
  exportHint: 'Alles, was hier über Sie gespeichert ist, in einer Datei (JSON). Vorher müssen Sie vielleicht bestätigen, dass Sie es sind.',
  exportLink: 'Ihre Daten herunterladen',
}

/** The texts in one language. */
export const accountTexts = (language: Language): AccountTexts => ({ en, de })[language]
