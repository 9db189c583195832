// Behind a sign-in: whether somebody who has no passkey wants one. Nothing waits for the answer: they are signed in.

import { passkeyTexts } from '#messages'
import { type Look, Page } from './frame.tsx'
import { Hidden, type Journey } from './login.tsx'

/** The page. `rpId`: the relying party, for the keychain. */
export function OfferPage(props: { readonly look: Look; readonly journey: Journey; readonly rpId: string }) {
  const { look, journey } = props
  const { mount } = look
  const t = passkeyTexts(look)
  const api = `${mount}/v1/account/passkeys`
  return (
    <Page look={look} title={t.offer} apart={true} passkeys={true}>
      <h1>{t.offer}</h1>
      <p class="lead">{t.offerHint}</p>
      <section
        data-passkey="account"
        data-start={`${api}/start`}
        data-finish={`${api}/finish`}
        data-again={`${mount}/account`}
        data-rp={props.rpId}
        data-failed={t.failed}
        data-there={t.there}
        data-full={t.full}
      >
        <button class="primary" type="button" data-passkey="add" hidden>
          {t.add}
        </button>
        <p class="problem" role="alert"></p>
        <noscript>
          <p class="hint">{t.needScript}</p>
        </noscript>
      </section>
      <form method="post" action={`${mount}/login/offer`}>
        <Hidden journey={journey} />
        <button class="outline full" type="submit">
          {t.later}
        </button>
      </form>
    </Page>
  )
}
