// Texts of the mails of a sign-in: the code and its link, and the notice after one.

import { type Language, pickLanguage } from './language.ts'
import { buttonOf, codeOf, escapeHtml, line, type Mail, type MailBrand, mailOf, momentOf } from './layout.ts'
import { type Places, worded } from './wording.ts'

/** What a code mail says. */
export interface CodeMail {
  readonly code: string
  readonly clientName: string
  readonly minutes: number
  /** An address that signs in too; null where none is sent. */
  readonly link: { readonly address: string; readonly minutes: number } | null
  /** For a step-up: the act that is confirmed, or nothing but that it is the same person (empty); null for a sign-in. */
  readonly confirms: string | null
  /** The device in words; may be empty. */
  readonly device: string
  /** BCP 47 or an Accept-Language header. */
  readonly language: string
}

/** The texts. */
export interface MailTexts {
  readonly subject: (code: string, name: string) => string
  readonly lead: (name: string) => string
  readonly leadConfirm: (name: string) => string
  readonly confirms: (act: string) => string
  readonly life: (minutes: number) => string
  /** Of a code beside a link. */
  readonly codeLife: (minutes: number) => string
  readonly orLink: string
  readonly linkLife: (minutes: number) => string
  readonly link: string
  readonly from: (device: string) => string
  readonly other: string
  readonly newSubject: (name: string) => string
  readonly newLead: (name: string) => string
  readonly newAt: (when: string) => string
  readonly newFrom: (device: string, when: string) => string
  readonly newOwn: string
  readonly newOther: string
}

/** What stands in braces. */
export const mailPlaces: Places<MailTexts> = {
  subject: ['code', 'name'],
  lead: ['name'],
  leadConfirm: ['name'],
  confirms: ['act'],
  life: ['minutes'],
  codeLife: ['minutes'],
  linkLife: ['minutes'],
  from: ['device'],
  newSubject: ['name'],
  newLead: ['name'],
  newAt: ['when'],
  newFrom: ['device', 'when'],
}

/** Ours. */
export const ourMails: Readonly<Record<Language, MailTexts>> = {
  en: {
    subject: (code, name) => `${code} is your code for ${name}`,
    lead: (name) => `Your code to sign in to ${name}:`,
    leadConfirm: (name) => `Your code to confirm to ${name} that it is you:`,
    confirms: (act) => `With it you confirm: ${act}`,
    life: (minutes) => `It can be used once, for ${minutes} minutes, and only in the browser where you asked for it.`,
    codeLife: (minutes) => `The code can be used once, for ${minutes} minutes.`,
    orLink: 'Or open this link in the browser where you asked for it:',
    linkLife: (minutes) => `It can be used once, for ${minutes} minutes. In another browser it asks for the code.`,
    link: 'Sign in',
    from: (device) => `Asked for from ${device}.`,
    newSubject: (name) => `New sign-in to ${name}`,
    newLead: (name) => `Somebody signed in to ${name} with this address, on a device that was not used for it before.`,
    newAt: (when) => `It was at ${when}.`,
    newFrom: (device, when) => `${device}, at ${when}.`,
    newOwn: 'If that was you, there is nothing to do.',
    newOther:
      'If not, whoever it was can read this mailbox. Secure it first; then sign in as you always do, look in your account where you are signed in, and sign that device out.',
    other: 'If that was not you, nothing happens as long as you give the code to nobody. We never ask for it.',
  },
  de: {
    subject: (code, name) => `${code} ist Ihr Code für ${name}`,
    lead: (name) => `Ihr Code zum Anmelden bei ${name}:`,
    leadConfirm: (name) => `Ihr Code, mit dem Sie ${name} bestätigen, dass Sie es sind:`,
    confirms: (act) => `Damit bestätigen Sie: ${act}`,
    life: (minutes) => `Er gilt einmal, ${minutes} Minuten lang, und nur in dem Browser, in dem Sie ihn angefordert haben.`,
    codeLife: (minutes) => `Der Code gilt einmal, ${minutes} Minuten lang.`,
    orLink: 'Oder öffnen Sie diesen Link in dem Browser, in dem Sie ihn angefordert haben:',
    linkLife: (minutes) => `Er gilt einmal, ${minutes} Minuten lang. In einem anderen Browser fragt er nach dem Code.`,
    link: 'Anmelden',
    from: (device) => `Angefordert von ${device}.`,
    newSubject: (name) => `Neue Anmeldung bei ${name}`,
    newLead: (name) => `Jemand hat sich mit dieser Adresse bei ${name} angemeldet, auf einem Gerät, das dafür noch nicht benutzt wurde.`,
    newAt: (when) => `Es war um ${when}.`,
    newFrom: (device, when) => `${device}, um ${when}.`,
    newOwn: 'Wenn Sie das waren, ist nichts zu tun.',
    newOther:
      'Wenn nicht, kann jemand dieses Postfach lesen. Sichern Sie es zuerst; melden Sie sich dann wie gewohnt an, sehen Sie in Ihrem Konto nach, wo Sie angemeldet sind, und melden Sie das Gerät dort ab.',
    other: 'Falls Sie das nicht waren, geschieht nichts, solange Sie den Code niemandem geben. Wir fragen nie danach.',
  },
}

/** The texts for who reads a mail, and in which language they are. */
function wordsOf(wanted: string, brand: MailBrand) {
  const language = pickLanguage(wanted)
  return { language, brand, t: worded(ourMails[language], brand.texts?.[language]?.mails, mailPlaces) }
}

/** The mail that brings a code, and a link behind it if there is one. */
export function codeMail({ code, link, ...mail }: CodeMail, brand: MailBrand): Mail {
  const { t, ...look } = wordsOf(mail.language, brand)
  const name = line(mail.clientName)
  const device = line(mail.device)
  const byLink = (address: string, minutes: number) => [
    t.codeLife(mail.minutes),
    {
      text: `${t.orLink}\n\n${address}`,
      html: `<p>${escapeHtml(t.orLink)}</p>${buttonOf(address, t.link, brand)}`,
    },
    t.linkLife(minutes),
  ]
  const { confirms } = mail
  return mailOf(
    t.subject(code, name),
    [
      confirms === null ? t.lead(name) : t.leadConfirm(name),
      codeOf(code),
      ...(link === null ? [t.life(mail.minutes)] : byLink(link.address, link.minutes)),
      ...(confirms === null || confirms === '' ? [] : [t.confirms(line(confirms, 200))]),
      ...(device === '' ? [] : [t.from(device)]),
      t.other,
    ],
    look,
  )
}

/** What a notice of a sign-in says. `at` in milliseconds since 1970. */
export interface NoticeMail {
  readonly clientName: string
  readonly at: number
  readonly device: string
  readonly language: string
}

/** The mail after a sign-in on a new device. It has no link: one that looks like it is somebody else's. */
export function noticeMail(mail: NoticeMail, brand: MailBrand): Mail {
  const { t, ...look } = wordsOf(mail.language, brand)
  const name = line(mail.clientName)
  const device = line(mail.device)
  const when = momentOf(mail.at)
  return mailOf(t.newSubject(name), [t.newLead(name), device === '' ? t.newAt(when) : t.newFrom(device, when), t.newOwn, t.newOther], look)
}
