// Texts of an operator's own in place of ours: how they are kept, what stands in braces, and how that is filled in. Which
// ones may stand is decided when the options are read (`embed/brand.ts`); here they only take their places.

import type { Language } from './language.ts'

/** Texts of one kind, by name. */
export type OwnTable = Readonly<Record<string, string | undefined>>

/** An operator's own texts, by language and kind. */
export type OwnTexts = Readonly<
  Partial<
    Record<
      Language,
      | {
          readonly pages?: OwnTable | undefined
          readonly errors?: OwnTable | undefined
          readonly passkeys?: OwnTable | undefined
          readonly account?: OwnTable | undefined
          readonly mails?: OwnTable | undefined
          readonly passkeyMails?: OwnTable | undefined
          readonly deletedMails?: OwnTable | undefined
          readonly address?: OwnTable | undefined
          readonly addressMails?: OwnTable | undefined
        }
      | undefined
    >
  >
>

/** Which words somebody reads. */
export interface Wording {
  readonly language: Language
  readonly texts: OwnTexts | undefined
}

/** What each text that is filled in calls what it is given, in the order of its arguments. */
export type Places<T> = {
  readonly [K in keyof T as T[K] extends (...values: never[]) => string ? K : never]: readonly string[]
}

/** The texts with an operator's own in their places. What fills a place is never read as a place itself. */
export function worded<T extends object>(texts: T, own: OwnTable | undefined, places: Places<T>): T {
  if (own === undefined) return texts
  const named = places as Readonly<Record<string, readonly string[]>>
  const taken = Object.entries(own).flatMap(([name, text]): readonly (readonly [string, unknown])[] => {
    if (text === undefined) return []
    const order = named[name]
    if (order === undefined) return [[name, text]]
    return [
      [name, (...values: readonly unknown[]) => text.replace(/\{(\w+)\}/g, (_, place: string) => String(values[order.indexOf(place)]))],
    ]
  })
  return { ...texts, ...Object.fromEntries(taken) }
}
