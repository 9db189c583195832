// Foreign origins as the store lists them, for guards in this process. Anybody can make a guard ask: one read is under way
// at a time, and a few in a second.

/** Milliseconds: how long what was read is taken again, and how long while the store does not answer. */
const fresh = 200
const stale = 10_000

/** Remembers what `read` says for a moment. Throws as it does when nothing young enough is known. */
export function rememberOrigins(read: () => Promise<readonly string[]>): () => Promise<readonly string[]> {
  let known: { readonly at: number; readonly origins: readonly string[] } | undefined
  let reading: Promise<readonly string[]> | undefined
  const load = async () => {
    const at = performance.now()
    try {
      const origins = await read()
      known = { at, origins }
      return origins
    } finally {
      reading = undefined
    }
  }
  const within = (ms: number) => (known !== undefined && performance.now() - known.at < ms ? known.origins : undefined)
  return async () => {
    const young = within(fresh)
    if (young !== undefined) return young
    try {
      reading ??= load()
      return await reading
    } catch (error) {
      const older = within(stale)
      if (older === undefined) throw error
      return older
    }
  }
}
