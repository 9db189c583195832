// The pages of a step-up: who is asked, and for which act, before anything is sent; then the code. An act is shown whole, as
// text, in both.

import type { Action } from '#core'
import { pageTexts, passkeyTexts } from '#messages'
import { type Look, Page, Problem } from './frame.tsx'
import { CodeField } from './login.tsx'
import { PasskeyButton } from './passkeys.tsx'
import { Ways } from './steps.tsx'

/** What travels through the steps: the address to return to, what must be reached, and the act. */
export type StepUpFields = Readonly<Record<string, string>>

function Carried({ fields }: { readonly fields: StepUpFields }) {
  return (
    <>
      {Object.entries(fields).map(([name, value]) => (
        <input key={name} type="hidden" name={name} value={value} />
      ))}
    </>
  )
}

/** The act, with everything that it is bound to. */
function Act({ look, action }: { readonly look: Look; readonly action: Action | null }) {
  if (action === null) return null
  const entries = Object.entries(action.parameters).sort(([a], [b]) => (a < b ? -1 : 1))
  return (
    <section class="act" aria-labelledby="act">
      <h2 id="act">{pageTexts(look).youConfirm}</h2>
      <p>{action.text}</p>
      {entries.length === 0 ? null : (
        <dl>
          {entries.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      )}
    </section>
  )
}

/** Who is asked, by whom and for what. Nothing is sent before the button is pressed. */
export function StepUpPage(props: {
  readonly look: Look
  readonly name: string
  readonly email: string
  readonly action: Action | null
  readonly fields: StepUpFields
  /** Ways to go from here. */
  readonly methods: readonly string[]
  readonly problem: string | null
}) {
  const { look, methods, problem } = props
  const t = pageTexts(look)
  const alert = <Problem text={problem} apart={true} />
  return (
    <Page look={look} title={t.confirmYou} apart={false}>
      <h1>{t.confirmYou}</h1>
      <p class="lead who">{t.confirmYouHint(props.name, props.email)}</p>
      <Act look={look} action={props.action} />
      {methods.length === 0 ? (
        <>
          {alert}
          <p class="plain">
            <a href={props.fields.return_to ?? `${look.mount}/account`}>{t.back}</a>
          </p>
        </>
      ) : (
        <form method="post" action={`${look.mount}/login/step-up`}>
          <Carried fields={props.fields} />
          {alert}
          <Ways look={look} methods={methods} />
        </form>
      )}
    </Page>
  )
}

/** The passkey that is asked for. `options`: JSON for the browser. */
export function StepUpKeyPage(props: {
  readonly look: Look
  readonly action: Action | null
  readonly fields: StepUpFields
  readonly options: string
}) {
  const { look } = props
  const t = pageTexts(look)
  return (
    <Page look={look} title={t.confirmYou} apart={false} passkeys={true}>
      <h1>{t.confirmYou}</h1>
      <Act look={look} action={props.action} />
      <PasskeyButton look={look} action={`${look.mount}/login/step-up/code`} asked={{ options: props.options }} label={t.usePasskey}>
        <Carried fields={props.fields} />
      </PasskeyButton>
      <Problem text={null} />
      <noscript>
        <p class="hint">{passkeyTexts(look).needScript}</p>
      </noscript>
    </Page>
  )
}

/** The code that was sent. `resendIn` in seconds. */
export function StepUpCodePage(props: {
  readonly look: Look
  readonly email: string
  readonly minutes: number
  readonly resendIn: number
  readonly action: Action | null
  readonly fields: StepUpFields
  readonly problem: string | null
}) {
  const { look, fields, problem } = props
  const t = pageTexts(look)
  return (
    <Page look={look} title={t.confirmYou} apart={false}>
      <h1>{t.confirmYou}</h1>
      <p class="lead who">
        {t.confirmCodeSentTo(props.email)} {t.codeLife(props.minutes)}
      </p>
      <Act look={look} action={props.action} />
      <form method="post" action={`${look.mount}/login/step-up/code`}>
        <Carried fields={fields} />
        <CodeField look={look} problem={problem} />
        <button class="primary" type="submit">
          {t.confirm}
        </button>
      </form>
      <div class="row">
        <form method="post" action={`${look.mount}/login/step-up/resend`}>
          <Carried fields={fields} />
          <button class="quiet" type="submit" data-until={String(props.resendIn)} data-waiting={t.resendIn('{s}')}>
            {t.resend}
          </button>
        </form>
      </div>
      {look.dev ? (
        <p class="dev">
          <a href={`${look.mount}/dev/mailbox`} target="_blank" rel="noreferrer">
            {t.mailbox}
          </a>
        </p>
      ) : null}
    </Page>
  )
}
