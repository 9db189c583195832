// Signing in by a passkey: by its button, or where the browser offers it in the field of the address. What the passkey
// says goes to the service in a form, like everything else on these pages; what comes of it is a page.

import { browserSupportsWebAuthnAutofill, type PublicKeyCredentialRequestOptionsJSON, startAuthentication } from '@simplewebauthn/browser'
import { type Answer, isCancelled, post, say } from './service.ts'

interface Started {
  readonly login_id?: string
  readonly challenge: { readonly public_key: PublicKeyCredentialRequestOptionsJSON }
}

/** Shows the button of a form, and listens. */
export function offerPasskeys(form: HTMLFormElement): void {
  const { start = '', client = '', options, failed, limited } = form.dataset
  const problem = document.querySelector('#problem')
  const button = form.querySelector('button')
  const field = document.querySelector<HTMLInputElement>('input[autocomplete~="webauthn"]')
  let held: { readonly started: Promise<Answer<Started>>; readonly until: number } | undefined
  /** How many times the button was pressed: what the field began before that is over. */
  let pressed = 0

  /** A challenge that lives on for a while; asked for when it is first needed, so that looking at the page costs nothing. */
  const challenge = async (): Promise<Answer<Started>> => {
    if (options !== undefined) return { ok: true, body: { challenge: { public_key: JSON.parse(options) } } }
    if (held === undefined || Date.now() >= held.until)
      held = { started: post<Started>(start, { method: 'passkey', client_id: client }), until: Date.now() + 240_000 }
    return held.started
  }
  const ask = async (useBrowserAutofill: boolean) => {
    const turn = pressed
    const started = await challenge()
    if (turn !== pressed) return
    if (!started.ok) {
      held = undefined
      if (!useBrowserAutofill) say(problem, started.code === 'rate_limited' ? limited : failed)
      return
    }
    const { login_id, challenge: asked } = started.body
    try {
      const response = await startAuthentication({ optionsJSON: asked.public_key, useBrowserAutofill })
      // One answer for a challenge: the next press asks for another.
      held = undefined
      if (turn !== pressed) return
      pressed++
      if (login_id !== undefined) fill('login_id', login_id)
      fill('response', JSON.stringify(response))
      form.submit()
    } catch (error) {
      if (turn !== pressed) return
      if (!isCancelled(error)) say(problem, failed)
      // Called off by the person: the field offers them again.
      else if (!useBrowserAutofill && field !== null && (await browserSupportsWebAuthnAutofill())) void ask(true)
    }
  }
  const fill = (name: string, value: string) => {
    const input = form.elements.namedItem(name)
    if (input instanceof HTMLInputElement) input.value = value
  }

  form.hidden = false
  button?.addEventListener('click', () => {
    say(problem, '')
    pressed++
    void ask(false)
  })
  // The browser lists passkeys in the field from then on. Begun by the first sign of a person: what only loads pages costs nothing.
  const signs = ['pointermove', 'pointerdown', 'touchstart', 'keydown']
  const offer = async () => {
    for (const sign of signs) document.removeEventListener(sign, noticed)
    const turn = pressed
    if ((await browserSupportsWebAuthnAutofill()) && turn === pressed) await ask(true)
  }
  const noticed = () => void offer()
  if (field !== null) for (const sign of signs) document.addEventListener(sign, noticed, { passive: true })
}
