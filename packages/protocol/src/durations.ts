// Durations as people write them ('90s', '5m', '14d') and as code counts them. Milliseconds inside, always.

/** A duration: `'250ms'`, `'90s'`, `'5m'`, `'12h'`, `'14d'`. */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

const unit: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/**
 * Reads a duration.
 * @returns milliseconds, or `undefined` when the text is not a duration or the number not safe
 * @example
 * parseDuration('5m') // 300000
 */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d{1,9})(ms|s|m|h|d)$/.exec(text)
  if (match === null) return undefined
  const value = Number(match[1]) * (unit[match[2] as string] as number)
  return Number.isSafeInteger(value) ? value : undefined
}

/** Reads a duration that the program itself wrote; throws a TypeError when it is none. Milliseconds. */
export function milliseconds(text: Duration): number {
  const value = parseDuration(text)
  if (value === undefined) throw new TypeError(`Not a duration: ${text}. Write one like '250ms', '90s', '5m', '12h' or '14d'.`)
  return value
}
