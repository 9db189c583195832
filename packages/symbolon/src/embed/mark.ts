// The high-water mark: how far the log of revocations had come, kept in the data directory, outside of the store. By it a
// store that went back in time is noticed at the start. It is written after the fact, at most once a second, and never
// holds up or fails a request. The signing keys then published stand beside it: a backup may know nothing of them.

import { randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { open, rename, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import type { FeedHead } from '@symbolon/protocol'
import type { Store } from '#core'
import { ownerFor } from './data.ts'
import { refuseOption } from './options.ts'

/** What the file holds. */
export interface Mark extends FeedHead {
  readonly kids: readonly string[]
}

/** Where it lies. */
export const markPath = (directory: string) => join(directory, 'high-water')

/** Reads it; `undefined` when there is none. Throws `store_behind` with a sentence when it is no mark. */
export function readMark(directory: string): Mark | undefined {
  const path = markPath(directory)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw refuseOption(`The file ${path} cannot be read; mend its owner or mode.`, 'store_behind')
  }
  try {
    const { feed, seq, kids } = JSON.parse(text) as { feed: unknown; seq: unknown; kids: unknown }
    if (typeof feed === 'string' && Number.isSafeInteger(seq) && Array.isArray(kids) && kids.every((kid) => typeof kid === 'string'))
      return { feedId: feed, seq: seq as number, kids }
  } catch {
    // Said below.
  }
  throw refuseOption(
    `The file ${path} is damaged: whether the store is older than what was acknowledged cannot be told. If the store was not restored from a backup, remove the file; else run: symbolon restore`,
    'store_behind',
  )
}

/** Writes it (mode 0600), whole or not at all. */
export async function writeMark(directory: string, { feedId, seq, kids }: Mark): Promise<void> {
  const path = markPath(directory)
  const part = `${path}.${randomBytes(6).toString('hex')}`
  const file = await open(part, 'wx', 0o600)
  try {
    const owner = ownerFor(path)
    if (owner !== undefined) await file.chown(owner.uid, owner.gid)
    await file.writeFile(`${JSON.stringify({ feed: feedId, seq, kids })}\n`)
    await file.datasync()
  } finally {
    await file.close()
  }
  await rename(part, path).catch(async (error: unknown) => {
    await unlink(part).catch(() => {})
    throw error
  })
}

/** Keeps the mark while a store is open. */
export interface MarkKeeper {
  /** The log may have grown: the mark follows within a second. */
  grew(): void
  /** Writes what is still to be written. */
  close(): Promise<void>
}

const every = 1000

/** Creates the keeper. `kids`: the keys that are published now. `fault` hears of what could not be written. */
export function createMarkKeeper(
  directory: string,
  store: Pick<Store, 'feed' | 'restores'>,
  kids: () => readonly string[],
  fault: (error: unknown) => void,
): MarkKeeper {
  let timer: NodeJS.Timeout | undefined
  let waits = false
  let closed = false
  let writing: Promise<void> = Promise.resolve()
  const write = async () => {
    try {
      const head = await store.feed.head()
      const held = readMark(directory)
      // Never back: not by a slower process on this directory, and not under a store that was put in this one's place.
      if (held !== undefined && (held.feedId === head.feedId ? held.seq >= head.seq : !(await store.restores.had(held.feedId)))) return
      await writeMark(directory, { ...head, kids: kids() })
    } catch (error) {
      fault(error)
    }
  }
  const flush = () => {
    clearTimeout(timer)
    timer = undefined
    if (!waits) return writing
    waits = false
    writing = writing.then(write)
    return writing
  }
  return {
    grew() {
      waits = true
      if (timer !== undefined || closed) return
      timer = setTimeout(flush, every)
      timer.unref()
    },
    async close() {
      closed = true
      await flush()
    },
  }
}
