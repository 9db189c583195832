// `symbolon init`: a commented configuration and the first secret, with the right modes. Nothing that is there is changed.

import { randomBytes } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createAdminKey, issuerFault, listAdminKeys, prepareData, writeSecretFile } from '#embed'
import { failure, type Terminal } from './terminal.ts'

const template = (issuer: string, data: string) => `{
  // Where this service is reached. Its path is the mount prefix; it is the tokens' default audience.
  "issuer": ${JSON.stringify(issuer)},

  // Sessions, keys and budgets live here, in one SQLite file. Back it up, and keep the secrets file apart from the backups.
  "data": ${JSON.stringify(data)},

  // For several nodes: everything in PostgreSQL instead (beside symbolon, install the package pg).
  // "database": "postgres://symbolon@db.example/symbolon",

  // One secret a line, the newest first; mode 0600. Whoever has it and the database can sign in as anybody.
  "secretsFile": ${JSON.stringify(join(data, 'secrets'))},

  // How codes reach people.
  "delivery": { "smtp": { "url": "smtp://localhost:1025", "from": "Sign-in <no-reply@example.com>" } },

  // Who may become a user by proving an address: "open" or "closed".
  "signUp": "open",

  // How long a session lives, and how many there may be (0: no limit).
  "session": { "idle": "14d", "absolute": "90d", "max": 0, "onLimit": "evict_oldest" },

  // How long an access token lives; cookies rotate "never" or at an interval such as "1h".
  "refresh": { "lifetime": "5m", "rotate": "never" },

  // Applications. "app" is yours from the start; name its page origins and return addresses exactly.
  "clients": [{ "id": "app", "name": "My application", "transport": "cookie", "origins": [], "returnTo": [] }],

  // Proxies in front of this service that append to X-Forwarded-For.
  "trustedProxies": 0,

  "port": 4000,
  "adminPort": 4001
}
`

/** Writes configuration and secrets, and prints the next command. */
export function init(terminal: Terminal, options: { readonly issuer: string; readonly data: string; readonly config: string }): void {
  const fault = issuerFault(options.issuer, false)
  if (fault !== undefined) throw failure(fault)
  if (existsSync(options.config)) throw failure(`${options.config} is there already; remove it, or name another one with --config.`)
  prepareData(options.data)
  const secrets = join(options.data, 'secrets')
  writeSecretFile(secrets, randomBytes(48).toString('base64url'))
  try {
    writeFileSync(options.config, template(options.issuer, options.data), { mode: 0o600, flag: 'wx' })
  } catch {
    throw failure(`${options.config} cannot be written; make its directory, or name another file with --config.`)
  }
  terminal.out(`Wrote ${options.config} and ${secrets} (both mode 0600).`)
  if (!listAdminKeys(options.data).some(({ name }) => name === 'first')) {
    terminal.out(`Admin key, shown once: ${createAdminKey(options.data, 'first')}`)
  }
  // npx puts nothing on the PATH that is there afterwards.
  const symbolon = terminal.env.npm_command === 'exec' ? 'npx symbolon' : 'symbolon'
  const config = /^[\w./-]+$/.test(options.config) ? options.config : `'${options.config.replaceAll("'", "'\\''")}'`
  terminal.out(`Edit delivery in ${options.config}, prove it all by: ${symbolon} doctor --config ${config}\nThen run:`)
  terminal.out(`${symbolon} serve --config ${config}`)
}
