// Passkeys on the account page: adding one, and telling the browser's keychain which are still good here, so that it
// offers none that the service does not know any more (WebAuthn §5.1.10, where a browser has it).

import { type PublicKeyCredentialCreationOptionsJSON, startRegistration } from '@simplewebauthn/browser'
import { isCancelled, post, say } from './service.ts'

interface Started {
  readonly registration_id: string
  readonly public_key: PublicKeyCredentialCreationOptionsJSON
}

/** The signals of WebAuthn Level 3, which not every browser has. */
interface Signals {
  signalUnknownCredential?(options: { readonly rpId: string; readonly credentialId: string }): Promise<void>
  signalAllAcceptedCredentials?(options: {
    readonly rpId: string
    readonly userId: string
    readonly allAcceptedCredentialIds: readonly string[]
  }): Promise<void>
  signalCurrentUserDetails?(options: {
    readonly rpId: string
    readonly userId: string
    readonly name: string
    readonly displayName: string
  }): Promise<void>
}

const signals = () => PublicKeyCredential as unknown as Signals

/** Shows the button of a part of the page, and tells the keychain what stands there. */
export function keepPasskeys(part: HTMLElement): void {
  const { start = '', finish = '', again = '', rp = '', user = '', ids = '', name = '', failed, there, full } = part.dataset
  const problem = part.querySelector('[role="alert"]')
  const button = part.querySelector<HTMLButtonElement>('button[data-passkey="add"]')

  const add = async () => {
    say(problem, '')
    const started = await post<Started>(start, {})
    if (!started.ok) {
      // Only who has just signed in adds a way to sign in.
      if (started.code === 'step_up_required') location.assign(again)
      else say(problem, started.code === 'conflict' ? full : failed)
      return
    }
    const { registration_id, public_key } = started.body
    try {
      const response = await startRegistration({ optionsJSON: public_key })
      const finished = await post<unknown>(finish, { registration_id, response })
      if (finished.ok) return location.reload()
      // The keychain has one now that is good nowhere.
      void signals()
        .signalUnknownCredential?.({ rpId: rp, credentialId: response.id })
        ?.catch(() => {})
      say(problem, failed)
    } catch (error) {
      const name = (error as Error | null)?.name
      if (!isCancelled(error)) say(problem, name === 'InvalidStateError' ? there : failed)
    }
  }

  if (button !== null) {
    button.hidden = false
    button.addEventListener('click', () => void add())
  }
  if (user === '') return
  const accepted = ids === '' ? [] : ids.split(' ')
  void signals()
    .signalAllAcceptedCredentials?.({ rpId: rp, userId: user, allAcceptedCredentialIds: accepted })
    ?.catch(() => {})
  void signals()
    .signalCurrentUserDetails?.({ rpId: rp, userId: user, name, displayName: name })
    ?.catch(() => {})
}
