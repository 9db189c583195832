// `npm run bench [-- NAME… --json FILE]`: tokens, sessions, http, life, revocation. Ratios are measured side by side in one run.

import { createFigures, type Figures } from './figures.ts'
import { measureHttp } from './http.ts'
import { measureLife } from './life.ts'
import { measureRevocation } from './revocation.ts'
import { measureSessions } from './sessions.ts'
import { measureTokens } from './tokens.ts'

const parts: Readonly<Record<string, (figures: Figures) => Promise<void>>> = {
  tokens: measureTokens,
  sessions: measureSessions,
  http: measureHttp,
  life: measureLife,
  revocation: measureRevocation,
}

const words = process.argv.slice(2)
const at = words.indexOf('--json')
const file = at < 0 ? undefined : words.splice(at, 2)[1]
const unknown = words.filter((word) => parts[word] === undefined)
if (unknown.length > 0 || (at >= 0 && file === undefined)) {
  process.stderr.write(`Usage: npm run bench -- [${Object.keys(parts).join('|')}]… [--json FILE]\n`)
  process.exit(2)
}
const figures = createFigures(file)
for (const name of words.length > 0 ? words : Object.keys(parts)) await parts[name]?.(figures)
figures.finish()
