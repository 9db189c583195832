// Foreign origins as the store lists them, for guards in this process. Anybody can make a guard ask: one read is under way
// at a time, and a few in a second.

/** Milliseconds: how long what was read is taken again. */
const fresh = 200

/** Remembers what `read` says for a moment. Throws as it does: an origin may have been taken off the list meanwhile. */
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
  return () => {
    if (known !== undefined && performance.now() - known.at < fresh) return Promise.resolve(known.origins)
    reading ??= load()
    return reading
  }
}
