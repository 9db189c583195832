// The parts of pages that deal in passkeys: a button to sign in, and the list on the account page. What needs a script is
// hidden until that script shows it; naming and removing need none.

import type { Child } from 'hono/jsx'
import { pageTexts, passkeyTexts } from '#messages'
import type { PasskeyView } from '../views.ts'
import { type Look, Token, When } from './frame.tsx'

/**
 * Signing in by a passkey: a form that the script fills in, around the fields that every form of the way has. With
 * `options` the browser was asked already; else the script asks for a challenge in the client's name.
 */
export function PasskeyButton(props: {
  readonly look: Look
  readonly action: string
  readonly asked: { readonly clientId: string } | { readonly options: string }
  /** What the button says; signing in unless said. */
  readonly label?: string
  readonly children?: Child
}) {
  const { look, asked } = props
  const t = passkeyTexts(look)
  return (
    <form
      method="post"
      action={props.action}
      hidden
      data-passkey="sign-in"
      data-start={`${look.mount}/v1/login/start`}
      data-client={'clientId' in asked ? asked.clientId : undefined}
      data-options={'options' in asked ? asked.options : undefined}
      data-failed={t.signInFailed}
      data-limited={pageTexts(look).errors.rate_limited}
    >
      {props.children}
      <input type="hidden" name="response" />
      {'options' in asked ? null : (
        <>
          <input type="hidden" name="login_id" />
          <p class="or">
            <span>{t.or}</span>
          </p>
        </>
      )}
      <button class={'options' in asked ? 'primary' : 'outline full'} type="button">
        {props.label ?? t.signIn}
      </button>
    </form>
  )
}

/** What the account page knows of passkeys. */
export interface OwnPasskeys {
  readonly passkeys: readonly PasskeyView[]
  readonly rpId: string
  /** The person's user handle; null until there was a passkey. */
  readonly handle: string | null
  /** The levels that this session must reach first, to change them. */
  readonly needs: readonly string[]
}

/** A person's passkeys on the account page. */
export function PasskeyList(props: { readonly look: Look; readonly email: string; readonly own: OwnPasskeys; readonly formToken: string }) {
  const { look, own, formToken } = props
  const { mount } = look
  const t = passkeyTexts(look)
  const api = `${mount}/v1/account/passkeys`
  const stepUp = own.needs.length === 0 ? '' : `&step_up=1&acr_values=${encodeURIComponent(own.needs.join(' '))}`
  return (
    <section
      data-passkey="account"
      data-start={`${api}/start`}
      data-finish={`${api}/finish`}
      data-again={`${mount}/login?return_to=${encodeURIComponent(`${mount}/account`)}${stepUp}`}
      data-rp={own.rpId}
      data-user={own.handle ?? undefined}
      data-ids={own.passkeys.map(({ id }) => id).join(' ')}
      data-name={props.email}
      data-failed={t.failed}
      data-there={t.there}
      data-full={t.full}
    >
      <h2 id="passkeys">{t.title}</h2>
      <p class="hint">{t.about}</p>
      {own.passkeys.length === 0 ? <p>{t.none}</p> : null}
      <ul class="devices" aria-labelledby="passkeys" hidden={own.passkeys.length === 0}>
        {own.passkeys.map((one) => (
          <li key={one.id}>
            <div>
              <b>{one.name}</b>
              <span class="about">
                {one.synced ? t.synced : t.oneDevice} · {t.added} <When at={one.created_at} /> ·{' '}
                {one.last_used_at === null ? (
                  t.neverUsed
                ) : (
                  <>
                    {t.used} <When at={one.last_used_at} />
                  </>
                )}
              </span>
            </div>
            <details class="inline">
              <summary aria-label={`${t.rename}: ${one.name}`}>{t.rename}</summary>
              <form method="post" action={`${mount}/account/passkeys/rename`}>
                <Token value={formToken} />
                <input type="hidden" name="id" value={one.id} />
                <label for={`name-${one.id}`}>{t.name}</label>
                <input class="text" id={`name-${one.id}`} name="name" value={one.name} maxlength={60} required autocomplete="off" />
                <button class="outline" type="submit">
                  {t.save}
                </button>
              </form>
            </details>
            <details class="inline">
              <summary aria-label={`${t.remove}: ${one.name}`}>{t.remove}</summary>
              <p class="hint">{t.removeSure}</p>
              <form method="post" action={`${mount}/account/passkeys/remove`}>
                <Token value={formToken} />
                <input type="hidden" name="id" value={one.id} />
                <button class="outline danger" type="submit">
                  {t.removeYes}
                </button>
              </form>
            </details>
          </li>
        ))}
      </ul>
      <p class="problem" role="alert"></p>
      <button class="outline" type="button" hidden data-passkey="add">
        {t.add}
      </button>
      <noscript>
        <p class="hint">{t.needScript}</p>
      </noscript>
    </section>
  )
}
