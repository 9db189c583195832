// Whether somebody is signed in, with which token, and what the session's record says.

import type { Client } from '@symbolon/client'
import { useCallback, useEffect, useRef, useState } from 'preact/hooks'
import type { RecordAnswer } from './state.ts'
import type { Timeline } from './use-timeline.ts'

/** What is known of the sign-in. `signedIn` undefined: not known yet. */
export interface SignIn {
  readonly signedIn: boolean | undefined
  readonly token: string | null
  readonly record: RecordAnswer | null
  /** Reads the record again; mints if it is time. */
  look(): Promise<void>
  signOut(): Promise<void>
}

/** How often the record is read again while somebody looks, in milliseconds: the token on the screen is then the one in use. */
const pace = 15_000

/** Keeps an eye on it. */
export function useSignIn(client: Client, timeline: Timeline): SignIn {
  const [signedIn, setSignedIn] = useState<boolean | undefined>(undefined)
  const [token, setToken] = useState<string | null>(null)
  const [record, setRecord] = useState<RecordAnswer | null>(null)
  const held = useRef<string | null>(null)

  const forget = useCallback(() => {
    held.current = null
    setToken(null)
    setRecord(null)
    setSignedIn(false)
  }, [])
  const look = useCallback(async () => {
    try {
      await client.getToken()
      const answer = await client.fetch('/play/record')
      // The client minted anew if this token had become stale.
      const fresh = await client.getToken()
      if (held.current !== fresh)
        timeline.say(
          held.current === null ? 'signed in: a token was minted from the session' : 'a new token was minted; the session was asked first',
        )
      held.current = fresh
      setToken(fresh)
      setSignedIn(true)
      if (answer.ok) setRecord((await answer.json()) as RecordAnswer)
      else if (answer.status === 401) await client.session()
    } catch {
      const session = await client.session().catch(() => undefined)
      if (session === null) forget()
    }
  }, [client, timeline, forget])

  useEffect(() => {
    void look()
    const end = client.onChange((state) => {
      if (state.signedIn) void look()
      else if (state.sid === null) forget()
    })
    const timer = setInterval(() => {
      if (held.current !== null && !document.hidden) void look()
    }, pace)
    return () => {
      clearInterval(timer)
      end()
    }
  }, [client, look, forget])

  return {
    signedIn,
    token,
    record,
    look,
    async signOut() {
      await client.signOut().catch(() => {})
      forget()
    },
  }
}
