// Users, sessions, clients, keys and admin keys on the command line: the same nouns and verbs as the library and HTTP.

import type { Command } from 'commander'
import { type AuthObject, createAdminKey, listAdminKeys, removeAdminKey } from '#embed'
import { addClients } from './clients.ts'
import { type CommonOptions, configurationOf, failure, Misuse, show, type Terminal, time } from './terminal.ts'
import { common, createVerb, granted, optionsOf } from './verb.ts'

/** Users that are listed at once. */
const listed = 1000

async function userOf(auth: AuthObject, who: string) {
  const user = await auth.users.find(who.includes('@') ? { email: who } : { id: who })
  if (user === undefined) throw failure('There is no such user.')
  return user
}

/** Adds the commands. */
export function addNouns(program: Command, terminal: Terminal): void {
  const verb = createVerb(terminal)
  const userRow = (user: Awaited<ReturnType<AuthObject['users']['list']>>[number]) => ({
    id: user.id,
    email: user.email,
    roles: user.roles,
    status: user.status,
    epoch: user.epoch,
    created: time(user.createdAt),
  })

  const users = program
    .command('users')
    .description('people: list, create, show, roles, email, disable, enable, bump-epoch, factors, delete')
  verb(
    users,
    'list',
    `list users in order of id, ${listed} at most`,
    async (auth, _, options) => {
      const { after } = options as { readonly after?: string }
      const found = await auth.users.list(after ?? null, listed)
      show(terminal, options, found.map(userRow), after === undefined ? 'No users yet.' : 'No more users.')
      const last = found.at(-1)
      if (last !== undefined && found.length === listed) terminal.err(`There may be more: go on with --after ${last.id}`)
    },
    (command) => command.option('--after <id>', 'those that come after this one'),
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
  verb(
    users,
    'email <user> <address>',
    'give a user another address: every session ends, and a mail to the old one can undo it for seven days',
    async (auth, [who = '', address = ''], options) => {
      const { user, ended } = granted(await auth.users.changeEmail((await userOf(auth, who)).id, address, { actor: 'cli' }))
      show(terminal, options, [{ ...userRow(user), sessions_ended: ended.length }], '')
    },
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

  verb(
    users,
    'factors <user>',
    'list how a user can sign in beside the code by mail, or remove one of those ways',
    async (auth, [who = ''], options) => {
      const { id } = await userOf(auth, who)
      const { remove } = options as { readonly remove?: string }
      if (remove !== undefined) granted(await auth.passkeys.remove(id, remove, { actor: 'cli' }))
      show(
        terminal,
        options,
        (await auth.passkeys.list(id)).passkeys.map((one) => ({
          id: one.id,
          kind: 'passkey',
          name: one.name,
          synced: one.backupEligible,
          counter: one.counter,
          created: time(one.createdAt),
          last_used: one.lastUsedAt === null ? '' : time(one.lastUsedAt),
        })),
        'No passkeys.',
      )
    },
    (command) => command.option('--remove <id>', 'remove this one; sessions that were opened by it stay'),
  )

  verb(
    users,
    'delete <user>',
    'delete a user for good: every session ends, and what is kept about them is removed',
    async (auth, [who = ''], options) => {
      const { id } = await userOf(auth, who)
      if ((options as { readonly yes?: boolean }).yes !== true) {
        if (terminal.ask === undefined) throw failure('This cannot be undone; say --yes.')
        if (!(await terminal.ask(`The user ${id} will be deleted for good. Go on?`))) throw failure('Nothing was done.')
      }
      const { ended } = granted(await auth.users.remove(id, { actor: 'cli' }))
      show(terminal, options, [{ deleted: id, sessions_ended: ended.length }], '')
    },
    (command) => command.option('--yes', 'do not ask'),
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
  verb(
    sessions,
    'revoke-all [user]',
    'end every session of a user, or of a client',
    async (auth, [who], options) => {
      const { client } = options as { readonly client?: string }
      if ((who === undefined) === (client === undefined)) throw new Misuse('Name a user, or a client by --client.')
      if (client !== undefined && (await auth.clients.find(client)) === undefined) throw failure('There is no such client.')
      const target = client === undefined ? { user: (await userOf(auth, who ?? '')).id } : { client }
      const { sids, count } = await auth.sessions.revoke(target, 'admin', { actor: 'cli' })
      const rows = client === undefined ? sids.map((one) => ({ ended: one })) : [{ client, ended: count }]
      show(terminal, options, rows, 'No live sessions.')
    },
    (command) => command.option('--client <id>', 'every session of this client, in small batches'),
  )
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

  addClients(program, terminal)

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
