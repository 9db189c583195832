// The option `brand`: how pages and mails look and read. What people would see wrong, or what could carry more than a look,
// is refused when the service starts.

import { z } from 'zod'
import { languages, type MailBrand, ownTextFault, textNames } from '#messages'

const ownText = (places: readonly string[]) =>
  z.string().superRefine((text, context) => {
    const message = ownTextFault(text, places)
    if (message !== undefined) context.addIssue({ code: 'custom', message })
  })

/** A kind of texts: each may be given, and no other. */
const kind = <K extends string>(names: Readonly<Record<K, readonly string[]>>) => {
  const entries = Object.entries<readonly string[]>(names).map(([name, places]) => [name, ownText(places).optional()])
  return z.strictObject(Object.fromEntries(entries) as Record<K, z.ZodOptional<z.ZodString>>).optional()
}

const texts = z.strictObject({
  pages: kind(textNames.pages),
  errors: kind(textNames.errors),
  passkeys: kind(textNames.passkeys),
  account: kind(textNames.account),
  mails: kind(textNames.mails),
  passkeyMails: kind(textNames.passkeyMails),
  deletedMails: kind(textNames.deletedMails),
  address: kind(textNames.address),
  addressMails: kind(textNames.addressMails),
})

const byLanguage = Object.fromEntries(languages.map((language) => [language, texts.optional()])) as Record<
  (typeof languages)[number],
  z.ZodOptional<typeof texts>
>

/** The option. */
export const brand = z.strictObject({
  name: z
    .string()
    .max(60)
    .refine((name) => ownTextFault(name, []) === undefined, 'must be one line of plain text')
    .optional(),
  logo: z.string().max(2000).optional(),
  accent: z
    .string()
    .regex(/^#[0-9a-f]{6}$/i, "must be a colour like '#1f5f5b'")
    .optional(),
  radius: z.number().int().min(0).max(24).optional(),
  texts: z.strictObject(byLanguage).optional(),
})

/** A brand as it was read. */
export type BrandSettings = z.output<typeof brand>

/** The logo's whole address: by https, or on the issuer's own origin. */
function logoAddress(logo: string, issuer: string): string | undefined {
  if (!/^(?:https?:\/\/|\/(?![/\\]))/.test(logo) || !URL.canParse(logo, issuer)) return undefined
  const url = new URL(logo, issuer)
  if (url.username !== '' || url.password !== '') return undefined
  return url.protocol === 'https:' || url.origin === new URL(issuer).origin ? url.href : undefined
}

/** What is wrong with a brand, as a sentence; undefined when it can stand. */
export function brandFault({ brand, issuer }: { readonly brand: BrandSettings; readonly issuer: string }): string | undefined {
  if (brand.logo === undefined || logoAddress(brand.logo, issuer) !== undefined) return undefined
  return "brand.logo must be an address like 'https://app.example/logo.png', or '/logo.png' on the issuer's own host."
}

/** What mails take from it. */
export const mailBrand = ({ brand, issuer }: { readonly brand: BrandSettings; readonly issuer: string }): MailBrand => ({
  ...brand,
  logo: brand.logo === undefined ? undefined : logoAddress(brand.logo, issuer),
})
