// A set of 128-bit ids with what is known of each, for a million of them: open addressing in typed arrays, in shards that
// grow and are swept one at a time, so that no step pauses the event loop. All 128 bits are compared: no false positives.

/** Reads the 22 letters of an id (128 bits as canonical base64url) into four words. */
export interface IdReader {
  /** The words of the id that was read last. */
  readonly words: Int32Array
  /** Reads the 22 letters from `start` to the end of the text; false when the text is no such id. */
  read(text: string, start: number): boolean
}

const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** Creates a reader; its words are overwritten by each read. */
export function createIdReader(): IdReader {
  const values = new Int8Array(128).fill(-1)
  for (let i = 0; i < 64; i++) values[letters.charCodeAt(i)] = i
  const words = new Int32Array(4)
  const valueAt = (text: string, i: number): number => {
    const code = text.charCodeAt(i)
    return code < 128 ? (values[code] as number) : -1
  }
  return {
    words,
    read(text, start) {
      if (text.length - start !== 22) return false
      const tail = (valueAt(text, start + 20) << 6) | valueAt(text, start + 21)
      // The last letter holds two bits; another spelling of the same bits is another text.
      if (tail < 0 || (tail & 15) !== 0) return false
      let bad = 0
      for (let w = 0, i = start; w < 4; w++) {
        let word = 0
        for (const end = i + 5; i < end; i++) {
          const value = valueAt(text, i)
          bad |= value
          word = (word << 6) | value
        }
        // Thirty bits of five letters, and two of the tail's eight.
        words[w] = (word & 0x3fffffff) | (((tail >> (4 + 2 * w)) & 3) << 30)
      }
      return bad >= 0
    },
  }
}

interface Shard {
  ids: Int32Array
  /** Seconds since 1970; 0: the slot is free. */
  expires: Uint32Array
  epochs: Uint32Array | undefined
  used: number
}

/** Ids, each with the second in which it is over and, for users, an epoch. */
export interface IdTable {
  readonly size: number
  /** Whether the id is held. */
  has(words: Int32Array): boolean
  /** The id's epoch; -1 when it is not held. */
  epochOf(words: Int32Array): number
  /** Adds an id; of what is held and what comes, the later end and the larger epoch stay. `expires` ≥ 1. */
  put(words: Int32Array, expires: number, epoch: number): void
  /** Forgets what is over in one of the 256 shards. */
  sweep(shard: number, seconds: number): void
  bytes(): number
}

/** How many shards a table has. */
export const shardCount = 256
const smallest = 16

/** Creates a table; with `epochs`, each id has one (below 2^32). */
export function createIdTable(epochs: boolean): IdTable {
  const shards: (Shard | undefined)[] = new Array(shardCount).fill(undefined)
  let size = 0

  const create = (capacity: number): Shard => ({
    ids: new Int32Array(capacity * 4),
    expires: new Uint32Array(capacity),
    epochs: epochs ? new Uint32Array(capacity) : undefined,
    used: 0,
  })

  const hashOf = (w0: number, w1: number, w2: number, w3: number): number => {
    let hash = Math.imul(w0 ^ Math.imul(w1, 0x9e3779b1) ^ Math.imul(w2, 0x85ebca6b) ^ Math.imul(w3, 0xc2b2ae35), 0x27d4eb2f)
    hash ^= hash >>> 15
    hash = Math.imul(hash, 0x2c1b3c6d)
    return (hash ^ (hash >>> 13)) >>> 0
  }

  /** The slot that holds the id, or the free one where it belongs. */
  const slotOf = (shard: Shard, hash: number, w0: number, w1: number, w2: number, w3: number): number => {
    const { ids, expires } = shard
    const mask = expires.length - 1
    let slot = (hash >>> 8) & mask
    while (expires[slot] !== 0) {
      const at = slot * 4
      if (ids[at] === w0 && ids[at + 1] === w1 && ids[at + 2] === w2 && ids[at + 3] === w3) return slot
      slot = (slot + 1) & mask
    }
    return slot
  }

  const write = ({ ids }: Shard, slot: number, w0: number, w1: number, w2: number, w3: number): void => {
    const at = slot * 4
    ids[at] = w0
    ids[at + 1] = w1
    ids[at + 2] = w2
    ids[at + 3] = w3
  }

  const rebuild = (index: number, old: Shard, seconds: number): void => {
    let kept = 0
    for (const end of old.expires) if (end !== 0 && end >= seconds) kept++
    size -= old.used - kept
    if (kept === 0) {
      shards[index] = undefined
      return
    }
    let capacity = smallest
    while (kept * 2 >= capacity) capacity *= 2
    const shard = create(capacity)
    for (let from = 0; from < old.expires.length; from++) {
      const end = old.expires[from] as number
      if (end === 0 || end < seconds) continue
      const { ids } = old
      const w0 = ids[from * 4] as number
      const w1 = ids[from * 4 + 1] as number
      const w2 = ids[from * 4 + 2] as number
      const w3 = ids[from * 4 + 3] as number
      const slot = slotOf(shard, hashOf(w0, w1, w2, w3), w0, w1, w2, w3)
      write(shard, slot, w0, w1, w2, w3)
      shard.expires[slot] = end
      if (shard.epochs !== undefined) shard.epochs[slot] = old.epochs?.[from] as number
    }
    shard.used = kept
    shards[index] = shard
  }

  /** The epoch of a held id, -1 for another; nothing is allocated, since every check of a token asks. */
  const lookUp = (words: Int32Array): number => {
    const w0 = words[0] as number
    const w1 = words[1] as number
    const w2 = words[2] as number
    const w3 = words[3] as number
    const hash = hashOf(w0, w1, w2, w3)
    const shard = shards[hash & (shardCount - 1)]
    if (shard === undefined) return -1
    const slot = slotOf(shard, hash, w0, w1, w2, w3)
    if (shard.expires[slot] === 0) return -1
    return shard.epochs === undefined ? 0 : (shard.epochs[slot] as number)
  }

  return {
    get size() {
      return size
    },
    has: (words) => lookUp(words) >= 0,
    epochOf: lookUp,
    put(words, expires, epoch) {
      const w0 = words[0] as number
      const w1 = words[1] as number
      const w2 = words[2] as number
      const w3 = words[3] as number
      const hash = hashOf(w0, w1, w2, w3)
      const index = hash & (shardCount - 1)
      let shard = shards[index]
      if (shard === undefined) shards[index] = shard = create(smallest)
      let slot = slotOf(shard, hash, w0, w1, w2, w3)
      if (shard.expires[slot] === 0) {
        if ((shard.used + 1) * 10 > shard.expires.length * 7) {
          rebuild(index, shard, 0)
          shard = shards[index] as Shard
          slot = slotOf(shard, hash, w0, w1, w2, w3)
        }
        write(shard, slot, w0, w1, w2, w3)
        shard.used++
        size++
      }
      shard.expires[slot] = Math.max(expires, shard.expires[slot] as number)
      if (shard.epochs !== undefined) shard.epochs[slot] = Math.max(epoch, shard.epochs[slot] as number)
    },
    sweep(index, seconds) {
      const shard = shards[index]
      if (shard?.expires.some((end) => end !== 0 && end < seconds) === true) rebuild(index, shard, seconds)
    },
    bytes() {
      let slots = 0
      for (const shard of shards) slots += shard?.expires.length ?? 0
      return slots * (epochs ? 24 : 20)
    },
  }
}
