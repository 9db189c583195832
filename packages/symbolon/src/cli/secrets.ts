// `symbolon secrets`: server secrets by their ids, never by themselves. The order for many nodes: every node knows the new
// one as the second; then it is the first on every node; then all is sealed again; then the old one is dropped.

import type { Command } from 'commander'
import { addSecret, createUpkeep, promoteSecret, removeSecret, sealedWords, secretIdsOf, type Upkeep } from '#embed'
import { type CommonOptions, configurationOf, createProgress, failure, show, type Terminal } from './terminal.ts'
import { common } from './verb.ts'

async function withUpkeep<T>(terminal: Terminal, options: CommonOptions, run: (upkeep: Upkeep) => Promise<T>): Promise<T> {
  const upkeep = await createUpkeep(configurationOf(terminal, options).auth)
  try {
    return await run(upkeep)
  } finally {
    await upkeep.close()
  }
}

async function status(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withUpkeep(terminal, options, async (upkeep) => {
    const rows = (await upkeep.status()).map(({ secret, place, ...counts }) => ({
      secret,
      state: place === null ? 'not configured' : place === 1 ? 'seals' : 'opens',
      ...counts,
    }))
    show(terminal, options, rows, '')
    if (options.json === true) return
    if (rows.some(({ state }) => state === 'not configured'))
      terminal.err(
        'What is sealed under a secret that is not configured cannot be opened: put it back, or give it up by: symbolon secrets drop ID --revoke',
      )
  })
}

async function rotate(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withUpkeep(terminal, options, async (upkeep) => {
    const before = await upkeep.status()
    const total = before.filter(({ place }) => place !== 1).reduce((sum, one) => sum + one.sessions + one.keys + one.attempts, 0)
    const progress = createProgress(terminal)
    const done = await upkeep
      .reseal(({ sessions, keys, attempts }, waiting) =>
        progress.say(
          waiting
            ? 'Somebody else seals again just now (a service does so by itself); waiting for them to let go.'
            : `Sealed ${sessions + keys + attempts} of about ${total} again.`,
        ),
      )
      .finally(progress.end)
    if (options.json === true) return terminal.out(JSON.stringify({ secret: upkeep.secretIds[0], ...done }))
    const words = sealedWords(done)
    terminal.out(
      words === '' ? `All was sealed under ${upkeep.secretIds[0]} already.` : `Sealed again under ${upkeep.secretIds[0]}: ${words}.`,
    )
    if (done.unopened > 0) terminal.err(`${done.unopened} could not be opened and stay as they are; look at: symbolon secrets status`)
  })
}

/** The secrets file, or a failure that says what to change by hand. */
function fileOf(terminal: Terminal, options: CommonOptions, byHand: string): string {
  const { secretsFile, auth } = configurationOf(terminal, options)
  if (secretsFile !== null) return secretsFile
  const where =
    auth.secrets === undefined
      ? `the data directory's own secret, which is one alone (name a secretsFile to have several)`
      : terminal.env.SYMBOLON_SECRETS
        ? 'SYMBOLON_SECRETS'
        : 'secrets in the configuration'
  throw failure(`Secrets come from ${where}. ${byHand}`)
}

async function drop(terminal: Terminal, options: CommonOptions & { readonly revoke?: boolean }, id: string): Promise<void> {
  if (!/^[0-9a-f]{16}$/.test(id)) throw failure('A secret is named by its id, 16 digits and letters: symbolon secrets status lists them.')
  const { secretsFile } = configurationOf(terminal, options)
  const configured = await withUpkeep(terminal, options, async (upkeep) => {
    const given = await upkeep.drop(id, options.revoke === true, 'cli')
    const words = sealedWords({ ...given, attempts: 0 })
    if (words !== '') terminal.err(`Given up: ${words} (sessions ended, keys replaced).`)
    return upkeep.secretIds.includes(id)
  })
  if (secretsFile !== null && secretIdsOf(secretsFile).includes(id)) {
    removeSecret(secretsFile, id)
    return show(terminal, options, [{ dropped: id, file: secretsFile }], '')
  }
  show(terminal, options, [{ dropped: id, file: null }], '')
  if (configured)
    terminal.err(
      `Nothing is sealed under ${id} any more; now remove it from ${terminal.env.SYMBOLON_SECRETS ? 'SYMBOLON_SECRETS' : 'secrets'} on every node, and restart them.`,
    )
}

/** Adds the commands. */
export function addSecrets(program: Command, terminal: Terminal): void {
  const secrets = program.command('secrets').description('server secrets, by their ids: status, new, promote, rotate, drop')
  common(secrets.command('status').description('how much is sealed under which secret')).action((options: CommonOptions) =>
    status(terminal, options),
  )
  common(secrets.command('new').description('write a new secret into the secrets file, as the second: known, and not yet sealing')).action(
    (options: CommonOptions) => {
      const file = fileOf(
        terminal,
        options,
        'Make a new one by `openssl rand -base64 48` and put it there as the second on every node; restart them.',
      )
      const id = addSecret(file)
      show(terminal, options, [{ secret: id, file }], '')
      if (options.json !== true)
        terminal.err(`Give every node this file and restart it. When each one knows the secret: symbolon secrets promote ${id}`)
    },
  )
  common(secrets.command('promote <id>').description('let a secret seal that every node knows already')).action(
    (id: string, options: CommonOptions) => {
      const file = fileOf(terminal, options, 'When every node knows the new secret, put it there as the first on every node; restart them.')
      promoteSecret(file, id)
      show(terminal, options, [{ seals: id, file }], '')
      if (options.json !== true)
        terminal.err('Give every node this file and restart it. All is then sealed again by itself, or at once by: symbolon secrets rotate')
    },
  )
  common(
    secrets.command('rotate').description('seal everything again under the first secret, while nodes run; nobody is signed out'),
  ).action((options: CommonOptions) => rotate(terminal, options))
  common(secrets.command('drop <id>').description('remove a secret under which nothing is sealed any more'))
    .option('--revoke', 'give up what still is: end its sessions, replace its signing keys')
    .action((id: string, options: CommonOptions & { readonly revoke?: boolean }) => drop(terminal, options, id))
}
