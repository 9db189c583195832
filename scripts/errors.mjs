// Prints docs/errors.md from the one table of errors.
import { join } from 'node:path'
import { root, writePage } from './bootstrap.mjs'

/** The page, from the built table. */
export async function errorsPage() {
  const { errors } = await import(join(root, 'packages/protocol/dist/index.js'))
  const rows = Object.entries(errors).map(
    ([code, { status, text, challenge }]) =>
      `| \`${code}\` | ${status} | ${text} | ${challenge === undefined ? '–' : `\`${challenge}\``} |`,
  )
  return `# Errors

Printed from the table in \`packages/protocol/src/errors.ts\`. On the wire they are problem details (RFC 9457) with \`code\`; \`/oauth/*\` answers as RFC 6749 §5.2.

| code | status | text | \`error\` in \`WWW-Authenticate\` |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

if (import.meta.url === `file://${process.argv[1]}`) writePage('docs/errors.md', await errorsPage())
