// The page behind a link: where it was started, one press is enough; in any other browser it says where, when and on which
// device that was, and takes the code of the same mail. The link's token stands in a cookie, never in this page.

import { pageTexts } from '#messages'
import { type Look, Page, Problem, When } from './frame.tsx'
import { CodeField } from './login.tsx'

/** The page. `startedAt` is ISO 8601. */
export function LinkPage(props: {
  readonly look: Look
  readonly formToken: string
  readonly here: boolean
  readonly name: string
  readonly identifier: string
  readonly device: string
  /** From where; null where that is not known. */
  readonly ip: string | null
  readonly startedAt: string
  readonly problem: string | null
}) {
  const { look, here, problem } = props
  const t = pageTexts(look)
  const title = here ? t.signInTo(props.name) : t.linkElsewhere
  return (
    <Page look={look} title={title} apart={true}>
      <h1>{title}</h1>
      {here ? null : <p class="lead">{t.linkElsewhereHint}</p>}
      <dl class="facts">
        <dt>{t.linkClient}</dt>
        <dd>{props.name}</dd>
        <dt>{t.linkAs}</dt>
        <dd class="who">{props.identifier}</dd>
        <dt>{t.linkStarted}</dt>
        <dd>
          {props.device} · {props.ip === null ? '' : `${props.ip} · `}
          <When at={props.startedAt} />
        </dd>
      </dl>
      <form method="post" action={`${look.mount}/login/link`}>
        <input type="hidden" name="form_token" value={props.formToken} />
        {here ? <Problem text={problem} /> : <CodeField look={look} problem={problem} focus={problem !== null} />}
        <button class="primary" type="submit">
          {here ? t.verify : t.verifyHere}
        </button>
      </form>
      <p class="hint">{t.linkNotYou}</p>
    </Page>
  )
}
