// The key ring follows the log: an entry about a key, from whichever process, is heeded at once. A key revoked elsewhere
// must not sign here for another minute, and users get tokens of its successor.

import type { Source } from '@symbolon/verifier'

/** How long after a failed look the next one comes. Milliseconds. */
const pause = 1000

/** The same source; `maintain` reads the keys again whenever an entry of kind `key` went by. One look at a time; one that failed is made again. */
export function watchKeys(source: Source, maintain: () => Promise<void>, report: (error: unknown) => void): Source {
  const { follow } = source
  if (follow === undefined) return source
  return {
    ...source,
    follow(apply) {
      let wanted = false
      let looking = false
      let ended = false
      const look = async () => {
        if (looking) return
        looking = true
        while (wanted && !ended) {
          wanted = false
          try {
            await maintain()
          } catch (error) {
            if (ended) break
            report(error)
            wanted = true
            await new Promise<void>((resolve) => void setTimeout(resolve, pause).unref())
          }
        }
        looking = false
      }
      const feed = follow((entries) => {
        apply(entries)
        if (!entries.some(({ kind }) => kind === 'key')) return
        wanted = true
        void look()
      })
      const end = () => {
        ended = true
        feed.end()
      }
      return { ...feed, end }
    },
  }
}
