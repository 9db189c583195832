// Lines out of a stream of bytes, each bounded: what both server-sent events and snapshots are read by.
// Must never hold more than one line.

/** Thrown for what the other side must not send. Private: callers turn it into a reason to connect anew. */
export function nonsense(detail: string): Error {
  return new Error(detail)
}

const newline = 10
const carriage = 13

/**
 * Yields lines without their ends (`\n` or `\r\n`); a last line without an end is yielded too.
 * Throws when a line is longer than `most` bytes, and what the stream throws. `onBytes` hears of every chunk's size.
 */
export async function* linesOf(
  body: ReadableStream<Uint8Array>,
  most: number,
  onBytes?: (bytes: number) => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader()
  let parts: Uint8Array[] = []
  let length = 0
  const line = (last: Uint8Array): Uint8Array<ArrayBuffer> => {
    let whole = new Uint8Array(length + last.length)
    let at = 0
    for (const part of [...parts, last]) {
      whole.set(part, at)
      at += part.length
    }
    parts = []
    length = 0
    if (whole.at(-1) === carriage) whole = whole.subarray(0, -1)
    return whole
  }
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) break
      onBytes?.(value.length)
      let start = 0
      for (let end = value.indexOf(newline); end >= 0; end = value.indexOf(newline, start)) {
        if (length + end - start > most) throw nonsense('a line is too long')
        yield line(value.subarray(start, end))
        start = end + 1
      }
      if (start < value.length) {
        parts.push(start === 0 ? value : value.slice(start))
        length += value.length - start
        if (length > most || parts.length > 65_536) throw nonsense('a line is too long')
      }
    }
    if (length > 0) yield line(new Uint8Array(0))
  } finally {
    // Ends the connection too when the reader of lines left early.
    reader.cancel().catch(() => {})
  }
}
