// How a mail looks: an operator's brand above, paragraphs below. Whatever comes from outside is bounded and without line
// breaks, and escaped where it stands in HTML; the one thing that is fetched is the brand's own logo, the same for everybody.

import type { Language } from './language.ts'
import type { OwnTexts } from './wording.ts'

/** A mail as it is sent. */
export interface Mail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** A mail that was kept instead of sent. `id` counts them from the start of the process; `at` is ISO 8601. */
export interface HeldMail extends Mail {
  readonly id: number
  readonly to: string
  readonly at: string
}

/** What mails take from a brand, as it was checked when the options were read. `logo`: a whole address. */
export interface MailBrand {
  readonly name?: string | undefined
  readonly logo?: string | undefined
  readonly accent?: string | undefined
  readonly radius?: number | undefined
  readonly texts?: OwnTexts | undefined
}

/** One line of plain text: no control characters, no line breaks, bounded. */
export const line = (text: string, most = 120) =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, most)
    .trim()

/** Text as it may stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

/** The ink that reads better on a colour such as `#1f5f5b` (WCAG 2.2, relative luminance). */
export function inkOn(colour: string): '#ffffff' | '#0d1b1a' {
  const [red = 0, green = 0, blue = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(colour.slice(at, at + 2), 16) / 255
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4
  })
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
  // The contrast of white is 1.05 / (L + 0.05), that of our dark ink (L + 0.05) / 0.0591.
  return 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.0591 ? '#ffffff' : '#0d1b1a'
}

const accentOf = (brand: MailBrand) => brand.accent ?? '#1f5f5b'

/** A moment, in the time of the world. */
export const momentOf = (at: number) => `${new Date(at).toISOString().slice(0, 16).replace('T', ' ')} UTC`

/** A code, to be read and typed. */
export const codeOf = (code: string) => ({
  text: `    ${code}`,
  html: `<p style="font:600 32px/1.2 ui-monospace,monospace;letter-spacing:6px">${escapeHtml(code)}</p>`,
})

/** A link as a button. */
export function buttonOf(address: string, text: string, brand: MailBrand): string {
  const style = `display:inline-block;padding:12px 20px;border-radius:${brand.radius ?? 10}px;background:${accentOf(brand)};color:${inkOn(accentOf(brand))};text-decoration:none;font-weight:600`
  return `<p><a href="${escapeHtml(address)}" style="${style}">${escapeHtml(text)}</a></p>`
}

function headOf({ name, logo }: MailBrand): string {
  if (logo !== undefined)
    return `<p><img src="${escapeHtml(logo)}" alt="${escapeHtml(name ?? '')}" height="44" style="height:44px;max-width:200px;object-fit:contain;border:0;font-weight:600"></p>`
  return name === undefined ? '' : `<p style="font-weight:600">${escapeHtml(name)}</p>`
}

/** A mail of paragraphs: each as text, and as HTML where that is more than the text. */
export function mailOf(
  subject: string,
  parts: readonly (string | { readonly text: string; readonly html: string })[],
  { brand, language }: { readonly brand: MailBrand; readonly language: Language },
): Mail {
  const html = parts.map((part) => (typeof part === 'string' ? `<p>${escapeHtml(part)}</p>` : part.html)).join('')
  const frame = `max-width:480px;margin:0 auto;padding:24px 16px;border-top:4px solid ${accentOf(brand)}`
  return {
    subject,
    text: parts.map((part) => (typeof part === 'string' ? part : part.text)).join('\n\n'),
    html: `<!doctype html><html lang="${language}"><head><meta charset="utf-8"></head><body style="margin:0;font:16px/1.5 system-ui,sans-serif;color:#1b1a17;background:#ffffff"><div style="${frame}">${headOf(brand)}${html}</div></body></html>`,
  }
}
