// A follower's stream of server-sent events: bytes made once for all followers, and a bound on what waits for one of them.

import type { FeedEar, FeedMessage } from '#core'

/** What may wait for a follower that does not read, in bytes; and what may still wait when there is room again. */
const backlog = 262_144
const little = 65_536

const encoder = new TextEncoder()
const encoded = new WeakMap<FeedMessage['data'], Uint8Array>()

/** A message as bytes; made once, however many follow. */
function bytesOf({ event, data, position }: FeedMessage): Uint8Array {
  let bytes = encoded.get(data)
  if (bytes === undefined) {
    const id = position === undefined ? '' : `id: ${position}\n`
    bytes = encoder.encode(`event: ${event}\n${id}data: ${JSON.stringify(data)}\n\n`)
    encoded.set(data, bytes)
  }
  return bytes
}

/** An ear and the stream that it fills. */
export interface StreamedEar {
  readonly ear: FeedEar
  readonly stream: ReadableStream<Uint8Array>
  /** Says what to do when the reader goes away; at once if it went already. */
  onLeave(run: () => void): void
}

/** How long a follower that was sent off may take to read its last words, in milliseconds. */
const patience = 5000

/** Opens an ear. */
export function openEar(): StreamedEar {
  let over = false
  let left = false
  let leave = () => {}
  let release = () => {}
  let controller: ReadableStreamDefaultController<Uint8Array>
  const waiting = () => backlog - (controller.desiredSize ?? 0)
  const close = (how: () => void) => {
    if (over) return
    over = true
    how()
    release()
  }
  const fail = () => controller.error(new Error('The follower does not read.'))
  const stream = new ReadableStream<Uint8Array>(
    {
      start: (given) => {
        controller = given
      },
      pull: () => {
        if (waiting() <= little) release()
      },
      cancel: () => {
        left = true
        close(() => leave())
      },
    },
    new ByteLengthQueuingStrategy({ highWaterMark: backlog }),
  )
  return {
    stream,
    onLeave(run) {
      leave = run
      if (left) run()
    },
    ear: {
      write(message) {
        if (over) return true
        if (waiting() > backlog) return false
        controller.enqueue(bytesOf(message))
        return true
      },
      room: () =>
        over || waiting() <= little
          ? Promise.resolve(!over)
          : new Promise((resolve) => {
              release = () => resolve(!over)
            }),
      end: () =>
        close(() => {
          const unread = waiting() > 0
          controller.close()
          // Whoever does not even read its last words holds no memory for long.
          if (unread) setTimeout(fail, patience)
        }),
      cut: () => close(fail),
    },
  }
}
