// What is sent for a sign-in: a code, and a link beside it where the client's policy and its browser allow one. Everybody
// costs one read and one delivery, whether something leaves or not; the answer never waits for it.

import { routes } from '@symbolon/protocol'
import type { Caller } from '../answers.ts'
import type { SentFactor } from '../factors/factor.ts'
import type { Attempt, Client, ClientPolicy, User } from '../model.ts'
import type { Delivery } from '../ports.ts'
import { actionOf } from './action.ts'
import type { Attempts } from './attempt.ts'
import type { LoginParts } from './parts.ts'

/** An attempt that a message is for. */
export type MessagePlace = Pick<Attempt, 'idHash' | 'purpose' | 'bindingHash' | 'action'> & {
  readonly client: Client
  readonly identifier: string
}

/** The sending half of a service. */
export type Sending = ReturnType<typeof createSending>

/** Creates what makes and sends messages. */
export function createSending(
  { ports, policyOf, hooks, options }: Pick<LoginParts, 'ports' | 'policyOf' | 'hooks' | 'options'>,
  attempts: Attempts,
) {
  const { store, crypto } = ports

  /** Whether this person gets a message at all. Decided from one read that everybody costs. */
  const mayReceive = (user: User | undefined, policy: ClientPolicy) =>
    user === undefined ? policy.signUp === 'open' : user.status === 'active'

  return {
    /** What budgets of an account are kept under. */
    accountOf: (identifier: string) => attempts.factors.find((one) => one.kind === 'sent')?.account(identifier) ?? identifier,
    /** A new code for an attempt; `send` queues it. */
    newMessage(factor: SentFactor, place: MessagePlace) {
      const { client, identifier } = place
      const code = factor.newCode(crypto)
      // Only a browser can come back to where it started; and what is confirmed is read where the code is given. The host is the issuer's, whatever a request says.
      const signsIn = place.purpose === 'sign_in'
      const allowed = signsIn && factor.link !== null && place.bindingHash !== null && policyOf(client).methods.includes(factor.link.method)
      const link = allowed ? attempts.newLink(place.idHash) : null
      const address = link === null ? null : `${options.issuer}${routes.loginLink}?token=${link.token}`
      return {
        codeHash: attempts.codeHashes(place, code)[0] as Uint8Array,
        linkHash: link?.hash ?? null,
        async send(caller: Caller) {
          const [user, leftAt] = await Promise.all([store.users.find({ email: identifier }), store.addresses.leftAt(identifier)])
          const language = caller.language ?? 'en'
          const confirms = signsIn ? null : place.action === null ? '' : actionOf(place.action).text
          const message = { code, link: address, confirms, clientName: client.name, device: caller.device ?? '', language }
          const delivery: Delivery =
            user === undefined && leftAt !== undefined
              ? // Whoever it was taken from hears how to have it back, instead of a code that opens nothing.
                { kind: 'address_left', to: identifier, at: leftAt, device: message.device, language }
              : mayReceive(user, policyOf(client))
                ? factor.deliver(identifier, message)
                : { kind: 'none' }
          hooks.send(delivery, { clientId: client.id, userId: user?.id ?? null, language })
        },
      }
    },
  }
}
