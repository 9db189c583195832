// What is sent for a sign-in: a code, and a link beside it where the client's policy and its browser allow one. Everybody
// costs one read and one delivery, whether something leaves or not; the answer never waits for it.

import type { Caller } from '../answers.ts'
import type { SentFactor } from '../factors/factor.ts'
import type { Attempt, Client, ClientPolicy, User } from '../model.ts'
import type { Attempts } from './attempt.ts'
import type { LoginParts } from './parts.ts'

/** An attempt that a message is for. */
export type MessagePlace = Pick<Attempt, 'idHash' | 'purpose' | 'bindingHash'> & { readonly client: Client; readonly identifier: string }

/** The sending half of a service. */
export type Sending = ReturnType<typeof createSending>

/** Creates what makes and sends messages. */
export function createSending({ ports, policyOf }: Pick<LoginParts, 'ports' | 'policyOf'>, attempts: Attempts) {
  const { store, crypto, courier } = ports

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
      return {
        codeHash: attempts.codeHashes(place, code)[0] as Uint8Array,
        linkHash: null as string | null,
        async send(caller: Caller) {
          const user = await store.users.find({ email: identifier })
          const message = { code, link: null, clientName: client.name, device: caller.device ?? '', language: caller.language ?? 'en' }
          courier.queue(mayReceive(user, policyOf(client)) ? factor.deliver(identifier, message) : { kind: 'none' })
        },
      }
    },
  }
}
