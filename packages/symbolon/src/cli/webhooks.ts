// `symbolon webhooks`: how targets stand, trying one, sending again what was parked, and a secret to sign with.

import { randomBytes } from 'node:crypto'
import { webhookSecret } from '@symbolon/protocol'
import type { Command } from 'commander'
import type { AuthObject } from '#embed'
import { failure, show, type Terminal, time } from './terminal.ts'
import { common, createVerb, optionsOf } from './verb.ts'

type Target = Awaited<ReturnType<AuthObject['webhooks']['list']>>[number]

const stateOf = ({ configured, failingSince, waiting }: Target) =>
  !configured ? 'not configured' : failingSince !== null ? 'failing' : waiting > 0 ? 'busy' : 'well'

/** What is wrong with targets, a sentence each. */
export const targetFaults = (targets: readonly Target[]): readonly string[] =>
  targets
    .filter(({ failingSince, parked }) => failingSince !== null || parked > 0)
    .map(({ name, failingSince, fault, waiting, parked }) =>
      [
        `${name} ${failingSince === null ? 'is well again' : `fails since ${time(failingSince)} (${fault})`}: ${waiting} wait, ${parked} parked`,
        parked > 0 ? `; when it is mended, send them again by: symbolon webhooks retry ${name}` : '; look at its logs',
      ].join(''),
    )

/** Adds the commands. */
export function addWebhooks(program: Command, terminal: Terminal): void {
  const verb = createVerb(terminal)
  const webhooks = program.command('webhooks').description('targets that are told of events: list, test, retry, secret')
  verb(webhooks, 'list', 'list targets and what waits for them', async (auth, _, options) => {
    const rows = (await auth.webhooks.list()).map((target) => ({
      name: target.name,
      state: stateOf(target),
      waiting: target.waiting,
      parked: target.parked,
      fault: target.fault,
      failing_since: target.failingSince === null ? null : time(target.failingSince),
      delivered: target.deliveredAt === null ? null : time(target.deliveredAt),
    }))
    show(terminal, options, rows, 'No targets. Configure them by webhooks, or SYMBOLON_WEBHOOKS.')
  })
  verb(webhooks, 'test <target>', 'send a target an event that tells of nothing, now', async (auth, [name = ''], options) => {
    const outcome = await auth.webhooks.test(name)
    if (outcome === undefined) throw failure(`There is no target ${name} in the configuration.`)
    if (outcome === 'stopped' || !outcome.ok)
      throw failure(`${name} did not take it: ${outcome === 'stopped' ? 'stopped' : outcome.fault}.${hintOf(outcome)}`)
    show(terminal, options, [{ target: name, status: outcome.status }], '')
  })
  verb(webhooks, 'retry <target>', 'send again what was parked or put off', async (auth, [name = ''], options) => {
    const due = await auth.webhooks.retry(name)
    if (due === undefined) throw failure(`There is no target ${name}.`)
    show(terminal, options, [{ target: name, due }], '')
  })
  const secret = common(webhooks.command('secret').description('make a secret for a target, shown once'))
  secret.action(() => {
    show(terminal, optionsOf(secret), [{ secret: webhookSecret(randomBytes(32)) }], '')
    terminal.err('Put it first among the secrets of its target, and give it to the receiver; it is stored nowhere.')
  })
}

const hintOf = (outcome: Awaited<ReturnType<AuthObject['webhooks']['test']>>) =>
  outcome !== undefined && outcome !== 'stopped' && !outcome.ok && outcome.fault === 'address refused'
    ? ' Its address is not public; if that is meant, say allowPrivate.'
    : ''
