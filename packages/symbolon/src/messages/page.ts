// Texts of the hosted pages, in every language. Words say what happened and what to do next.

import type { ErrorCode } from '@symbolon/protocol'
import type { Language } from './language.ts'
import { type Places, type Wording, worded } from './wording.ts'

/** The texts of the pages. */
export interface PageTexts {
  readonly signIn: string
  readonly signInTo: (name: string) => string
  readonly captchaScript: string
  readonly email: string
  readonly emailHint: string
  readonly sendCode: string
  readonly enterCode: string
  readonly codeSentTo: (email: string) => string
  readonly codeLife: (minutes: number) => string
  readonly code: string
  readonly verify: string
  readonly resend: string
  /** A script counts: it is given `{s}`, where its number goes. */
  readonly resendIn: (seconds: number | '{s}') => string
  readonly otherAddress: string
  readonly linkElsewhere: string
  readonly linkElsewhereHint: string
  readonly linkClient: string
  readonly linkAs: string
  readonly linkStarted: string
  readonly linkNotYou: string
  readonly linkGone: string
  readonly linkGoneHint: string
  readonly verifyHere: string
  readonly choose: string
  readonly chooseHint: string
  readonly limit: string
  readonly limitHint: string
  readonly confirmYou: string
  readonly confirmYouHint: (name: string, email: string) => string
  readonly confirmCodeSentTo: (email: string) => string
  readonly youConfirm: string
  readonly confirm: string
  readonly usePasskey: string
  readonly account: string
  readonly devices: string
  readonly thisDevice: string
  readonly activeNow: string
  readonly lastActive: (when: string) => string
  readonly since: (when: string) => string
  readonly signOut: string
  readonly signOutHere: string
  readonly signOutOthers: string
  readonly signOutOthersSure: string
  readonly yes: string
  readonly signedOut: string
  readonly signInAgain: string
  readonly back: string
  readonly wrong: string
  readonly mailbox: string
  readonly errors: Readonly<Partial<Record<ErrorCode, string>>>
}

/** What stands in braces. */
export const pagePlaces: Places<PageTexts> = {
  signInTo: ['name'],
  codeSentTo: ['email'],
  codeLife: ['minutes'],
  resendIn: ['seconds'],
  confirmYouHint: ['name', 'email'],
  confirmCodeSentTo: ['email'],
  lastActive: ['when'],
  since: ['when'],
}

const en: PageTexts = {
  signIn: 'Sign in',
  signInTo: (name) => `Sign in to ${name}`,
  captchaScript: 'To keep floods of robots away, this page needs JavaScript just now, which is off in this browser.',
  email: 'E-mail address',
  emailHint: 'We send you a code. There is no password.',
  sendCode: 'Send me a code',
  enterCode: 'Enter your code',
  codeSentTo: (email) => `If ${email} can sign in here, a code is on its way to it.`,
  codeLife: (minutes) => `It can be used once, for ${minutes} minutes.`,
  code: 'Code',
  verify: 'Sign in',
  resend: 'Send a new code',
  resendIn: (seconds) => `You can ask for a new code in ${seconds} s.`,
  otherAddress: 'Use another address',
  linkElsewhere: 'Another browser started this',
  linkElsewhereHint: 'Type the code from the same mail there, or here to sign in on this device.',
  linkClient: 'For',
  linkAs: 'As',
  linkStarted: 'Started',
  linkNotYou: 'If you did not start this, close this page. Nothing happens as long as you give the code to nobody.',
  linkGone: 'This link cannot be used any more',
  linkGoneHint: 'It was used, it is too old, or a newer mail took its place. Use the newest mail, or start again.',
  verifyHere: 'Sign in here',
  choose: 'One more step',
  chooseHint: 'This application wants to be surer that it is you. Choose how to show it.',
  limit: 'You are signed in on too many devices',
  limitHint: 'Choose one to sign out. Then you are signed in here.',
  confirmYou: 'Confirm it is you',
  confirmYouHint: (name, email) => `You are signed in to ${name} as ${email}. To go on, show that it is still you.`,
  confirmCodeSentTo: (email) => `A code is on its way to ${email}.`,
  youConfirm: 'What you confirm',
  confirm: 'Confirm',
  usePasskey: 'Use a passkey',
  account: 'Your account',
  devices: 'Where you are signed in',
  thisDevice: 'this device',
  activeNow: 'active now',
  lastActive: (when) => `last active ${when}`,
  since: (when) => `signed in ${when}`,
  signOut: 'Sign out',
  signOutHere: 'Sign out here',
  signOutOthers: 'Sign out everywhere else',
  signOutOthersSure: 'Every other device will have to sign in again.',
  yes: 'Yes, sign them out',
  signedOut: 'You are signed out',
  signInAgain: 'Sign in again',
  back: 'Back',
  wrong: 'That did not work',
  mailbox: 'Development: codes appear in the mailbox',
  errors: {
    invalid_identifier: 'That does not look like an e-mail address. Check it and try again.',
    login_failed: 'That code is wrong, used or too old. Check it, or ask for a new one.',
    rate_limited: 'Too many tries. Please wait a little.',
    cross_site_request: 'This form came from another site. Open the page again and retry.',
    invalid_return_to: 'The address you came from is not on the list of this application. Go back to it and start again.',
    unsupported_method: 'What is asked for cannot be shown here in any way that you have set up. Go back to the application.',
    captcha_required: 'Please press the button once more.',
    session_limit: 'You are signed in on too many devices. Sign out on one of them first.',
    cookie_conflict: 'Your browser sent two cookies of the same name. Delete the cookies of this site and try again.',
    try_later: 'This cannot be done right now. Please try again shortly.',
    store_unavailable: 'This cannot be done right now. Please try again shortly.',
    not_found: 'There is nothing at this address.',
  },
}

const de: PageTexts = {
  signIn: 'Anmelden',
  signInTo: (name) => `Bei ${name} anmelden`,
  captchaScript: 'Damit keine Automaten diese Seite fluten, braucht sie gerade JavaScript; in diesem Browser ist es aus.',
  email: 'E-Mail-Adresse',
  emailHint: 'Wir senden Ihnen einen Code. Ein Passwort gibt es nicht.',
  sendCode: 'Code senden',
  enterCode: 'Code eingeben',
  codeSentTo: (email) => `Wenn sich ${email} hier anmelden kann, ist ein Code dorthin unterwegs.`,
  codeLife: (minutes) => `Er gilt einmal, ${minutes} Minuten lang.`,
  code: 'Code',
  verify: 'Anmelden',
  resend: 'Neuen Code senden',
  resendIn: (seconds) => `Einen neuen Code können Sie in ${seconds} s anfordern.`,
  otherAddress: 'Andere Adresse verwenden',
  linkElsewhere: 'Ein anderer Browser hat das begonnen',
  linkElsewhereHint: 'Geben Sie den Code aus derselben Mail dort ein, oder hier, um sich hier anzumelden.',
  linkClient: 'Für',
  linkAs: 'Als',
  linkStarted: 'Begonnen',
  linkNotYou: 'Falls Sie das nicht waren, schließen Sie diese Seite. Es geschieht nichts, solange Sie den Code niemandem geben.',
  linkGone: 'Dieser Link gilt nicht mehr',
  linkGoneHint: 'Er wurde benutzt, ist zu alt, oder eine neuere Mail hat ihn ersetzt. Nehmen Sie die neueste Mail, oder beginnen Sie neu.',
  verifyHere: 'Hier anmelden',
  choose: 'Noch ein Schritt',
  chooseHint: 'Diese Anwendung möchte sicherer sein, dass Sie es sind. Wählen Sie, wie Sie es zeigen.',
  limit: 'Sie sind auf zu vielen Geräten angemeldet',
  limitHint: 'Wählen Sie eines, das abgemeldet wird. Dann sind Sie hier angemeldet.',
  confirmYou: 'Bestätigen Sie, dass Sie es sind',
  confirmYouHint: (name, email) => `Sie sind bei ${name} als ${email} angemeldet. Zeigen Sie, dass noch immer Sie es sind.`,
  confirmCodeSentTo: (email) => `Ein Code ist an ${email} unterwegs.`,
  youConfirm: 'Das bestätigen Sie',
  confirm: 'Bestätigen',
  usePasskey: 'Passkey verwenden',
  account: 'Ihr Konto',
  devices: 'Wo Sie angemeldet sind',
  thisDevice: 'dieses Gerät',
  activeNow: 'gerade aktiv',
  lastActive: (when) => `zuletzt aktiv ${when}`,
  since: (when) => `angemeldet ${when}`,
  signOut: 'Abmelden',
  signOutHere: 'Hier abmelden',
  signOutOthers: 'Überall sonst abmelden',
  signOutOthersSure: 'Alle anderen Geräte müssen sich dann neu anmelden.',
  yes: 'Ja, abmelden',
  signedOut: 'Sie sind abgemeldet',
  signInAgain: 'Wieder anmelden',
  back: 'Zurück',
  wrong: 'Das hat nicht geklappt',
  mailbox: 'Entwicklung: Codes erscheinen im Postfach',
  errors: {
    invalid_identifier: 'Das sieht nicht wie eine E-Mail-Adresse aus. Bitte prüfen und noch einmal versuchen.',
    login_failed: 'Der Code ist falsch, benutzt oder zu alt. Bitte prüfen oder einen neuen anfordern.',
    rate_limited: 'Zu viele Versuche. Bitte warten Sie ein wenig.',
    cross_site_request: 'Dieses Formular kam von einer anderen Seite. Bitte die Seite neu öffnen.',
    invalid_return_to: 'Die Adresse, von der Sie kommen, steht nicht auf der Liste dieser Anwendung.',
    unsupported_method:
      'Was verlangt wird, lässt sich hier auf keinem Weg zeigen, den Sie eingerichtet haben. Gehen Sie zurück zur Anwendung.',
    captcha_required: 'Bitte drücken Sie noch einmal auf den Knopf.',
    session_limit: 'Sie sind auf zu vielen Geräten angemeldet. Melden Sie sich erst auf einem ab.',
    cookie_conflict: 'Ihr Browser hat zwei Cookies desselben Namens gesendet. Bitte die Cookies dieser Seite löschen.',
    try_later: 'Das geht gerade nicht. Bitte versuchen Sie es gleich noch einmal.',
    store_unavailable: 'Das geht gerade nicht. Bitte versuchen Sie es gleich noch einmal.',
    not_found: 'Unter dieser Adresse gibt es nichts.',
  },
}

/** Ours. */
export const ourPages: Readonly<Record<Language, PageTexts>> = { en, de }

/** The texts somebody reads. */
export function pageTexts({ language, texts }: Wording): PageTexts {
  const ours = ourPages[language]
  const own = texts?.[language]
  if (own === undefined) return ours
  return { ...worded(ours, own.pages, pagePlaces), errors: worded(ours.errors, own.errors, {}) }
}
