// JSON read so that it has one meaning (RFC 8725 §2.4): no member twice, bounded depth, an object at the top. Used for
// tokens and for bodies. Must never throw on input.

const deepest = 16

/** Reads a JSON object; `undefined` for anything else, for a member named twice, `__proto__`, or more than 16 levels. */
export function readJsonObject(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    if (!hasOneMeaning(text)) return undefined
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const [quote, backslash, colon, openBrace, closeBrace, openBracket, closeBracket] = [34, 92, 58, 123, 125, 91, 93] as const
const isSpace = (code: number) => code === 32 || code === 10 || code === 13 || code === 9

function hasOneMeaning(text: string): boolean {
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === openBrace || code === openBracket) {
      if (open.push(code === openBrace ? new Set() : undefined) > deepest) return false
    } else if (code === closeBrace || code === closeBracket) open.pop()
    else if (code === quote) {
      const start = i + 1
      let escaped = false
      for (i = start; i < text.length && text.charCodeAt(i) !== quote; i++)
        if (text.charCodeAt(i) === backslash) {
          escaped = true
          i++
        }
      let next = i + 1
      while (isSpace(text.charCodeAt(next))) next++
      const names = open.at(-1)
      if (text.charCodeAt(next) !== colon || names === undefined) continue
      // Names are compared as they read, not as they are spelled: "\u0061" is "a".
      const name = escaped ? (JSON.parse(text.slice(start - 1, i + 1)) as string) : text.slice(start, i)
      if (name === '__proto__' || names.has(name)) return false
      names.add(name)
    }
  }
  return true
}
