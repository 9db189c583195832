// Making a passkey while signing in: what the device made goes to the service in a form, like everything else on these pages.

import { type PublicKeyCredentialCreationOptionsJSON, startRegistration } from '@simplewebauthn/browser'
import { isCancelled, say } from './service.ts'

/** Shows the button of a form, and listens. */
export function makePasskey(form: HTMLFormElement): void {
  const { options = '{}', failed, there } = form.dataset
  const problem = document.querySelector('#problem')
  const button = form.querySelector('button')
  const optionsJSON = JSON.parse(options) as PublicKeyCredentialCreationOptionsJSON

  const make = async () => {
    say(problem, '')
    try {
      const response = await startRegistration({ optionsJSON })
      const input = form.elements.namedItem('response')
      if (input instanceof HTMLInputElement) input.value = JSON.stringify(response)
      // Once: a second one would be refused, and would stay in the keychain all the same.
      if (button !== null) button.disabled = true
      form.submit()
    } catch (error) {
      if (!isCancelled(error)) say(problem, (error as Error | null)?.name === 'InvalidStateError' ? there : failed)
    }
  }
  form.hidden = false
  button?.addEventListener('click', () => void make())
}
