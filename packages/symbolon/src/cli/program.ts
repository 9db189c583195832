// The commands on one screen.

import { parseDuration } from '@symbolon/protocol'
import { Command, CommanderError } from 'commander'
import { greeting, serve } from '#server'
import { doctor } from './doctor.ts'
import { addFeed } from './feed.ts'
import { init } from './init.ts'
import { addMigrate } from './migrate.ts'
import { addNouns } from './nouns.ts'
import { addRestore } from './restore.ts'
import { addSecrets } from './secrets.ts'
import { addStore } from './store.ts'
import { type CommonOptions, configurationOf, exit, Misuse, sentence, type Terminal } from './terminal.ts'
import { inspect } from './token.ts'
import { addWebhooks } from './webhooks.ts'

const variables = `
Environment (over the file): SYMBOLON_PORT 4000, SYMBOLON_HOST, SYMBOLON_ADMIN_PORT 4001, SYMBOLON_ADMIN_HOST 127.0.0.1,
  SYMBOLON_ISSUER, SYMBOLON_DATA, SYMBOLON_DATABASE_URL, SYMBOLON_DATABASE_SCHEMA, SYMBOLON_DATABASE_CONNECTIONS,
  SYMBOLON_DATABASE_MIGRATE, SYMBOLON_SECRETS or SYMBOLON_SECRETS_FILE, SYMBOLON_SMTP_URL, SYMBOLON_SMTP_FROM,
  SYMBOLON_AUDIENCE, SYMBOLON_SIGN_UP, SYMBOLON_TRUSTED_PROXIES, SYMBOLON_APP_NAME, SYMBOLON_APP_ORIGINS,
  SYMBOLON_APP_RETURN_TO, SYMBOLON_BRAND_NAME, SYMBOLON_BRAND_LOGO, SYMBOLON_BRAND_ACCENT, SYMBOLON_BRAND_RADIUS,
  SYMBOLON_WEBHOOKS (a file, or JSON), SYMBOLON_LOG_LEVEL, SYMBOLON_CONFIG

Examples:
  symbolon serve --dev
  SYMBOLON_ISSUER=https://auth.example SYMBOLON_SECRETS_FILE=/etc/symbolon/secrets symbolon serve
  SYMBOLON_DATABASE_URL=postgres://symbolon@db.example/symbolon symbolon serve`

/** Runs a command line; resolves to the exit code. `untilStopped` resolves when the process is asked to end. */
export async function run(
  words: readonly string[],
  terminal: Terminal,
  untilStopped: () => Promise<void>,
  version: string,
): Promise<number> {
  let code: number = exit.done
  const program = new Command('symbolon')
    .description('Session truth at token speed: sessions, short-lived JWTs, and the refresh between them.')
    .version(version)
    .exitOverride()
    .configureOutput({ writeOut: (text) => terminal.out(text.trimEnd()), writeErr: (text) => terminal.err(text.trimEnd()) })
    .addHelpText('after', '\nExit codes: 0 done, 1 refused or failed, 2 used wrongly.')

  program
    .command('init')
    .description('write a commented configuration and secrets')
    .option('--issuer <address>', 'where the service will be reached', 'https://auth.example.com')
    .option('--data <directory>', 'where data and secrets live', '.symbolon')
    .option('--config <file>', 'the configuration to write', 'symbolon.config.jsonc')
    .action((options) => init(terminal, options))

  program
    .command('serve')
    .description('run the service')
    .option('--dev', 'development: http on this machine, codes in the terminal, /dev/mailbox')
    .option('--config <file>', 'configuration file (default: symbolon.config.jsonc if it is there)')
    .option('--drain <duration>', 'how long to answer on after SIGTERM, readiness off (default: 4s; in development 0s)')
    .addHelpText('after', variables)
    .action(async (options: CommonOptions & { readonly drain?: string }) => {
      const drain = options.drain === undefined ? undefined : drainOf(options.drain)
      const configuration = configurationOf(terminal, options)
      const running = await serve(configuration, { drain })
      terminal.out(greeting(running, configuration, terminal.colour))
      await untilStopped()
      await running.stop()
    })

  addNouns(program, terminal)
  addFeed(program, terminal, untilStopped)
  addMigrate(program, terminal)
  addStore(program, terminal, untilStopped)
  addSecrets(program, terminal)
  addRestore(program, terminal)
  addWebhooks(program, terminal)

  program
    .command('token')
    .description('access tokens')
    .command('inspect [token]')
    .description('explain an access token and why it would be refused; reads it from standard input when it is left out or -')
    .option('--json', 'print JSON')
    .option('--dev', 'use the development service')
    .option('--config <file>', 'configuration file')
    .action(async (token: string | undefined, options: CommonOptions) => {
      const text = token === undefined || token === '-' ? (await terminal.readInput()).trim() : token
      if (!(await inspect(terminal, text, options))) code = exit.failed
    })

  program
    .command('doctor')
    .description('prove configuration, secrets, keys, clock, store and mail; say what to mend')
    .option('--json', 'print JSON')
    .option('--dev', 'use the development service')
    .option('--config <file>', 'configuration file')
    .action(async (options: CommonOptions) => {
      if (!(await doctor(terminal, options))) code = exit.failed
    })

  for (const command of everyCommand(program)) command.exitOverride().configureOutput(program.configureOutput())
  try {
    await program.parseAsync(idsLast(words), { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exit.done : exit.usage
    terminal.err(sentence(error))
    return error instanceof Misuse ? exit.usage : exit.failed
  }
}

/** Longer than any load balancer needs to notice; a typing error above it would hold every stop. */
const longestDrain = 300_000

function drainOf(text: string): number {
  const drain = parseDuration(text)
  if (drain === undefined || drain > longestDrain) throw new Misuse('--drain must be a duration of at most 5m, such as 4s.')
  return drain
}

/** One id of a session or key in 64 begins with a hyphen, and would be taken for an option: such words go to the end, behind `--`. */
function idsLast(words: readonly string[]): string[] {
  const ids = words.filter((word) => /^-(?:[\w-]{21}|[\w-]{42})$/.test(word))
  return ids.length === 0 || words.includes('--') ? [...words] : [...words.filter((word) => !ids.includes(word)), '--', ...ids]
}

function everyCommand(command: Command): readonly Command[] {
  return command.commands.flatMap((one) => [one, ...everyCommand(one)])
}
