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

function hasOneMeaning(text: string): boolean {
  const open: (Set<string> | undefined)[] = []
  for (let i = 0; i < text.length; i++) {
    const letter = text[i]
    if (letter === '{' || letter === '[') {
      if (open.push(letter === '{' ? new Set() : undefined) > deepest) return false
    } else if (letter === '}' || letter === ']') open.pop()
    else if (letter === '"') {
      const start = i++
      while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1
      let next = i + 1
      while (/\s/.test(text[next] ?? '')) next++
      const names = open.at(-1)
      if (text[next] !== ':' || names === undefined) continue
      // Names are compared as they read, not as they are spelled: "\u0061" is "a".
      const name = JSON.parse(text.slice(start, i + 1)) as string
      if (name === '__proto__' || names.has(name)) return false
      names.add(name)
    }
  }
  return true
}
