// What is sent for a sign-in: a code, and a link beside it where the client's policy and its browser allow one. Everybody
// costs the same reads and one delivery, whether something leaves or not; the answer never waits for it.

import { routes } from '@symbolon/protocol'
import type { Caller } from '../answers.ts'
import { isMail } from '../factors/email.ts'
import type { SentFactor } from '../factors/factor.ts'
import type { Attempt, Client, ClientPolicy, User } from '../model.ts'
import type { Delivery } from '../ports.ts'
import { actionOf } from './action.ts'
import type { Attempts } from './attempt.ts'
import type { LoginParts } from './parts.ts'

/** An attempt that a message is for, and where it goes. `userId`: null while nobody has proven who they are. */
export type MessagePlace = Pick<Attempt, 'idHash' | 'purpose' | 'bindingHash' | 'action' | 'userId'> & {
  readonly client: Client
  readonly to: string
}

/** The sending half of a service. */
export type Sending = ReturnType<typeof createSending>

/** Creates what makes and sends messages. */
export function createSending(
  { ports, policyOf, hooks, options }: Pick<LoginParts, 'ports' | 'policyOf' | 'hooks' | 'options'>,
  attempts: Attempts,
) {
  const { store, crypto } = ports

  /** Whether this person gets a message at all. Decided from reads that everybody costs. */
  const mayReceive = (factor: SentFactor, user: User | undefined, policy: ClientPolicy) =>
    user === undefined ? isMail(factor) && policy.signUp === 'open' : user.status === 'active'

  /** Whose message it is. Of who is known already, only while it is still where they are reached. */
  const receiverOf = async (factor: SentFactor, { to, userId }: MessagePlace): Promise<User | 'moved' | undefined> => {
    if (userId === null) return isMail(factor) ? store.users.find({ email: to }) : factor.first?.find?.(to)
    const user = await store.users.find({ id: userId })
    return user !== undefined && (await factor.addressOf(user)) === to ? user : 'moved'
  }
  return {
    /** What budgets of an account are kept under. */
    accountOf(identifier: string) {
      for (const factor of attempts.factors)
        if (factor.kind === 'sent' && factor.first?.identify(identifier) === identifier) return factor.first.account(identifier)
      return identifier
    },
    /** A new code for an attempt; `send` queues it. */
    newMessage(factor: SentFactor, place: MessagePlace) {
      const { client, to } = place
      const code = factor.newCode(crypto)
      // Only a browser can come back to where it started; and what is confirmed is read where the code is given. The host is the issuer's, whatever a request says.
      const signsIn = place.purpose === 'sign_in'
      const allowed =
        signsIn &&
        isMail(factor) &&
        factor.link !== null &&
        place.bindingHash !== null &&
        policyOf(client).methods.includes(factor.link.method)
      const link = allowed ? attempts.newLink(place.idHash) : null
      const address = link === null ? null : `${options.issuer}${routes.loginLink}?token=${link.token}`
      return {
        codeHash: attempts.codeHashes(place, code)[0] as Uint8Array,
        linkHash: link?.hash ?? null,
        async send(caller: Caller) {
          const [receiver, leftAt] = await Promise.all([receiverOf(factor, place), store.addresses.leftAt(to)])
          const user = receiver === 'moved' ? undefined : receiver
          const language = caller.language ?? 'en'
          const confirms = signsIn ? null : place.action === null ? '' : actionOf(place.action).text
          const message = { code, link: address, confirms, clientName: client.name, device: caller.device ?? '', language }
          const delivery: Delivery =
            user === undefined && leftAt !== undefined
              ? // Whoever it was taken from hears how to have it back, instead of a code that opens nothing.
                { kind: 'address_left', to, at: leftAt, device: message.device, language }
              : receiver !== 'moved' && mayReceive(factor, user, policyOf(client))
                ? factor.deliver(to, message)
                : { kind: 'none' }
          hooks.send(delivery, { clientId: client.id, userId: user?.id ?? null, language })
        },
      }
    },
  }
}
