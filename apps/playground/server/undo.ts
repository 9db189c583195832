// What can be undone: a user who disabled themselves could not come back by themselves. For a short while whoever holds the
// one-time id may enable them again; after it, this process does.

import { randomBytes } from 'node:crypto'

/** Things to undo. */
export interface Undo {
  /** Keeps `back` for one call: by the id it gives, or by itself when the time is up. */
  keep(back: () => Promise<void>): { readonly id: string; readonly withinMs: number }
  /** False when there is nothing by this id, or no longer. */
  use(id: string): Promise<boolean>
  /** Undoes everything now. */
  all(): Promise<void>
}

const within = 10_000

/** Creates it; holds nothing but what the last ten seconds left. */
export function createUndo(): Undo {
  const kept = new Map<string, { readonly back: () => Promise<void>; readonly timer: NodeJS.Timeout }>()
  const use = async (id: string): Promise<boolean> => {
    const one = kept.get(id)
    if (one === undefined) return false
    kept.delete(id)
    clearTimeout(one.timer)
    await one.back()
    return true
  }
  return {
    keep(back) {
      const id = randomBytes(16).toString('base64url')
      // The service may be away just then: nothing to be done about it but not to end this process over it.
      const timer = setTimeout(() => void use(id).catch(() => {}), within)
      kept.set(id, { back, timer })
      return { id, withinMs: within }
    },
    use,
    async all() {
      await Promise.allSettled([...kept.keys()].map(use))
    },
  }
}
