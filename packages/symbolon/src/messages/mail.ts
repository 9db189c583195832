// Texts of mails. Whatever comes from outside is bounded and without line breaks, and escaped where it stands in HTML.

import { type Language, pickLanguage } from './language.ts'

/** A mail as it is sent. */
export interface Mail {
  readonly subject: string
  readonly text: string
  readonly html: string
}

/** What a code mail says. */
export interface CodeMail {
  readonly code: string
  readonly clientName: string
  readonly minutes: number
  /** The device in words; may be empty. */
  readonly device: string
  /** BCP 47 or an Accept-Language header. */
  readonly language: string
}

const texts: Readonly<
  Record<
    Language,
    {
      subject(code: string, name: string): string
      lead(name: string): string
      life(minutes: number): string
      from(device: string): string
      other: string
    }
  >
> = {
  en: {
    subject: (code, name) => `${code} is your code for ${name}`,
    lead: (name) => `Your code to sign in to ${name}:`,
    life: (minutes) => `It can be used once, for ${minutes} minutes, and only in the browser where you asked for it.`,
    from: (device) => `Asked for from ${device}.`,
    other: 'If that was not you, nothing happens as long as you give the code to nobody. We never ask for it.',
  },
  de: {
    subject: (code, name) => `${code} ist Ihr Code für ${name}`,
    lead: (name) => `Ihr Code zum Anmelden bei ${name}:`,
    life: (minutes) => `Er gilt einmal, ${minutes} Minuten lang, und nur in dem Browser, in dem Sie ihn angefordert haben.`,
    from: (device) => `Angefordert von ${device}.`,
    other: 'Falls Sie das nicht waren, geschieht nichts, solange Sie den Code niemandem geben. Wir fragen nie danach.',
  },
}

/** One line of plain text: no control characters, no line breaks, bounded. */
const line = (text: string) =>
  text
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ')
    .slice(0, 120)
    .trim()

/** Text as it may stand in HTML. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`)
}

/** The mail that brings a code. */
export function codeMail(mail: CodeMail): Mail {
  const t = texts[pickLanguage(mail.language)]
  const name = line(mail.clientName)
  const device = line(mail.device)
  const paragraphs = [t.life(mail.minutes), ...(device === '' ? [] : [t.from(device)]), t.other]
  const html = [
    `<p>${escapeHtml(t.lead(name))}</p>`,
    `<p style="font:600 32px/1.2 ui-monospace,monospace;letter-spacing:6px">${escapeHtml(mail.code)}</p>`,
    ...paragraphs.map((text) => `<p>${escapeHtml(text)}</p>`),
  ]
  return {
    subject: t.subject(mail.code, name),
    text: [t.lead(name), '', `    ${mail.code}`, '', ...paragraphs].join('\n'),
    html: `<!doctype html><html><body style="font:16px/1.5 system-ui,sans-serif;color:#1b1a17">${html.join('')}</body></html>`,
  }
}
