// Events from the audit log: what was written with a change, in its transaction, is what is told of it. Lines that have no
// row in the table of events are told to nobody.

import type { AuthEvent, EventName } from '@symbolon/protocol'
import type { AuditEntry, RevokeReason } from './model.ts'

type Told<N extends EventName = EventName> = Pick<AuthEvent<N>, 'type' | 'data'>

const text = (value: unknown) => (typeof value === 'string' ? value : '')
const by = ({ detail }: AuditEntry) => text(detail.by) || 'system'
const ofUser = (line: AuditEntry) => ({ user_id: line.userId ?? '', by: by(line) })
const ofPasskey = (line: AuditEntry) => ({ ...ofUser(line), passkey: text(line.detail.passkey) })
const ofSession = ({ userId, sid, clientId }: AuditEntry) => ({ user_id: userId ?? '', sid: sid ?? '', client_id: clientId ?? '' })
const ofClient = (line: AuditEntry) => ({ client_id: line.clientId ?? '', by: by(line) })
const ofKey = (line: AuditEntry) => ({ kid: text(line.detail.kid), by: by(line) })

const updated =
  (change: string) =>
  (line: AuditEntry): Told => ({ type: 'user.updated', data: { ...ofUser(line), change } })
const changed =
  (change: string) =>
  (line: AuditEntry): Told => ({ type: 'client.changed', data: { ...ofClient(line), change } })
const ended =
  (reason: RevokeReason | 'key_gone') =>
  (line: AuditEntry): Told => ({
    type: 'session.ended',
    data: { user_id: line.userId, sid: line.sid, client_id: line.clientId, reason, by: by(line) },
  })

/** What each line of the audit log is told as. */
const tellings: Readonly<Record<string, { readonly type: EventName; readonly tell: (line: AuditEntry) => Told }>> = {
  'user.created': { type: 'user.created', tell: (line) => ({ type: 'user.created', data: ofUser(line) }) },
  'user.roles': { type: 'user.updated', tell: updated('roles') },
  'user.epoch': { type: 'user.updated', tell: updated('epoch') },
  'user.disabled': { type: 'user.disabled', tell: (line) => ({ type: 'user.disabled', data: ofUser(line) }) },
  'user.active': { type: 'user.enabled', tell: (line) => ({ type: 'user.enabled', data: ofUser(line) }) },
  'user.deleted': { type: 'user.deleted', tell: (line) => ({ type: 'user.deleted', data: ofUser(line) }) },
  'user.email': { type: 'user.email_changed', tell: (line) => ({ type: 'user.email_changed', data: ofUser(line) }) },
  'user.email_undone': { type: 'user.email_restored', tell: (line) => ({ type: 'user.email_restored', data: ofUser(line) }) },
  'user.refused': {
    type: 'user.refused',
    tell: ({ clientId, detail }) => ({ type: 'user.refused', data: { client_id: clientId, because: text(detail.because) } }),
  },
  'passkey.added': { type: 'passkey.added', tell: (line) => ({ type: 'passkey.added', data: ofPasskey(line) }) },
  'passkey.removed': { type: 'passkey.removed', tell: (line) => ({ type: 'passkey.removed', data: ofPasskey(line) }) },
  'passkey.counter_back': {
    type: 'passkey.counter_back',
    tell: ({ userId, clientId, detail }) => ({
      type: 'passkey.counter_back',
      data: { user_id: userId ?? '', passkey: text(detail.passkey), client_id: clientId },
    }),
  },
  'session.opened': {
    type: 'session.opened',
    tell: (line) => ({ type: 'session.opened', data: { ...ofSession(line), method: text(line.detail.method) } }),
  },
  'session.stepped_up': {
    type: 'session.stepped_up',
    tell: (line) => ({
      type: 'session.stepped_up',
      data: { ...ofSession(line), method: text(line.detail.method), acr: text(line.detail.acr) },
    }),
  },
  'session.confirmed': {
    type: 'session.confirmed',
    tell: (line) => ({ type: 'session.confirmed', data: { ...ofSession(line), action: text(line.detail.action), by: by(line) } }),
  },
  'session.sign_out': { type: 'session.ended', tell: ended('sign_out') },
  'session.signed_out_elsewhere': { type: 'session.ended', tell: ended('signed_out_elsewhere') },
  'session.admin': { type: 'session.ended', tell: ended('admin') },
  'session.evicted': { type: 'session.ended', tell: ended('evicted') },
  'session.key_gone': { type: 'session.ended', tell: ended('key_gone') },
  'session.restored': { type: 'session.ended', tell: ended('restored') },
  'session.reused': { type: 'session.reused', tell: (line) => ({ type: 'session.reused', data: ofSession(line) }) },
  'session.rolled_back': { type: 'session.rolled_back', tell: (line) => ({ type: 'session.rolled_back', data: ofSession(line) }) },
  'session.recovered': { type: 'session.recovered', tell: (line) => ({ type: 'session.recovered', data: ofSession(line) }) },
  'token.revoked': {
    type: 'token.revoked',
    tell: (line) => ({ type: 'token.revoked', data: { ...ofClient(line), user_id: line.userId, sid: line.sid } }),
  },
  'client.created': { type: 'client.created', tell: (line) => ({ type: 'client.created', data: ofClient(line) }) },
  'client.changed': { type: 'client.changed', tell: changed('settings') },
  'client.epoch': { type: 'client.changed', tell: changed('epoch') },
  'client.secret_rotated': { type: 'client.changed', tell: changed('secret') },
  'client.secret_removed': { type: 'client.changed', tell: changed('secret') },
  'key.created': { type: 'key.created', tell: (line) => ({ type: 'key.created', data: ofKey(line) }) },
  'key.rotated': { type: 'key.rotated', tell: (line) => ({ type: 'key.rotated', data: ofKey(line) }) },
  'key.retired': { type: 'key.retired', tell: (line) => ({ type: 'key.retired', data: ofKey(line) }) },
  'key.revoked': { type: 'key.revoked', tell: (line) => ({ type: 'key.revoked', data: ofKey(line) }) },
  'store.restored': { type: 'store.restored', tell: (line) => ({ type: 'store.restored', data: { by: by(line) } }) },
}

/** Names of audit lines that are told as these events; of all that are told, when none is named. */
export function auditNamesOf(names: readonly EventName[]): readonly string[] {
  return Object.keys(tellings).filter((line) => names.length === 0 || names.includes(tellings[line]?.type as EventName))
}

/** The event that an audit line is told as; `undefined` for one that is told to nobody. */
export function eventOf(line: AuditEntry): AuthEvent | undefined {
  const telling = Object.hasOwn(tellings, line.event) ? tellings[line.event] : undefined
  return telling === undefined ? undefined : ({ ...telling.tell(line), timestamp: new Date(line.at).toISOString() } as AuthEvent)
}
