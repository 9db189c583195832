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
  const values = new Int32Array(128).fill(-1)
  for (let i = 0; i < 64; i++) values[letters.charCodeAt(i)] = i
  const words = new Int32Array(4)
  /** All codes and all values of an id, joined by "or": one look at each tells whether any was no letter. */
  let codes = 0
  let read = 0
  const wordAt = (text: string, i: number): number => {
    const a = text.charCodeAt(i)
    const b = text.charCodeAt(i + 1)
    const c = text.charCodeAt(i + 2)
    const d = text.charCodeAt(i + 3)
    const e = text.charCodeAt(i + 4)
    codes |= a | b | c | d | e
    const va = values[a & 127] as number
    const vb = values[b & 127] as number
    const vc = values[c & 127] as number
    const vd = values[d & 127] as number
    const ve = values[e & 127] as number
    read |= va | vb | vc | vd | ve
    return (va << 24) | (vb << 18) | (vc << 12) | (vd << 6) | ve
  }
  return {
    words,
    read(text, start) {
      if (text.length - start !== 22) return false
      const a = text.charCodeAt(start + 20)
      const b = text.charCodeAt(start + 21)
      const va = values[a & 127] as number
      const vb = values[b & 127] as number
      codes = a | b
      read = va | vb
      const w0 = wordAt(text, start)
      const w1 = wordAt(text, start + 5)
      const w2 = wordAt(text, start + 10)
      const w3 = wordAt(text, start + 15)
      // The last letter holds two bits; another spelling of the same bits is another text.
      if (codes > 127 || read < 0 || (vb & 15) !== 0) return false
      // Thirty bits of five letters each, and two of the eight that are left.
      words[0] = w0 | (va << 30)
      words[1] = w1 | ((va >> 2) << 30)
      words[2] = w2 | ((va >> 4) << 30)
      words[3] = w3 | ((vb >> 4) << 30)
      return true
    },
  }
}

/** Ids, each with the second in which it is over and, for users, an epoch. */
export interface IdTable {
  readonly size: number
  /** Whether the id is held. */
  has(words: Int32Array): boolean
  /** The id's epoch; -1 when it is not held. */
  epochOf(words: Int32Array): number
  /** Adds an id; of what is held and what comes, the later end and the larger epoch stay. `expires` ≥ 1, below 2^32. */
  put(words: Int32Array, expires: number, epoch: number): void
  /** Forgets what is over in one of the 256 shards. */
  sweep(shard: number, seconds: number): void
  bytes(): number
}

/** How many shards a table has. */
export const shardCount = 256
const smallest = 16

/**
 * Creates a table; with `epochs`, each id has one (below 2^32). A slot is its four words, its end (0: free) and its epoch,
 * side by side, since what a look-up costs is how many lines of memory it touches.
 */
export function createIdTable(epochs: boolean): IdTable {
  const width = epochs ? 6 : 5
  const shards: (Int32Array | undefined)[] = new Array(shardCount).fill(undefined)
  const used = new Uint32Array(shardCount)
  let size = 0

  const hashOf = (w0: number, w1: number, w2: number, w3: number): number => {
    let hash = Math.imul(w0 ^ Math.imul(w1, 0x9e3779b1) ^ Math.imul(w2, 0x85ebca6b) ^ Math.imul(w3, 0xc2b2ae35), 0x27d4eb2f)
    hash ^= hash >>> 15
    hash = Math.imul(hash, 0x2c1b3c6d)
    return (hash ^ (hash >>> 13)) >>> 0
  }
  const create = (slots: number) => new Int32Array(slots * width)
  const slotsOf = (shard: Int32Array) => shard.length / width

  /** Where the id is, or the free place where it belongs. */
  const placeOf = (shard: Int32Array, hash: number, w0: number, w1: number, w2: number, w3: number): number => {
    const end = shard.length
    // A number of slots is a power of two; the width is not divided by at each look.
    let at = ((hash >>> 8) & (end / width - 1)) * width
    while (shard[at + 4] !== 0) {
      if (shard[at] === w0 && shard[at + 1] === w1 && shard[at + 2] === w2 && shard[at + 3] === w3) return at
      at += width
      if (at === end) at = 0
    }
    return at
  }

  const rebuild = (index: number, old: Int32Array, seconds: number): Int32Array | undefined => {
    const alive = (at: number): boolean => old[at + 4] !== 0 && (old[at + 4] as number) >>> 0 >= seconds
    let kept = 0
    for (let at = 0; at < old.length; at += width) if (alive(at)) kept++
    size -= (used[index] as number) - kept
    used[index] = kept
    let slots = smallest
    while (kept * 2 >= slots) slots *= 2
    const shard = kept === 0 ? undefined : create(slots)
    shards[index] = shard
    if (shard === undefined) return undefined
    for (let from = 0; from < old.length; from += width) {
      if (!alive(from)) continue
      const w0 = old[from] as number
      const w1 = old[from + 1] as number
      const w2 = old[from + 2] as number
      const w3 = old[from + 3] as number
      const to = placeOf(shard, hashOf(w0, w1, w2, w3), w0, w1, w2, w3)
      for (let i = 0; i < width; i++) shard[to + i] = old[from + i] as number
    }
    return shard
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
    const at = placeOf(shard, hash, w0, w1, w2, w3)
    if (shard[at + 4] === 0) return -1
    return epochs ? (shard[at + 5] as number) >>> 0 : 0
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
      let at = placeOf(shard, hash, w0, w1, w2, w3)
      if (shard[at + 4] === 0) {
        if (((used[index] as number) + 1) * 10 > slotsOf(shard) * 7) {
          shard = rebuild(index, shard, 0) as Int32Array
          at = placeOf(shard, hash, w0, w1, w2, w3)
        }
        shard[at] = w0
        shard[at + 1] = w1
        shard[at + 2] = w2
        shard[at + 3] = w3
        used[index] = (used[index] as number) + 1
        size++
      }
      // Kept as signed words, meant as unsigned ones.
      shard[at + 4] = Math.max(expires, (shard[at + 4] as number) >>> 0)
      if (epochs) shard[at + 5] = Math.max(epoch, (shard[at + 5] as number) >>> 0)
    },
    sweep(index, seconds) {
      const shard = shards[index]
      if (shard === undefined) return
      for (let at = 4; at < shard.length; at += width) {
        if (shard[at] !== 0 && (shard[at] as number) >>> 0 < seconds) {
          rebuild(index, shard, seconds)
          return
        }
      }
    },
    bytes() {
      let words = 0
      for (const shard of shards) words += shard?.length ?? 0
      return words * 4
    },
  }
}
