// The pages of a person's e-mail address: begun and confirmed by who is signed in, and put back by whoever has the link in the
// mail to the earlier one. Opening that link changes nothing, however often and by whom: as with a link to sign in, the token
// goes into a cookie of this browser, and the address is left behind.

import { z } from '@hono/zod-openapi'
import { addressTexts, pageTexts } from '#messages'
import { readForm, readQuery } from '../body.ts'
import { giveCookie, type Http, refusal, type Site } from '../context.ts'
import { NoticePage } from '../pages/account.tsx'
import { AddressCodePage, AddressPage, UndoPage } from '../pages/address.tsx'
import { takeAddress } from './account.ts'
import { browserOf } from './login.ts'
import { justNow, own, provenEnough } from './passkeys.ts'
import { ended } from './session.ts'
import { createShowing, expected, expectedOfCode, statusOf } from './showing.ts'

const text = (most: number) => z.string().max(most)
const startForm = z.strictObject({ form_token: text(100), email: text(320) })
const codeForm = z.strictObject({ form_token: text(100), change_id: text(128), email: text(320), code: text(64) })
const undoQuery = z.object({ token: text(200).optional() })
const undoForm = z.strictObject({ form_token: text(100) })
/** Said on the page of the code: it is not the end of the change. */
const told: ReadonlySet<string> = new Set(['conflict', 'denied', 'login_failed', 'rate_limited', 'try_later'])
const tokenForm = /^[A-Za-z0-9_-]{43}$/

/** Creates the routes. */
export function addressRoutes(site: Site) {
  const { mount } = site
  const { core } = site.parts
  const { proof, lookOf, show, ownForm, problemOf, signInFirst, holdToken } = createShowing(site)
  const subject = (browser: string, token: string) => `undo\n${browser}\n${token}`

  const notice = (c: Http, title: string, said: string, status: 200 | 410 = 200) => {
    const look = lookOf(c)
    return show(c, <NoticePage look={look} title={title} text={said} href={`${mount}/login`} link={pageTexts(look).signIn} />, status)
  }
  const showGone = (c: Http) => {
    const t = addressTexts(lookOf(c))
    return notice(c, t.gone, t.goneHint, 410)
  }

  return {
    /** `POST /account/email` */
    start: async (c: Http) => {
      const { form_token, email } = await readForm(c, startForm)
      const look = lookOf(c)
      try {
        const snapshot = await own(c, site)
        const formToken = proof(`account\n${snapshot.session.sid}`)
        ownForm(c, `account\n${snapshot.session.sid}`, form_token)
        const begun = await core.addresses.start(justNow(await provenEnough(site, snapshot)), { email, caller: c.var.caller })
        if (!begun.ok) {
          const error = expected(refusal(begun))
          const problem = error.code === 'invalid_identifier' ? addressTexts(look).invalid : problemOf(c, error.code)
          return show(c, <AddressPage look={look} formToken={formToken} value={email} problem={problem} />, statusOf(error))
        }
        const minutes = Math.max(1, Math.round((begun.expiresAt - snapshot.now) / 60_000))
        const asked = { formToken, changeId: begun.changeId, email: email.trim(), minutes }
        return show(c, <AddressCodePage look={look} {...asked} problem={null} />)
      } catch (error) {
        return signInFirst(c, error)
      }
    },

    /** `POST /account/email/code` */
    code: async (c: Http) => {
      const { form_token, email, ...given } = await readForm(c, codeForm)
      const look = lookOf(c)
      try {
        const snapshot = await provenEnough(site, await own(c, site))
        ownForm(c, `account\n${snapshot.session.sid}`, form_token)
        try {
          await takeAddress(c, site, snapshot, given)
        } catch (error) {
          const failed = expectedOfCode(c, error)
          if (!told.has(failed.code)) throw error
          const { taken, refused } = addressTexts(look)
          const problem = failed.code === 'conflict' ? taken : failed.code === 'denied' ? refused : problemOf(c, failed.code)
          const asked = { formToken: form_token, changeId: given.change_id, email, minutes: null }
          return show(c, <AddressCodePage look={look} {...asked} problem={problem} />, statusOf(failed))
        }
      } catch (error) {
        return signInFirst(c, error)
      }
      return c.redirect(`${mount}/account#address`, 303)
    },

    /** `GET /account/undo`: with the token it only moves it out of the address; without, it shows what pressing does. */
    undo: async (c: Http) => {
      const { token } = readQuery(c, undoQuery)
      if (token !== undefined) return holdToken(c, token, tokenForm, `${mount}/account/undo`)
      const held = c.var.cookies.link ?? ''
      const found = await core.addresses.findUndo(held)
      if (found === undefined) return showGone(c)
      const formToken = proof(subject(browserOf(c, site), held))
      return show(c, <UndoPage look={lookOf(c)} formToken={formToken} email={found.email} problem={null} />)
    },

    /** `POST /account/undo`: pressed. */
    takeUndo: async (c: Http) => {
      const { form_token } = await readForm(c, undoForm)
      const { cookies, caller } = c.var
      const { link: token = '', login = '' } = cookies
      ownForm(c, subject(login, token), form_token)
      const found = await core.addresses.findUndo(token)
      if (found === undefined) return showGone(c)
      const t = addressTexts(lookOf(c))
      const undone = await core.addresses.undo(token, caller)
      if (!undone.ok && undone.code === 'conflict') {
        const again = { formToken: form_token, email: found.email, problem: t.undoTaken }
        return show(c, <UndoPage look={lookOf(c)} {...again} />, 400)
      }
      if (!undone.ok) return showGone(c)
      giveCookie(c, site, 'link', '', 0)
      // Whoever was signed in to it here was signed out with everybody else; who is signed in to another account is not.
      ended(c, site, { head: undone.head, sids: undone.ended }, cookies.session?.slice(4, 26) ?? '')
      return notice(c, t.undone, t.undoneHint(undone.email))
    },
  }
}
