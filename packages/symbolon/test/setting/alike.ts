// Whether two kinds of people can be told apart by how long an answer takes: a sign test on pairs. Nothing is assumed of how
// times are spread, so load makes it blind and never makes it cry out: both of a pair were asked one after the other, in an
// order that was drawn, and where neither is slower each is the slower one in half of the pairs.

/** The chance that at least `k` of `n` coins show heads. */
export function chanceOf(k: number, n: number): number {
  let term = 0.5 ** n
  let sum = 0
  for (let i = 0; i <= n; i++) {
    if (i >= k) sum += term
    term *= (n - i) / (i + 1)
  }
  return sum
}

/** The fewest of `n` pairs that are seen with a chance of `alpha` at most where there is no difference. */
export function fewest(n: number, alpha: number): number {
  let k = 0
  while (chanceOf(k, n) > alpha) k++
  return k
}

/** Which of the two is the slower one by more than a margin, if either can be said to be. `alpha`: for both sides together. */
export function slower(
  first: readonly number[],
  second: readonly number[],
  { margin, alpha }: { readonly margin: number; readonly alpha: number },
): 'first' | 'second' | undefined {
  const apart = first.map((ms, i) => ms - (second[i] as number))
  const needed = fewest(apart.length, alpha / 2)
  if (apart.filter((ms) => ms > margin).length >= needed) return 'first'
  if (apart.filter((ms) => ms < -margin).length >= needed) return 'second'
  return undefined
}

/** In an order that is drawn anew. */
export function shuffled<T>(all: readonly T[]): readonly T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
