// Prints docs/events.md from the one table of events.
import { join } from 'node:path'
import { root, writePage } from './bootstrap.mjs'

/** The page, from the built table. */
export async function eventsPage() {
  const { events } = await import(join(root, 'packages/protocol/dist/index.js'))
  const rows = Object.entries(events).map(([name, { when, data }]) => {
    const fields = Object.entries(data).map(([field, holds]) => `\`${field}\`${holds === 'text' ? '' : ` (${holds})`}`)
    return `| \`${name}\` | ${when} | ${fields.join(', ')} |`
  })
  return `# Events

Printed from the table in \`packages/protocol/src/events.ts\`, which has their TypeScript types too (\`AuthEvent\`). How they reach an application: [webhooks](webhooks.md).

Every event is \`{ "type", "timestamp", "data" }\`. Fields of \`data\` are texts unless it says so here. They are ids and words; a target that asks for them gets \`email\` and \`ip\` too.
\`by\` is who did it: \`admin\`, \`cli\`, \`configuration\`, \`system\`, \`sign_in\`, a user or a client.

| event | when | \`data\` |
| --- | --- | --- |
${rows.join('\n')}

What ends by itself, at its time limit, has no event. Sessions that end along with something else (all of a disabled user, children of another session,
those that a sign-in replaced or a limit pushed out) have none of their own either: whoever must know of each one follows the [revocation feed](revocation.md).
`
}

if (import.meta.url === `file://${process.argv[1]}`) writePage('docs/events.md', await eventsPage())
