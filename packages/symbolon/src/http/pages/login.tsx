// The sign-in pages: one field at a time. The login id stays in the form, never in an address.

import { pageTexts } from '#messages'
import { type Look, Page, Problem } from './frame.tsx'
import { PasskeyButton } from './passkeys.tsx'

/** What travels through the steps. */
export interface Journey {
  readonly clientId: string
  readonly returnTo: string | null
  readonly formToken: string
}

/** The hidden fields that carry it. */
export function Hidden({ journey }: { readonly journey: Journey }) {
  return (
    <>
      <input type="hidden" name="form_token" value={journey.formToken} />
      <input type="hidden" name="client_id" value={journey.clientId} />
      {journey.returnTo === null ? null : <input type="hidden" name="return_to" value={journey.returnTo} />}
    </>
  )
}

/** In development, where mails go. */
export function Development({ look }: { readonly look: Look }) {
  if (!look.dev) return null
  return (
    <p class="dev">
      <a href={`${look.mount}/dev/mailbox`} target="_blank" rel="noreferrer">
        {pageTexts(look).mailbox}
      </a>
    </p>
  )
}

/** A proof of work as the page's script does it. */
export interface Work {
  readonly challenge: string
  readonly bits: number
}

/** What a page can have done of what is asked; null for what it cannot, such as somebody else's CAPTCHA, and for nothing. */
export const proofOfWork = (asked: Readonly<Record<string, unknown>> | null): Work | null =>
  asked?.type === 'proof_of_work' ? { challenge: String(asked.challenge), bits: Number(asked.bits) } : null

/** Who is signing in. */
export function IdentifierPage(props: {
  readonly look: Look
  readonly journey: Journey
  readonly name: string
  readonly identifier: string
  readonly passkeys: boolean
  /** The proof of work that is wanted with the address. */
  readonly captcha: Work | null
  readonly problem: string | null
}) {
  const { look, journey, problem } = props
  const t = pageTexts(look)
  return (
    <Page look={look} title={t.signInTo(props.name)} apart={true} passkeys={props.passkeys}>
      <h1>{t.signInTo(props.name)}</h1>
      <p class="lead">{t.emailHint}</p>
      <form method="post" action={`${look.mount}/login`} data-work={props.captcha?.challenge} data-bits={props.captcha?.bits}>
        <Hidden journey={journey} />
        {props.captcha === null ? null : (
          <>
            <input type="hidden" name="captcha" />
            <noscript>
              <p class="hint">{t.captchaScript}</p>
            </noscript>
          </>
        )}
        <label for="identifier">{t.email}</label>
        <input
          id="identifier"
          name="identifier"
          type="email"
          autocomplete={props.passkeys ? 'username webauthn' : 'email'}
          autocapitalize="none"
          spellcheck={false}
          required
          autofocus
          maxlength={320}
          value={props.identifier}
          aria-invalid={problem === null ? undefined : 'true'}
          aria-describedby="problem"
        />
        <Problem text={problem} />
        <button class="primary" type="submit">
          {t.sendCode}
        </button>
      </form>
      {props.passkeys ? (
        <PasskeyButton look={look} action={`${look.mount}/login/code`} asked={{ clientId: journey.clientId }}>
          <Hidden journey={journey} />
        </PasskeyButton>
      ) : null}
      <Development look={look} />
    </Page>
  )
}

/** Where a code is typed, and what was wrong with it. `focus`: whether one begins there. */
export function CodeField({
  look,
  problem,
  focus = true,
}: {
  readonly look: Look
  readonly problem: string | null
  readonly focus?: boolean
}) {
  const t = pageTexts(look)
  return (
    <>
      <label for="code">{t.code}</label>
      <input
        id="code"
        name="code"
        class="code"
        inputmode="numeric"
        autocomplete="one-time-code"
        pattern="[0-9 ]*"
        required
        autofocus={focus}
        maxlength={20}
        aria-invalid={problem === null ? undefined : 'true'}
        aria-describedby="problem"
      />
      <Problem text={problem} />
    </>
  )
}

/** The code that was sent. `resendIn` in seconds. */
export function CodePage(props: {
  readonly look: Look
  readonly journey: Journey
  readonly loginId: string
  readonly identifier: string
  readonly minutes: number
  readonly resendIn: number
  readonly problem: string | null
}) {
  const { look, journey, problem } = props
  const t = pageTexts(look)
  const back = new URLSearchParams({ client_id: journey.clientId, ...(journey.returnTo !== null && { return_to: journey.returnTo }) })
  return (
    <Page look={look} title={t.enterCode} apart={true}>
      <h1>{t.enterCode}</h1>
      <p class="lead who">
        {t.codeSentTo(props.identifier)} {t.codeLife(props.minutes)}
      </p>
      <form method="post" action={`${look.mount}/login/code`}>
        <Hidden journey={journey} />
        <input type="hidden" name="login_id" value={props.loginId} />
        <CodeField look={look} problem={problem} />
        <button class="primary" type="submit">
          {t.verify}
        </button>
      </form>
      <div class="row">
        <form method="post" action={`${look.mount}/login/resend`}>
          <Hidden journey={journey} />
          <input type="hidden" name="login_id" value={props.loginId} />
          <button class="quiet" type="submit" data-until={String(props.resendIn)} data-waiting={t.resendIn('{s}')}>
            {t.resend}
          </button>
        </form>
        <a class="quiet-link" href={`${look.mount}/login?${back}`}>
          {t.otherAddress}
        </a>
      </div>
      <Development look={look} />
    </Page>
  )
}
