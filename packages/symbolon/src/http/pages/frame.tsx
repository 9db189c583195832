// The frame of every page: head, mark or logo, one card.

import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import type { Wording } from '#messages'
import type { Brand } from '../parts.ts'

/** What a frame needs to know. `style`: the sheet itself, so that one answer is enough to paint. `assets`: the addresses of scripts, which name their content. */
export interface Look extends Wording {
  readonly brand: Brand
  readonly mount: string
  readonly dev: boolean
  readonly style: string
  readonly assets: { readonly script: string; readonly passkeys: string }
}

/** The mark: a round token broken in two; apart without a session, together with one. */
export function Mark({ apart }: { readonly apart: boolean }) {
  return (
    <svg class={apart ? 'mark apart' : 'mark'} viewBox="0 0 44 44" aria-hidden="true" focusable="false">
      <path class="left" d="M22 3A19 19 0 0 0 22 41L19 33L24 26L18 19L23 11Z" />
      <path class="right" d="M22 3A19 19 0 0 1 22 41L19 33L24 26L18 19L23 11Z" />
    </svg>
  )
}

/** A form's proof of where it was shown. */
export function Token({ value }: { readonly value: string }) {
  return <input type="hidden" name="form_token" value={value} />
}

/** What was wrong, beside the field that names it; `apart`: where it has no field, and is begun at itself. */
export function Problem({ text, apart = false }: { readonly text: string | null; readonly apart?: boolean }) {
  return apart ? (
    <p id="problem" class="problem" role="alert" tabindex={-1} autofocus={text !== null}>
      {text ?? ''}
    </p>
  ) : (
    <p id="problem" class="problem" role="alert">
      {text ?? ''}
    </p>
  )
}

/** A time: in UTC, and where there is JavaScript in the person's own. */
export function When({ at }: { readonly at: string }) {
  return <time datetime={at}>{at.replace('T', ' ').replace(/:\d\d\.\d+Z$/, ' UTC')}</time>
}

/** A whole page. */
export function Page(props: {
  readonly look: Look
  readonly title: string
  readonly apart: boolean
  readonly wide?: boolean
  readonly reload?: number
  /** Whether its script for passkeys comes along. */
  readonly passkeys?: boolean
  readonly children?: Child
}) {
  const { look, title } = props
  const { brand } = look
  return (
    <html lang={look.language}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="robots" content="noindex" />
        <title>{title}</title>
        <style>{raw(look.style)}</style>
        <link rel="icon" href="data:," />
        <script src={look.assets.script} defer></script>
        {props.passkeys === true ? <script src={look.assets.passkeys} defer></script> : null}
      </head>
      <body data-reload={props.reload === undefined ? undefined : String(props.reload)}>
        <main class={props.wide === true ? 'wide' : undefined}>
          <div class="card">
            {brand.logo === undefined ? <Mark apart={props.apart} /> : <img class="logo" src={brand.logo} alt={brand.name ?? ''} />}
            {props.children}
          </div>
        </main>
      </body>
    </html>
  )
}
