// Server-sent events (WHATWG HTML §9.2.6), as much of them as the feed uses: `event`, `data`, comments. Bounded.

import { linesOf, nonsense } from './lines.ts'

/** A line, and an event's data, in bytes; a thousand entries take an eighth of it. */
const most = 1_048_576
const decoder = new TextDecoder('utf-8', { fatal: true })
const text = (bytes: Uint8Array): string => decoder.decode(bytes)

/** Yields events with their names and data. Throws for a line or an event that is too long, or bytes that are not UTF-8. */
export async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<{ readonly name: string; readonly data: string }> {
  let name = ''
  let data: string[] = []
  let length = 0
  for await (const bytes of linesOf(body, most)) {
    if (bytes.length === 0) {
      if (data.length > 0) yield { name, data: data.join('\n') }
      name = ''
      data = []
      length = 0
      continue
    }
    const line = text(bytes)
    const colon = line.indexOf(':')
    if (colon === 0) continue
    const field = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? '' : line.slice(line[colon + 1] === ' ' ? colon + 2 : colon + 1)
    if (field === 'event') name = value
    if (field === 'data') {
      length += bytes.length
      if (length > most) throw nonsense('an event is too long')
      data.push(value)
    }
  }
}
