// The script of the pages that deal in passkeys, which no browser does without one. It is no door: `scripts/page-script.mjs`
// makes one small text of it, which the service serves itself. Nothing on a page needs it but the passkeys.

import { browserSupportsWebAuthn } from '@simplewebauthn/browser'
import { keepPasskeys } from './account.ts'
import { makePasskey } from './enrol.ts'
import { offerPasskeys } from './sign-in.ts'

if (browserSupportsWebAuthn()) {
  const signIn = document.querySelector<HTMLFormElement>('form[data-passkey="sign-in"]')
  if (signIn !== null) offerPasskeys(signIn)
  const enrol = document.querySelector<HTMLFormElement>('form[data-passkey="enrol"]')
  if (enrol !== null) makePasskey(enrol)
  const account = document.querySelector<HTMLElement>('[data-passkey="account"]')
  if (account !== null) keepPasskeys(account)
}
