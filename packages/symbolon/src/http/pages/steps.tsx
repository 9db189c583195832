// The pages of a sign-in after something was proven, one for each thing that can be wanted then: another factor, one of
// several, one to be set up, or a session that has to end. Each keeps how it is carried on in its form.

import type { LoginStepAnswer } from '@symbolon/protocol'
import type { Child } from 'hono/jsx'
import type { LoginStep } from '#core'
import { pageTexts, passkeyTexts } from '#messages'
import { stepView } from '../views.ts'
import { type Look, Page, Problem, When } from './frame.tsx'
import { Hidden, type Journey } from './login.tsx'
import { PasskeyButton } from './passkeys.tsx'

/** What carries a step: a journey and its login id, or the cookie of a link, with the form's own proof. */
export type StepForm = { readonly action: string } & (
  | { readonly journey: Journey; readonly loginId: string }
  | { readonly formToken: string }
)

function Carried({ form }: { readonly form: StepForm }) {
  if ('formToken' in form) return <input type="hidden" name="form_token" value={form.formToken} />
  return (
    <>
      <Hidden journey={form.journey} />
      <input type="hidden" name="login_id" value={form.loginId} />
    </>
  )
}

/** There is no room for one more session: which one ends. */
function LimitPage(props: {
  readonly look: Look
  readonly form: StepForm
  readonly sessions: NonNullable<LoginStepAnswer['sessions']>
  readonly problem: string | null
}) {
  const { look, form, sessions } = props
  const t = pageTexts(look)
  return (
    <Page look={look} title={t.limit} apart={true}>
      <h1>{t.limit}</h1>
      <p class="lead">{t.limitHint}</p>
      <Problem text={props.problem} apart={true} />
      <ul class="devices">
        {sessions.map((session) => (
          <li key={session.sid}>
            <div>
              <b>
                <span class="dot open" aria-hidden="true"></span>
                {session.device}
              </b>
              <span class="about">
                {t.lastActive('').trim()} <When at={session.last_seen_at} />
              </span>
            </div>
            <form method="post" action={form.action}>
              <Carried form={form} />
              <input type="hidden" name="end" value={session.sid} />
              <button class="outline" type="submit" aria-label={`${t.signOut}: ${session.device}`}>
                {t.signOut}
              </button>
            </form>
          </li>
        ))}
      </ul>
    </Page>
  )
}

/** The question to a browser in a step that waits for a passkey, as JSON; undefined for any other step. */
export const passkeyAsked = ({ state, methods, challenge }: Pick<LoginStep, 'state' | 'methods' | 'challenge'>): string | undefined =>
  state === 'challenge' && methods[0] === 'passkey'
    ? JSON.stringify((challenge as { readonly public_key?: unknown } | null)?.public_key)
    : undefined

/** The same in a step that has one made. */
const enrolAsked = ({ state, challenge }: Pick<LoginStep, 'state' | 'challenge'>): string | undefined =>
  state === 'enrol' ? JSON.stringify((challenge as { readonly public_key?: unknown } | null)?.public_key) : undefined

/** What the button of each way says. */
export const wayText = (look: Look, method: string): string => {
  const { usePasskey, sendCode } = pageTexts(look)
  return { passkey: usePasskey, email_otp: sendCode }[method] ?? method
}

/** Buttons for ways to go on, in the order in which they are offered. */
export function Ways({ look, methods }: { readonly look: Look; readonly methods: readonly string[] }) {
  return (
    <>
      {methods.map((method, at) => (
        <button key={method} class={at === 0 ? 'primary' : 'outline full'} type="submit" name="method" value={method}>
          {wayText(look, method)}
        </button>
      ))}
    </>
  )
}

/** Something was proven, more is wanted, and there are several ways to show it. */
function ChoosePage(props: {
  readonly look: Look
  readonly form: StepForm
  readonly methods: readonly string[]
  readonly problem: string | null
}) {
  const { look, form } = props
  const t = pageTexts(look)
  return (
    <Page look={look} title={t.choose} apart={true}>
      <h1>{t.choose}</h1>
      <p class="lead">{t.chooseHint}</p>
      <form method="post" action={form.action}>
        <Carried form={form} />
        <Problem text={props.problem} apart={true} />
        <Ways look={look} methods={props.methods} />
      </form>
    </Page>
  )
}

/** Something was proven, a passkey is wanted as well, and there is none. `options`: JSON for the browser. */
function EnrolPage(props: { readonly look: Look; readonly form: StepForm; readonly options: string; readonly failed: boolean }) {
  const { look, form } = props
  const t = passkeyTexts(look)
  return (
    <Page look={look} title={t.enrol} apart={true} passkeys={true}>
      <h1>{t.enrol}</h1>
      <p class="lead">{t.enrolHint}</p>
      <form
        method="post"
        action={form.action}
        hidden
        data-passkey="enrol"
        data-options={props.options}
        data-failed={t.failed}
        data-there={t.there}
      >
        <Carried form={form} />
        <input type="hidden" name="response" />
        <button class="primary" type="button">
          {t.enrolDo}
        </button>
      </form>
      <Problem text={props.failed ? t.failed : null} apart={true} />
      <noscript>
        <p class="hint">{t.needScript}</p>
      </noscript>
    </Page>
  )
}

/** Something was proven, and a passkey is wanted as well. `options`: JSON for the browser. */
function PasskeyPage(props: { readonly look: Look; readonly form: StepForm; readonly options: string }) {
  const { look, form } = props
  const t = passkeyTexts(look)
  return (
    <Page look={look} title={t.second} apart={true} passkeys={true}>
      <h1>{t.second}</h1>
      <p class="lead">{t.secondHint}</p>
      <PasskeyButton look={look} action={form.action} asked={{ options: props.options }}>
        <Carried form={form} />
      </PasskeyButton>
      <Problem text={null} />
      <noscript>
        <p class="hint">{t.needScript}</p>
      </noscript>
    </Page>
  )
}

/** The page of a step; undefined where pages have none. `problem`: what went wrong before, to be shown beside it. */
export function stepPage(look: Look, form: StepForm, step: LoginStep, problem: string | null): Child | undefined {
  const asked = passkeyAsked(step)
  if (asked !== undefined) return <PasskeyPage look={look} form={form} options={asked} />
  const making = enrolAsked(step)
  if (making !== undefined) return <EnrolPage look={look} form={form} options={making} failed={problem !== null} />
  const { state, methods = [], sessions = [] } = stepView(step)
  if (state === 'choose') return <ChoosePage look={look} form={form} methods={methods} problem={problem} />
  if (state === 'limit') return <LimitPage look={look} form={form} sessions={sessions} problem={problem} />
  return undefined
}
