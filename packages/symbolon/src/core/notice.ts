// What people are told by mail of what is done in their account (NIST SP 800-63B-4 §4.6). It cannot fail that.

import type { Caller } from './answers.ts'
import type { Hooks } from './hooks.ts'
import type { Delivery, NoticeDelivery, Ports } from './ports.ts'

type Told<D extends NoticeDelivery> = D extends D ? Omit<D, 'at' | 'device' | 'language'> & { readonly at?: number } : never

/** A notice: `at`, in milliseconds since 1970, is now unless said; the device is the caller's. */
export type Notice = Told<NoticeDelivery>

/** Where something was done, and to whom. */
export interface NoticeAbout {
  readonly userId: string
  /** Empty where an operator did it. */
  readonly clientId: string
  readonly caller: Caller | undefined
  readonly sid?: string
}

/** Creates what tells. */
export const createNotices =
  ({ store, observe }: Pick<Ports, 'store' | 'observe'>, hooks: Pick<Hooks, 'send'>) =>
  async (notice: Notice, { userId, clientId, caller, sid }: NoticeAbout): Promise<void> => {
    try {
      const { device = '', language = 'en' } = caller ?? {}
      hooks.send({ ...notice, at: notice.at ?? (await store.now()), device, language } as Delivery, { clientId, userId, language })
    } catch {
      observe({ event: 'notice.dropped', userId, sid: sid ?? null })
    }
  }
