// The development mailbox: mails that were not sent, and one of them as it would be read, as text and as HTML.

import type { HeldMail } from '#messages'
import { type Look, Page, When } from './frame.tsx'

const codeIn = (text: string) => /^ +(\d{6})$/m.exec(text)?.[1]
const linkIn = (text: string) => /^https?:\/\/\S+\/login\/link\?token=[\w-]+$/m.exec(text)?.[0]

/** All of them: newest first, codes large. */
export function MailboxPage(props: { readonly look: Look; readonly mails: readonly HeldMail[] }) {
  return (
    <Page look={props.look} title="Mailbox (development)" apart={true} wide={true} reload={5}>
      <h1>Mailbox</h1>
      <p class="lead">Development only: mails that were not sent. With JavaScript this page looks for new ones by itself.</p>
      <noscript>
        <p class="plain">
          <a href={`${props.look.mount}/dev/mailbox`}>Look again</a>
        </p>
      </noscript>
      {props.mails.length === 0 ? <p>No mail yet.</p> : null}
      {[...props.mails].reverse().map((mail) => (
        <div class="mail" key={mail.id}>
          <span class={codeIn(mail.text) === undefined ? undefined : 'big'}>{codeIn(mail.text) ?? mail.subject}</span>
          <span>{mail.to}</span>
          <span class="about">
            {mail.subject} · <When at={mail.at} /> · <a href={`${props.look.mount}/dev/mailbox/mail?id=${mail.id}`}>Read it</a>
            {linkIn(mail.text) === undefined ? null : (
              <>
                {' · '}
                <a href={linkIn(mail.text)} target="_blank" rel="noreferrer">
                  Open its link
                </a>
              </>
            )}
          </span>
        </div>
      ))}
    </Page>
  )
}

/** One. Its HTML stands in a frame that may run, send and open nothing. */
export function MailPage(props: { readonly look: Look; readonly mail: HeldMail }) {
  const { look, mail } = props
  return (
    <Page look={look} title={mail.subject} apart={true} wide={true}>
      <h1>{mail.subject}</h1>
      <p class="lead who">
        To {mail.to} · <When at={mail.at} />
      </p>
      <h2>HTML</h2>
      <iframe
        class="mail-html"
        title="The mail as HTML"
        sandbox=""
        referrerpolicy="no-referrer"
        src={`${look.mount}/dev/mailbox/html?id=${mail.id}`}
      ></iframe>
      <h2>Text</h2>
      <pre class="mail-text">{mail.text}</pre>
      <p class="plain">
        <a href={`${look.mount}/dev/mailbox`}>All mails</a>
      </p>
    </Page>
  )
}
