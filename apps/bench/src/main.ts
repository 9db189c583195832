// `npm run bench [-- NAME… --json FILE --sessions N]`: tokens, sessions, http, life, revocation, login, postgres; and, only when it
// is named, scale, which loads ten million sessions. Ratios are measured side by side in one run.

import { createFigures, type Figures } from './figures.ts'
import { measureHttp } from './http.ts'
import { measureLife } from './life.ts'
import { measureLogin } from './login.ts'
import { measurePostgres } from './postgres.ts'
import { findPrograms } from './postgres-server.ts'
import { measureRevocation } from './revocation.ts'
import { measurePostgresSize, measureSqliteSize } from './scale.ts'
import { measureSessions } from './sessions.ts'
import { measureTokens } from './tokens.ts'

const parts: Readonly<Record<string, (figures: Figures) => Promise<void>>> = {
  tokens: measureTokens,
  sessions: measureSessions,
  http: measureHttp,
  life: measureLife,
  revocation: measureRevocation,
  login: measureLogin,
  postgres: measurePostgres,
}

const words = process.argv.slice(2)
const option = (name: string) => {
  const at = words.indexOf(name)
  return at < 0 ? undefined : (words.splice(at, 2)[1] ?? '')
}
const file = option('--json')
const sessions = Number(option('--sessions') ?? 10_000_000)
const unknown = words.filter((word) => parts[word] === undefined && !/^scale(-postgres|-sqlite)?$/.test(word))
if (unknown.length > 0 || file === '' || !(Number.isInteger(sessions) && sessions >= 20_000)) {
  process.stderr.write(`Usage: npm run bench -- [${Object.keys(parts).join('|')}|scale|scale-postgres|scale-sqlite]… [--json FILE]
Without names: all but scale, which loads ten million sessions into PostgreSQL and a million into SQLite (or --sessions N, 20000 or more) and takes half an hour.
`)
  process.exit(2)
}
const figures = createFigures(file)
for (const name of words.length > 0 ? words : Object.keys(parts)) {
  if (name === 'scale' || name === 'scale-postgres') await measurePostgresSize(figures, sessions)
  if (name === 'scale' || name === 'scale-sqlite') await measureSqliteSize(figures, sessions)
  // Asked for by name, it says what is missing.
  if (name === 'postgres' && words.length === 0 && findPrograms() === undefined)
    figures.note('postgres: not measured (PostgreSQL is not installed)')
  else await parts[name]?.(figures)
}
figures.finish()
