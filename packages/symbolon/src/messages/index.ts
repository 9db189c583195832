// The door of the messages: texts of mails and pages, and the choice of a language.

export { type AccountTexts, accountTexts } from './account.ts'
export { type ActivityTexts, activityText, activityTexts } from './activity.ts'
export { type DeletedMail, deletedMail } from './deleted-mail.ts'
export { type Language, languages, pickLanguage } from './language.ts'
export { escapeHtml, type HeldMail, inkOn, type Mail, type MailBrand } from './layout.ts'
export { type CodeMail, codeMail, type NoticeMail, noticeMail } from './mail.ts'
export { ownTextFault, textNames } from './named.ts'
export { type PageTexts, pageTexts } from './page.ts'
export { type PasskeyMail, passkeyMail } from './passkey-mail.ts'
export { type PasskeyTexts, passkeyTexts } from './passkeys.ts'
export type { OwnTexts, Wording } from './wording.ts'
