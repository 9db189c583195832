// What is brought to people, and who brings it: queued in memory, and never waited for by who asked.

/** Something to be brought to a person; `none` for an identifier that gets nothing but must cost the same. */
export type Delivery =
  | {
      readonly kind: 'code'
      readonly to: string
      readonly code: string
      readonly clientName: string
      readonly minutes: number
      /** An address that signs in too, from the browser that asked for it; null where none is sent. */
      readonly link: { readonly address: string; readonly minutes: number } | null
      /** For a step-up: the act that is confirmed, or empty; null for a sign-in. */
      readonly confirms: string | null
      readonly device: string
      readonly language: string
    }
  | {
      /** A sign-in on a device that was not known before. */
      readonly kind: 'notice'
      readonly to: string
      readonly clientName: string
      readonly at: number
      readonly device: string
      readonly language: string
    }
  | {
      /** A passkey of this person was added or removed. */
      readonly kind: 'passkey'
      readonly to: string
      readonly change: 'added' | 'removed'
      readonly at: number
      readonly device: string
      readonly language: string
    }
  | {
      /** The account of this address was deleted. */
      readonly kind: 'deleted'
      readonly to: string
      readonly at: number
      readonly device: string
      readonly language: string
    }
  | {
      /** Somebody who is signed in wants to have this address for their account. */
      readonly kind: 'address_code'
      readonly to: string
      readonly code: string
      readonly minutes: number
      readonly device: string
      readonly language: string
    }
  | {
      /** Somebody wanted this address for an account of theirs; it is another one's. */
      readonly kind: 'address_taken'
      readonly to: string
      readonly at: number
      readonly device: string
      readonly language: string
    }
  | {
      /** Somebody wants to sign in with an address that its account has given up, and may have back. */
      readonly kind: 'address_left'
      readonly to: string
      readonly at: number
      readonly device: string
      readonly language: string
    }
  | {
      /** The account of this address has another one now. */
      readonly kind: 'address_changed'
      readonly to: string
      readonly at: number
      /** An address that puts this one back. */
      readonly undo: { readonly address: string; readonly days: number }
      readonly device: string
      readonly language: string
    }
  | {
      /** The account that this address had come to has its earlier one again. */
      readonly kind: 'address_undone'
      readonly to: string
      readonly at: number
      readonly device: string
      readonly language: string
    }
  | { readonly kind: 'none' }

/**
 * Kinds that tell of what was done in an account. Whoever takes one over must not be able to keep them away: they have room of
 * their own wherever messages wait. The others are those that can be asked for, by anybody or about anybody.
 */
const noticeKinds = ['notice', 'passkey', 'deleted', 'address_changed', 'address_undone'] as const

/** Of one of those kinds. */
export type NoticeDelivery = Extract<Delivery, { readonly kind: (typeof noticeKinds)[number] }>

/** Whether a delivery is a notice. */
export const isNotice = (delivery: Delivery): delivery is NoticeDelivery => (noticeKinds as readonly string[]).includes(delivery.kind)

/** Queues and returns at once; a full queue throws `try_later`. Notices find room where nothing else does. */
export interface Courier {
  queue(delivery: Delivery): void
}
