// Clients on the command line: applications and services, their secrets, keys and formats.

import { readFileSync } from 'node:fs'
import { type Duration, milliseconds, type PublicJwk, parseDuration } from '@symbolon/protocol'
import type { Command } from 'commander'
import type { AuthObject } from '#embed'
import { failure, Misuse, show, type Terminal } from './terminal.ts'
import { createVerb, granted } from './verb.ts'

type Client = Awaited<ReturnType<AuthObject['clients']['list']>>[number]

const row = (client: Client) => ({
  id: client.id,
  name: client.name,
  transport: client.transport,
  status: client.status,
  audiences: client.audiences,
  scopes: client.scopes,
  origins: client.origins,
  targets: client.policy.targets ?? [],
  format: client.accessTokenFormat,
  lifetime: client.policy.tokenLifetime === undefined ? null : `${client.policy.tokenLifetime / 1000}s`,
  secrets: client.secretHashes.length,
  keys: client.keys.map((key) => key.kid),
})

const listed = (text: string) => text.split(',').filter((one) => one !== '')

/** The keys of a JWK set, or one key (RFC 7517 §5). */
function keysOf(file: string): readonly PublicJwk[] {
  try {
    const read = JSON.parse(readFileSync(file, 'utf8')) as { readonly keys?: readonly PublicJwk[] } & PublicJwk
    return read.keys ?? [read]
  } catch {
    throw failure(`${file} cannot be read as a JWK set.`)
  }
}

/** What an option changes; only what was said. `before`: the policy that a change of a part of it leaves standing. */
function changesOf(options: Readonly<Record<string, string | undefined>>, before: Client['policy'] = {}) {
  const { origins, returnTo, audiences, scopes, keys, format, lifetime, targets } = options
  if (lifetime !== undefined && parseDuration(lifetime) === undefined) throw new Misuse("--lifetime is a duration like '5m'.")
  const policy = {
    ...(lifetime !== undefined && { tokenLifetime: milliseconds(lifetime as Duration) }),
    ...(targets !== undefined && { targets: listed(targets) }),
  }
  if (format !== undefined && format !== 'jwt' && format !== 'opaque') throw new Misuse('--format is jwt or opaque.')
  return {
    ...(origins !== undefined && { origins: listed(origins) }),
    ...(returnTo !== undefined && { returnTo: listed(returnTo) }),
    ...(audiences !== undefined && { audiences: listed(audiences) }),
    ...(scopes !== undefined && { scopes: listed(scopes) }),
    ...(keys !== undefined && { keys: keysOf(keys) }),
    ...(format !== undefined && { accessTokenFormat: format as Client['accessTokenFormat'] }),
    ...(Object.keys(policy).length > 0 && { policy: { ...before, ...policy } }),
  }
}

const withChanges = (command: Command) =>
  command
    .option('--origins <list>', 'page origins that may call')
    .option('--return-to <list>', 'addresses a sign-in may return to')
    .option('--audiences <list>', 'audiences it owns: whose tokens it may introspect')
    .option('--scopes <list>', 'scopes it may have, such as revocations:read')
    .option('--targets <list>', 'audiences that its own tokens may be for')
    .option('--lifetime <duration>', 'how long its access tokens live')
    .option('--format <kind>', 'access tokens: jwt, or opaque ones that only this service reads')
    .option('--keys <file>', 'a JWK set of public keys it authenticates itself with')

/** Adds the commands. */
export function addClients(program: Command, terminal: Terminal): void {
  const verb = createVerb(terminal)
  const clients = program
    .command('clients')
    .description('applications and services: list, create, show, update, rotate-secret, remove-secret, disable, enable, bump-epoch')
  verb(clients, 'list', 'list clients', async (auth, _, options) =>
    show(terminal, options, (await auth.clients.list()).map(row), 'No clients.'),
  )
  verb(
    clients,
    'create <name>',
    'register a client; a service gets a secret, shown once',
    async (auth, [name = ''], options) => {
      const said = options as Record<string, string | undefined>
      const { id, transport = 'service' } = said
      if (transport !== 'cookie' && transport !== 'native' && transport !== 'service')
        throw new Misuse('--transport is cookie, native or service.')
      const made = await auth.clients.create({ ...(id !== undefined && { id }), name, transport, ...changesOf(said) }, 'cli')
      const { client, secret } = granted(made)
      show(terminal, options, [{ ...row(client), ...(secret !== null && { client_secret: secret }) }], '')
      if (secret !== null) terminal.err('Keep the secret now: it is not shown again.')
    },
    (command) =>
      withChanges(
        command.option('--id <id>', 'a short id of your own').option('--transport <kind>', 'cookie, native or service (default: service)'),
      ),
  )
  verb(clients, 'show <id>', 'show a client', async (auth, [id = ''], options) => {
    const client = await auth.clients.find(id)
    if (client === undefined) throw failure('There is no such client.')
    show(terminal, options, [row(client)], '')
  })
  verb(
    clients,
    'update <id>',
    'change what is said; lists replace lists',
    async (auth, [id = ''], options) => {
      const { name, ...said } = options as Record<string, string | undefined>
      const before = await auth.clients.find(id)
      const changed = await auth.clients.change(id, { ...changesOf(said, before?.policy), ...(name !== undefined && { name }) }, 'cli')
      show(terminal, options, [row(granted(changed).client)], '')
    },
    (command) => withChanges(command.option('--name <name>', 'what people see')),
  )
  verb(clients, 'rotate-secret <id>', 'add a new secret; the older of two falls away', async (auth, [id = ''], options) => {
    show(terminal, options, [{ id, client_secret: granted(await auth.clients.rotateSecret(id, 'cli')).secret }], '')
    terminal.err('Keep the secret now: it is not shown again.')
  })
  verb(clients, 'remove-secret <id>', 'drop the older of two secrets', async (auth, [id = ''], options) =>
    show(terminal, options, [row(granted(await auth.clients.removeOldSecret(id, 'cli')).client)], ''),
  )
  for (const [name, status] of [
    ['disable', 'disabled'],
    ['enable', 'active'],
  ] as const)
    verb(clients, `${name} <id>`, `${name} a client`, async (auth, [id = ''], options) =>
      show(terminal, options, [row(granted(await auth.clients.change(id, { status }, 'cli')).client)], ''),
    )
  verb(clients, 'bump-epoch <id>', 'make older tokens of a client stale; nobody is signed out', async (auth, [id = ''], options) =>
    show(terminal, options, [row(granted(await auth.clients.bumpEpoch(id, 'cli')).client)], ''),
  )
}
