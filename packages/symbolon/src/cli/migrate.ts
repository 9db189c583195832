// `symbolon migrate`: where the tables of a database stand, and bringing them up to date by hand: by a user with more
// rights than the service has, or to see beforehand what would be run.

import type { Command } from 'commander'
import { createMigrations, type Migrations } from '#embed'
import { type CommonOptions, configurationOf, type Terminal } from './terminal.ts'
import { common } from './verb.ts'

async function withMigrations(terminal: Terminal, options: CommonOptions, run: (migrations: Migrations) => Promise<void>): Promise<void> {
  const migrations = await createMigrations(configurationOf(terminal, options).auth)
  try {
    await run(migrations)
  } finally {
    await migrations.close()
  }
}

async function status(terminal: Terminal, options: CommonOptions): Promise<void> {
  await withMigrations(terminal, options, async (migrations) => {
    const { seen, known, fits } = await migrations.status()
    if (options.json === true) return terminal.out(JSON.stringify({ seen, known, fits }))
    if (seen > known && fits)
      return terminal.out(`The tables are those of a newer version (step ${seen}); this one (step ${known}) runs on them.`)
    if (fits) return terminal.out(`The tables are up to date (step ${seen}).`)
    if (seen > known)
      return terminal.out(`The tables are those of a newer version (step ${seen}) that this one (step ${known}) cannot run on.`)
    terminal.out(
      `${known - seen} ${known - seen === 1 ? 'step is' : 'steps are'} to be taken (${seen} of ${known} are); run: symbolon migrate up`,
    )
  })
}

async function up(terminal: Terminal, options: CommonOptions & { readonly dryRun?: boolean }): Promise<void> {
  await withMigrations(terminal, options, async (migrations) => {
    if (options.dryRun === true) return terminal.out((await migrations.sql()).trimEnd() || '-- The tables are up to date.')
    const taken = await migrations.up(terminal.err)
    if (options.json === true) return terminal.out(JSON.stringify({ taken }))
    terminal.out(
      taken === 0 ? 'The tables were up to date.' : `Took ${taken} ${taken === 1 ? 'step' : 'steps'}; the tables are up to date.`,
    )
  })
}

/** Adds the commands. */
export function addMigrate(program: Command, terminal: Terminal): void {
  const migrate = program.command('migrate').description('the tables of a PostgreSQL database: status, up')
  common(migrate.command('status').description('say where the tables stand')).action((options: CommonOptions) => status(terminal, options))
  common(migrate.command('up').description('bring the tables up to date; safe while nodes run'))
    .option('--dry-run', 'print the SQL and change nothing')
    .action((options: CommonOptions) => up(terminal, options))
}
