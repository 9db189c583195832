// Signing in by a passkey: by its button, or where the browser offers it in the field of the address. What the passkey
// says goes to the service in a form, like everything else on these pages; what comes of it is a page.

import { browserSupportsWebAuthnAutofill, type PublicKeyCredentialRequestOptionsJSON, startAuthentication } from '@simplewebauthn/browser'
import { isCancelled, post, say } from './service.ts'

interface Started {
  readonly login_id: string
  readonly challenge: { readonly public_key: PublicKeyCredentialRequestOptionsJSON }
}

/** Shows the button of a form, and listens. */
export function offerPasskeys(form: HTMLFormElement): void {
  const { start = '', client = '', failed, limited } = form.dataset
  const problem = document.querySelector('#problem')
  const button = form.querySelector('button')
  const field = document.querySelector<HTMLInputElement>('input[autocomplete~="webauthn"]')
  let held: { readonly started: Started; readonly until: number } | undefined

  /** A challenge that lives on for a while; asked for when it is first needed, so that looking at the page costs nothing. */
  const challenge = async (): Promise<Started | undefined> => {
    if (held !== undefined && Date.now() < held.until) return held.started
    const answer = await post<Started>(start, { method: 'passkey', client_id: client })
    if (!answer.ok) {
      say(problem, answer.code === 'rate_limited' ? limited : failed)
      return undefined
    }
    const started = answer.body
    held = { started, until: Date.now() + 240_000 }
    return started
  }
  const ask = async (useBrowserAutofill: boolean) => {
    const started = await challenge()
    if (started === undefined) return
    try {
      const response = await startAuthentication({ optionsJSON: started.challenge.public_key, useBrowserAutofill })
      held = undefined
      const fill = (name: string, value: string) => {
        const input = form.elements.namedItem(name)
        if (input instanceof HTMLInputElement) input.value = value
      }
      fill('login_id', started.login_id)
      fill('response', JSON.stringify(response))
      form.submit()
    } catch (error) {
      if (!isCancelled(error)) say(problem, failed)
      // Called off by the person: the field offers them again.
      else if (!useBrowserAutofill && field !== null && (await browserSupportsWebAuthnAutofill())) void ask(true)
    }
  }

  form.hidden = false
  button?.addEventListener('click', () => {
    say(problem, '')
    void ask(false)
  })
  // The browser lists passkeys in the field from then on. Begun by the first sign of a person: what only loads pages costs nothing.
  const signs = ['pointermove', 'pointerdown', 'touchstart', 'keydown']
  const offer = async () => {
    for (const sign of signs) document.removeEventListener(sign, noticed)
    if (await browserSupportsWebAuthnAutofill()) await ask(true)
  }
  const noticed = () => void offer()
  if (field !== null) for (const sign of signs) document.addEventListener(sign, noticed, { passive: true })
}
