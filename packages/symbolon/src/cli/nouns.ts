// Users, sessions, clients, keys and admin keys on the command line: the same nouns and verbs as the library and HTTP.

import type { Command } from 'commander'
import { type AuthObject, createAdminKey, listAdminKeys, removeAdminKey } from '#embed'
import { type CommonOptions, configurationOf, failure, show, type Terminal, time, withAuth } from './terminal.ts'

type Refused = { readonly ok: false; readonly code: string; readonly options?: { readonly field?: string } }

/** The value, or the refusal as a failure. */
function granted<T extends { readonly ok: boolean }>(result: T): Extract<T, { readonly ok: true }> {
  if (result.ok) return result as Extract<T, { readonly ok: true }>
  const { code, options } = result as unknown as Refused
  const field = options?.field
  throw failure(sentences[code] ?? `Refused: ${code}${field === undefined ? '' : ` (${field})`}.`)
}

const sentences: Readonly<Record<string, string>> = {
  not_found: 'There is none of that id.',
  conflict: 'That exists already.',
  invalid_identifier: 'That is not an e-mail address Symbolon can send to.',
}

const common = (command: Command) =>
  command.option('--json', 'print JSON').option('--dev', 'use the development service').option('--config <file>', 'configuration file')
const optionsOf = (command: Command) => command.opts<CommonOptions & Record<string, never>>()

async function userOf(auth: AuthObject, who: string) {
  const user = await auth.users.find(who.includes('@') ? { email: who } : { id: who })
  if (user === undefined) throw failure('There is no such user.')
  return user
}

/** Adds the commands. */
export function addNouns(program: Command, terminal: Terminal): void {
  const verb = (
    noun: Command,
    signature: string,
    description: string,
    run: (auth: AuthObject, input: string[], options: CommonOptions & Record<string, never>) => Promise<void>,
    more?: (command: Command) => Command,
  ) => {
    const command = common(noun.command(signature).description(description))
    more?.(command)
    command.action(async (...input: unknown[]) => {
      const options = optionsOf(command)
      const words = input
        .slice(0, -2)
        .flat()
        .filter((one): one is string => typeof one === 'string')
      await withAuth(terminal, options, (auth) => run(auth, words, options))
    })
  }
  const userRow = (user: Awaited<ReturnType<AuthObject['users']['list']>>[number]) => ({
    id: user.id,
    email: user.email,
    roles: user.roles,
    status: user.status,
    epoch: user.epoch,
    created: time(user.createdAt),
  })

  const users = program.command('users').description('people: list, create, show, roles, disable, enable, bump-epoch')
  verb(users, 'list', 'list users in order of id', async (auth, _, options) =>
    show(terminal, options, (await auth.users.list(null, 1000)).map(userRow), 'No users yet.'),
  )
  verb(
    users,
    'create <email>',
    'create a user',
    async (auth, [email = ''], options) => {
      const roles = String((options as { roles?: string }).roles ?? '')
        .split(',')
        .filter((role) => role !== '')
      show(terminal, options, [userRow(granted(await auth.users.create({ email, roles }, 'cli')).user)], '')
    },
    (command) => command.option('--roles <roles>', 'roles, separated by commas'),
  )
  verb(users, 'show <user>', 'show a user, by id or e-mail', async (auth, [who = ''], options) =>
    show(terminal, options, [userRow(await userOf(auth, who))], ''),
  )
  verb(users, 'roles <user> [roles...]', 'set the roles; older access tokens become stale', async (auth, [who = '', ...roles], options) =>
    show(terminal, options, [userRow(granted(await auth.users.change((await userOf(auth, who)).id, { roles }, 'cli')).user)], ''),
  )
  for (const [name, status, text] of [
    ['disable', 'disabled', 'disable a user and end every session'],
    ['enable', 'active', 'enable a user again'],
  ] as const)
    verb(users, `${name} <user>`, text, async (auth, [who = ''], options) =>
      show(terminal, options, [userRow(granted(await auth.users.change((await userOf(auth, who)).id, { status }, 'cli')).user)], ''),
    )

  verb(users, 'bump-epoch <user>', 'make older access tokens stale; nobody is signed out', async (auth, [who = ''], options) =>
    show(terminal, options, [userRow(granted(await auth.users.bumpEpoch((await userOf(auth, who)).id, 'cli')).user)], ''),
  )

  const sessions = program.command('sessions').description('sign-ins: list, revoke, revoke-all, explain')
  verb(sessions, 'list <user>', 'list the live sessions of a user', async (auth, [who = ''], options) => {
    const { sessions: found } = await auth.sessions.list((await userOf(auth, who)).id)
    show(
      terminal,
      options,
      found.map((s) => ({
        sid: s.sid,
        client: s.clientId,
        kind: s.kind,
        generation: s.generation,
        ip: s.ip,
        last_seen: time(s.lastSeenAt),
        created: time(s.createdAt),
        ends: time(s.expiresAt),
      })),
      'No live sessions.',
    )
  })
  verb(sessions, 'revoke <sid>', 'end one session', async (auth, [sid = ''], options) => {
    const { sids } = await auth.sessions.revoke({ sid }, 'admin', { actor: 'cli' })
    if (sids.length === 0) throw failure('There is no live session of that id.')
    show(
      terminal,
      options,
      sids.map((one) => ({ ended: one })),
      '',
    )
  })
  verb(sessions, 'revoke-all <user>', 'end every session of a user', async (auth, [who = ''], options) => {
    const { sids } = await auth.sessions.revoke({ user: (await userOf(auth, who)).id }, 'admin', { actor: 'cli' })
    show(
      terminal,
      options,
      sids.map((one) => ({ ended: one })),
      'No live sessions.',
    )
  })
  verb(sessions, 'explain <sid>', 'what a refresh of this session would do now, step by step', async (auth, [sid = ''], options) => {
    const explained = granted(await auth.sessions.explain(sid))
    if (options.json === true) return terminal.out(JSON.stringify(explained, null, 2))
    terminal.out(`outcome ${explained.outcome}, token lifetime ${explained.lifetime / 1000} s`)
    show(
      terminal,
      options,
      explained.trace.map(({ step, outcome, ms }) => ({ step, outcome, ms: ms.toFixed(3) })),
      '',
    )
  })

  const clients = program.command('clients').description('applications and services: list, create, show, rotate-secret, disable, enable')
  const clientRow = (client: Awaited<ReturnType<AuthObject['clients']['list']>>[number]) => ({
    id: client.id,
    name: client.name,
    transport: client.transport,
    status: client.status,
    audiences: client.audiences,
    origins: client.origins,
    secrets: client.secretHashes.length,
  })
  const listed = (text: unknown) =>
    String(text ?? '')
      .split(',')
      .filter((one) => one !== '')
  verb(clients, 'list', 'list clients', async (auth, _, options) =>
    show(terminal, options, (await auth.clients.list()).map(clientRow), 'No clients.'),
  )
  verb(
    clients,
    'create <name>',
    'register a client; a service gets a secret, shown once',
    async (auth, [name = ''], options) => {
      const { id, transport = 'service', origins, returnTo, audiences, scopes } = options as Record<string, string | undefined>
      if (transport !== 'cookie' && transport !== 'native' && transport !== 'service')
        throw failure('--transport is cookie, native or service.')
      const { client, secret } = granted(
        await auth.clients.create(
          {
            ...(id !== undefined && { id }),
            name,
            transport,
            origins: listed(origins),
            returnTo: listed(returnTo),
            audiences: listed(audiences),
            scopes: listed(scopes),
          },
          'cli',
        ),
      )
      const row = { ...clientRow(client), ...(secret !== null && { client_secret: secret }) }
      show(terminal, options, [row], '')
      if (secret !== null) terminal.err('Keep the secret now: it is not shown again.')
    },
    (command) =>
      command
        .option('--id <id>', 'a short id of your own')
        .option('--transport <kind>', 'cookie, native or service (default: service)')
        .option('--origins <list>', 'page origins that may call')
        .option('--return-to <list>', 'addresses a sign-in may return to')
        .option('--audiences <list>', 'audiences it owns')
        .option('--scopes <list>', 'scopes it may have'),
  )
  verb(clients, 'show <id>', 'show a client', async (auth, [id = ''], options) => {
    const client = await auth.clients.find(id)
    if (client === undefined) throw failure('There is no such client.')
    show(terminal, options, [clientRow(client)], '')
  })
  verb(clients, 'rotate-secret <id>', 'add a new secret; the older of two falls away', async (auth, [id = ''], options) => {
    show(terminal, options, [{ id, client_secret: granted(await auth.clients.rotateSecret(id, 'cli')).secret }], '')
    terminal.err('Keep the secret now: it is not shown again.')
  })
  for (const [name, status] of [
    ['disable', 'disabled'],
    ['enable', 'active'],
  ] as const)
    verb(clients, `${name} <id>`, `${name} a client`, async (auth, [id = ''], options) =>
      show(terminal, options, [clientRow(granted(await auth.clients.change(id, { status }, 'cli')).client)], ''),
    )

  verb(clients, 'bump-epoch <id>', 'make older tokens of a client stale; nobody is signed out', async (auth, [id = ''], options) =>
    show(terminal, options, [clientRow(granted(await auth.clients.bumpEpoch(id, 'cli')).client)], ''),
  )

  const keys = program.command('keys').description('signing keys: list, rotate, revoke')
  const keyRow = (key: Awaited<ReturnType<AuthObject['keys']['list']>>[number]) => ({
    kid: key.kid,
    alg: key.alg,
    state: key.state,
    created: time(key.createdAt),
    since: time(key.changedAt),
  })
  verb(keys, 'list', 'list signing keys', async (auth, _, options) =>
    show(terminal, options, (await auth.keys.list()).map(keyRow), 'No keys.'),
  )
  verb(keys, 'rotate', 'let the next key sign at once', async (auth, _, options) =>
    show(terminal, options, [keyRow(await auth.keys.rotate('cli'))], ''),
  )
  verb(
    keys,
    'revoke <kid>',
    'end a key for good: every token it signed is refused, and users mint with the next one',
    async (auth, [kid = ''], options) =>
      show(terminal, options, [keyRow(granted(await auth.keys.revoke(kid, { now: true }, 'cli')).key)], ''),
    (command) =>
      command.option('--now', 'yes: it cannot be undone').hook('preAction', (one) => {
        if (one.opts<{ now?: boolean }>().now !== true)
          one.error(
            'error: revoke needs --now: the key signs nothing any more, its tokens are refused everywhere at once, and that cannot be undone; nobody is signed out.',
          )
      }),
  )

  const admin = program.command('admin-key').description('keys of operators for /admin/v1: create, list, remove')
  const data = (options: CommonOptions) => configurationOf(terminal, options).auth.data ?? '.symbolon'
  const plain = (signature: string, description: string, run: (options: CommonOptions, name: string) => void) => {
    const command = common(admin.command(signature).description(description))
    command.action((name: unknown) => run(optionsOf(command), typeof name === 'string' ? name : ''))
  }
  plain('create <name>', 'make an admin key, shown once', (options, name) => {
    show(terminal, options, [{ name, admin_key: createAdminKey(data(options), name) }], '')
    terminal.err('Keep the key now: only its hash is stored.')
  })
  plain('list', 'list admin keys by name', (options) =>
    show(
      terminal,
      options,
      listAdminKeys(data(options)).map(({ name }) => ({ name })),
      'No admin keys.',
    ),
  )
  plain('remove <name>', 'remove an admin key; it is refused at once', (options, name) => {
    if (!removeAdminKey(data(options), name)) throw failure('There is no admin key of that name.')
    show(terminal, options, [{ removed: name }], '')
  })
}
