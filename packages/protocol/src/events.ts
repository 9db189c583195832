// What Symbolon tells applications of, in one table: each event's name, when it comes, and what it says. Docs, senders and
// receivers read it here. An event holds ids and words: never a credential or a code; an address only if a target asked for it.

/** What a field of an event holds. */
export type EventField = 'text' | 'text or null' | 'number'

/** One row of the table of events. */
export interface EventRow {
  readonly when: string
  readonly data: Readonly<Record<string, EventField>>
}

const table = {
  // people
  'user.created': {
    when: 'A user was created: by an operator, or by the first sign-in.',
    data: { user_id: 'text', by: 'text' },
  },
  'user.updated': {
    when: 'What a user may do changed, and older access tokens are stale. `change`: `roles`, or `epoch` when something outside of Symbolon changed.',
    data: { user_id: 'text', change: 'text', by: 'text' },
  },
  'user.disabled': { when: 'A user was disabled, and every session of theirs ended.', data: { user_id: 'text', by: 'text' } },
  'user.enabled': { when: 'A disabled user was enabled again.', data: { user_id: 'text', by: 'text' } },
  'user.email_changed': {
    when: 'The address of a user changed: by themselves, who proved the new one, and every other session of theirs ended; or by an operator, and every session ended. Older access tokens are stale.',
    data: { user_id: 'text', by: 'text' },
  },
  'user.email_restored': {
    when: 'A change of address was undone by the link in the mail to the earlier one (`by`: `mail`): every session ended, and passkeys added since the day before that change are gone.',
    data: { user_id: 'text', by: 'text' },
  },
  'user.deleted': {
    when: 'A user was deleted, by themselves or by an operator, and every session of theirs ended. Whoever comes with their address is somebody new, with an id of their own.',
    data: { user_id: 'text', by: 'text' },
  },
  'user.refused': {
    when: 'Somebody proved an address, and the application refused to make a user of them. `because`: `denied`, or how its hook failed.',
    data: { client_id: 'text or null', because: 'text' },
  },

  // what people sign in with
  'passkey.added': { when: 'Somebody added a passkey to their account.', data: { user_id: 'text', passkey: 'text', by: 'text' } },
  'passkey.removed': { when: 'A passkey was removed.', data: { user_id: 'text', passkey: 'text', by: 'text' } },
  'passkey.counter_back': {
    when: 'A passkey was refused because its counter went back: a copy of its key may be about.',
    data: { user_id: 'text', passkey: 'text', client_id: 'text or null' },
  },

  // sessions
  'session.opened': {
    when: 'Somebody signed in.',
    data: { user_id: 'text', sid: 'text', client_id: 'text', method: 'text' },
  },
  'session.stepped_up': {
    when: 'The person behind a session proved again who they are; it has another credential from then on.',
    data: { user_id: 'text', sid: 'text', client_id: 'text', method: 'text', acr: 'text' },
  },
  'session.confirmed': {
    when: 'A confirmation of one act was taken, by whoever carries the act out. `action`: the kind of act.',
    data: { user_id: 'text', sid: 'text', client_id: 'text', action: 'text', by: 'text' },
  },
  'session.ended': {
    when: 'A session was ended. Without `sid`: all of this user (but the one that asked, when `reason` is `signed_out_elsewhere`), of this client, or, with neither, all there were.',
    data: { user_id: 'text or null', sid: 'text or null', client_id: 'text or null', reason: 'text', by: 'text' },
  },
  'session.reused': {
    when: 'An old copy of a credential was used: theft, most likely. The session ended.',
    data: { user_id: 'text', sid: 'text', client_id: 'text' },
  },
  'session.rolled_back': {
    when: 'A credential was used that is newer than the store knows: the store went back in time. The session ended.',
    data: { user_id: 'text', sid: 'text', client_id: 'text' },
  },
  'session.recovered': {
    when: 'A refresh went on from a credential whose successor never arrived: a lost answer or, rarely, a thief while the owner is away.',
    data: { user_id: 'text', sid: 'text', client_id: 'text' },
  },
  'token.revoked': {
    when: 'A client revoked a single access token of its own.',
    data: { user_id: 'text or null', sid: 'text or null', client_id: 'text', by: 'text' },
  },

  // clients, keys, the store
  'client.created': { when: 'A client was registered.', data: { client_id: 'text', by: 'text' } },
  'client.changed': {
    when: 'A client changed. `change`: `settings`, `secret` or `epoch`.',
    data: { client_id: 'text', change: 'text', by: 'text' },
  },
  'key.created': { when: 'A signing key was made and published; it does not sign yet.', data: { kid: 'text', by: 'text' } },
  'key.rotated': { when: 'Another signing key signs from now on.', data: { kid: 'text', by: 'text' } },
  'key.retired': { when: 'A signing key left the key set at its time.', data: { kid: 'text', by: 'text' } },
  'key.revoked': { when: 'A signing key was revoked: every token it signed is refused.', data: { kid: 'text', by: 'text' } },
  'store.restored': { when: 'The store was restored from a backup: sessions end, keys are replaced.', data: { by: 'text' } },

  // webhooks themselves
  'webhook.test': { when: 'An operator tries a target (`symbolon webhooks test`); it tells of nothing.', data: { target: 'text' } },
} as const satisfies Record<string, EventRow>

/** The name of an event. */
export type EventName = keyof typeof table

/** The table of events. */
export const events: Readonly<Record<EventName, EventRow>> = table

type Value<F> = F extends 'number' ? number : F extends 'text' ? string : string | null

/** What an event says; `email` and `ip` only for a target that asked for them, and null where there is none. */
export type EventData<N extends EventName> = { readonly [K in keyof (typeof table)[N]['data']]: Value<(typeof table)[N]['data'][K]> } & {
  readonly email?: string | null
  readonly ip?: string | null
}

/** An event as it is told, told apart by `type`. `timestamp`: when what it tells of was committed (RFC 3339). */
export type AuthEvent<N extends EventName = EventName> = {
  readonly [T in N]: { readonly type: T; readonly timestamp: string; readonly data: EventData<T> }
}[N]
