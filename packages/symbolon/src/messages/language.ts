// Which language a person reads: the first of theirs that we have (RFC 9110 §12.5.4), English otherwise.

/** The languages there are texts in. */
export const languages = ['en', 'de'] as const

/** One of them. */
export type Language = (typeof languages)[number]

/** Picks a language from an Accept-Language header or a BCP 47 tag. */
export function pickLanguage(wanted: string | undefined): Language {
  const ranges = (wanted ?? '')
    .slice(0, 200)
    .split(',')
    .map((range) => {
      const [tag = '', ...parameters] = range.trim().toLowerCase().split(';')
      const q = parameters.map((one) => /^\s*q=([01](?:\.\d{0,3})?)\s*$/.exec(one)?.[1]).find((one) => one !== undefined)
      return { language: tag.split('-')[0], q: q === undefined ? 1 : Number(q) }
    })
    .filter(({ q }) => q > 0)
    .sort((a, b) => b.q - a.q)
  for (const { language } of ranges) {
    const found = languages.find((one) => one === language)
    if (found !== undefined) return found
  }
  return 'en'
}
