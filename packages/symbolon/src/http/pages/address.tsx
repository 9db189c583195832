// A person's e-mail address: its part of the account page, the code that comes to another one, and the page that puts the
// earlier one back. None of them needs JavaScript.

import { addressTexts, pageTexts } from '#messages'
import { type Look, Page, Problem, Token } from './frame.tsx'
import { CodeField, Development } from './login.tsx'

/** The part of the account page. */
export function AddressSection(props: { readonly look: Look; readonly email: string; readonly formToken: string }) {
  const { look } = props
  const t = addressTexts(look)
  return (
    <section>
      <h2 id="address">{t.title}</h2>
      <p class="who">{props.email}</p>
      <details>
        <summary>{t.change}</summary>
        <p class="hint">{t.hint}</p>
        <AddressForm look={look} formToken={props.formToken} value="" problem={null} />
      </details>
    </section>
  )
}

function AddressForm(props: { readonly look: Look; readonly formToken: string; readonly value: string; readonly problem: string | null }) {
  const { look, problem } = props
  const t = addressTexts(look)
  return (
    <form method="post" action={`${look.mount}/account/email`}>
      <Token value={props.formToken} />
      <label for="email">{t.label}</label>
      <input
        id="email"
        name="email"
        class="text"
        type="email"
        autocomplete="email"
        required
        maxlength={254}
        value={props.value}
        autofocus={problem !== null}
        aria-invalid={problem === null ? undefined : 'true'}
        aria-describedby="problem"
      />
      <Problem text={problem} />
      <button class="outline" type="submit">
        {t.change}
      </button>
    </form>
  )
}

/** What was typed cannot be used: the same form, with why. */
export function AddressPage(props: { readonly look: Look; readonly formToken: string; readonly value: string; readonly problem: string }) {
  const { look } = props
  const t = addressTexts(look)
  return (
    <Page look={look} title={t.change} apart={false}>
      <h1>{t.change}</h1>
      <AddressForm {...props} />
      <p class="plain">
        <a href={`${look.mount}/account`}>{t.back}</a>
      </p>
    </Page>
  )
}

/** The code that was sent to the address. */
export function AddressCodePage(props: {
  readonly look: Look
  readonly formToken: string
  readonly changeId: string
  readonly email: string
  /** How long the code is valid; null once one was tried. */
  readonly minutes: number | null
  readonly problem: string | null
}) {
  const { look, formToken, problem } = props
  const t = addressTexts(look)
  const { resend } = pageTexts(look)
  return (
    <Page look={look} title={t.enter} apart={false}>
      <h1>{t.enter}</h1>
      <p class="lead who">{props.minutes === null ? props.email : t.sentTo(props.email, props.minutes)}</p>
      <form method="post" action={`${look.mount}/account/email/code`}>
        <Token value={formToken} />
        <input type="hidden" name="change_id" value={props.changeId} />
        <input type="hidden" name="email" value={props.email} />
        <CodeField look={look} problem={problem} />
        <button class="primary" type="submit">
          {t.confirm}
        </button>
      </form>
      <div class="row">
        <form method="post" action={`${look.mount}/account/email`}>
          <Token value={formToken} />
          <input type="hidden" name="email" value={props.email} />
          <button class="quiet" type="submit">
            {resend}
          </button>
        </form>
        <a class="quiet-link" href={`${look.mount}/account`}>
          {t.back}
        </a>
      </div>
      <Development look={look} />
    </Page>
  )
}

/** Behind the link in the mail to the earlier address: what pressing does, before anything happens. */
export function UndoPage(props: {
  readonly look: Look
  readonly formToken: string
  readonly email: string
  readonly problem: string | null
}) {
  const { look, problem } = props
  const t = addressTexts(look)
  return (
    <Page look={look} title={t.undo} apart={true}>
      <h1>{t.undo}</h1>
      <p class="lead who">{t.undoHint(props.email)}</p>
      <form method="post" action={`${look.mount}/account/undo`}>
        <Token value={props.formToken} />
        <Problem text={problem} apart={true} />
        <button class="primary" type="submit">
          {t.undoYes}
        </button>
      </form>
    </Page>
  )
}
