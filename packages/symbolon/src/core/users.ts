// People: created by an operator or by their first sign-in, found, listed, and changed. A change of roles or status
// grows the user's epoch in the same transaction, so that older access tokens become stale.

import { isUserId, toBase64url } from '@symbolon/protocol'
import type { Users } from './api.ts'
import { normaliseEmail } from './identifier.ts'
import type { Ports, UserChange } from './ports.ts'
import { refuse } from './session.ts'

const role = /^[A-Za-z0-9][A-Za-z0-9:._-]{0,79}$/

/** Whether roles are at most fifty short names without blanks. */
export function areRoles(roles: readonly string[]): boolean {
  return roles.length <= 50 && new Set(roles).size === roles.length && roles.every((name) => role.test(name))
}

/** A new user's id. */
export const newUserId = (random: (bytes: number) => Uint8Array) => `usr_${toBase64url(random(16))}`

/** Creates the users' verbs, but for deletion. */
export function createUsers({
  store,
  crypto,
  observe,
}: Pick<Ports, 'store' | 'crypto' | 'observe'>): Omit<Users, 'remove' | 'changeEmail'> {
  const audit = (event: string, userId: string, by: string) => [{ event, userId, sid: null, clientId: null, ip: null, detail: { by } }]
  const change = async (id: string, wanted: UserChange, event: string, by: string) => {
    if (!isUserId(id)) return refuse('not_found')
    const changed = await store.users.change(id, wanted, audit(event, id, by))
    if (changed === undefined) return refuse('not_found')
    observe({ event: 'user.changed', userId: id, epoch: changed.user.epoch, ended: changed.ended.length })
    return { ok: true as const, user: changed.user, head: changed.head }
  }
  return {
    async create(input, by) {
      const email = normaliseEmail(input.email)
      const roles = input.roles ?? []
      if (email === undefined) return refuse('invalid_identifier')
      if (!areRoles(roles)) return { ok: false, code: 'invalid_request', options: { field: 'roles' } }
      const id = newUserId(crypto.random)
      const user = await store.users.create({ id, email, roles }, audit('user.created', id, by))
      return user === 'conflict' ? refuse('conflict') : { ok: true, user }
    },
    async find(by) {
      if ('id' in by) return isUserId(by.id) ? store.users.find(by) : undefined
      const email = normaliseEmail(by.email)
      return email === undefined ? undefined : store.users.find({ email })
    },
    list: async (after, limit) => store.users.list(after, Math.max(1, Math.min(1000, limit))),
    async change(id, { roles, status }, by) {
      if (roles !== undefined && !areRoles(roles)) return { ok: false, code: 'invalid_request', options: { field: 'roles' } }
      const wanted = { ...(roles !== undefined && { roles }), ...(status !== undefined && { status }) }
      return change(id, wanted, status === undefined ? 'user.roles' : `user.${status}`, by)
    },
    bumpEpoch: (id, by) => change(id, { bump: true }, 'user.epoch', by),
  }
}
