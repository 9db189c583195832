// `symbolon restore`: makes a store that was restored from a backup safe to serve from. It says what it will do, asks, and
// can be run again after an interruption.

import type { Command } from 'commander'
import { createUpkeep, type RestorePlan } from '#embed'
import { type CommonOptions, configurationOf, createProgress, failure, type Terminal } from './terminal.ts'
import { common } from './verb.ts'

interface RestoreOptions extends CommonOptions {
  readonly yes?: boolean
  readonly dryRun?: boolean
}

const textOf = ({ place, head, mark, refused }: RestorePlan) => `Store: ${place}; its log of revocations ends at ${head.feedId}.${head.seq}.
Known of it before: ${mark === null ? 'nothing' : `${mark.feedId}.${mark.seq}`}.
${refused ?? 'Nothing says that this store is older than what was acknowledged; a start is not refused.'}

A restore will
  revoke every signing key, so that no access token from before is believed, and make new ones;
  end every session: everybody signs in anew;
  grow the epochs of all users and clients, and drop sign-ins under way;
  give the log of revocations a new id, which verifiers notice by themselves.
What was changed after the backup is gone and must be done again: users deleted or disabled, roles taken away, clients and their secrets.`

/** Adds the command. */
export function addRestore(program: Command, terminal: Terminal): void {
  common(program.command('restore').description('make a store restored from a backup safe to serve from; signs everybody out'))
    .option('--yes', 'do not ask')
    .option('--dry-run', 'say what would be done, and do nothing')
    .action(async (options: RestoreOptions) => {
      const upkeep = await createUpkeep(configurationOf(terminal, options).auth)
      try {
        const plan = await upkeep.plan()
        if (options.json !== true) terminal.err(textOf(plan))
        if (options.dryRun === true) {
          if (options.json === true) terminal.out(JSON.stringify(plan, null, 2))
          return
        }
        if (options.yes !== true) {
          if (terminal.ask === undefined) throw failure('This signs everybody out; say --yes.')
          if (!(await terminal.ask('Everybody will be signed out. Go on?'))) throw failure('Nothing was done.')
        }
        const progress = createProgress(terminal)
        const done = await upkeep
          .restore('cli', ({ sessions, users }) => progress.say(`Ended ${sessions} sessions, grew ${users} epochs of users.`))
          .finally(progress.end)
        if (options.json === true) return terminal.out(JSON.stringify(done))
        terminal.out(
          `Restored: ${done.keys} signing keys replaced, ${done.sessions} sessions ended, epochs of ${done.users} users and ${done.clients} clients grown, ${done.attempts} sign-ins under way dropped. Now start the service.`,
        )
      } finally {
        await upkeep.close()
      }
    })
}
