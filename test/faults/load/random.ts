// Chance that can be repeated: every part of a load draws from a row of its own, made from the one seed that is printed
// when a run fails. What the machine does in between is not repeated.

/** A row of draws. */
export interface Chance {
  /** From 0 up to, not including, 1. */
  draw(): number
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number
  pick<T>(from: readonly T[]): T
  /** One of the names, each as often as its weight says. */
  weighed<T extends string>(weights: Readonly<Record<T, number>>): T
}

/** The row of a name under a seed (mulberry32 behind FNV-1a). */
export function createChance(seed: number, name: string): Chance {
  let state = 2166136261 ^ seed
  for (const letter of name) state = Math.imul(state ^ letter.charCodeAt(0), 16777619)
  const draw = () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296
  }
  const between = (least: number, most: number) => least + Math.floor(draw() * (most - least + 1))
  return {
    draw,
    between,
    pick: (from) => from[between(0, from.length - 1)] as never,
    weighed(weights) {
      const entries = Object.entries<number>(weights)
      let left = draw() * entries.reduce((sum, [, weight]) => sum + weight, 0)
      for (const [name, weight] of entries) {
        left -= weight
        if (left < 0) return name as never
      }
      return entries.at(-1)?.[0] as never
    },
  }
}
