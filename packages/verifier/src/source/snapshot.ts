// A snapshot of what is revoked: read line by line, its count and digest checked, kept as bytes until then, and applied
// whole or not at all. Reading and applying let the event loop go on every few milliseconds.

import { fromBase64url, type Revocation, routes, type SnapshotStart, toBase64url } from '@symbolon/protocol'
import { pause } from '../timers.ts'
import { linesOf, nonsense } from './lines.ts'
import { readEnd, readSnapshotEntries, readStart } from './messages.ts'
import { retryAfterOf, type Transport, unknown } from './transport.ts'

/** A snapshot that was applied. */
export interface Snapshot extends SnapshotStart {
  readonly count: number
}

/** Bounds: bytes of a line, bytes and lines altogether. Beyond them nothing is known, and tokens are asked about. */
const mostLine = 1_048_576
const mostBytes = 268_435_456
const mostLines = 100_000
/** Milliseconds of work between two turns of the event loop. */
const slice = 8

const decoder = new TextDecoder('utf-8', { fatal: true })
const parse = (line: Uint8Array): unknown => JSON.parse(decoder.decode(line))

/** Lets the event loop turn when this went on for too long. */
function createTurns(): () => Promise<void> | undefined {
  let since = performance.now()
  return () => {
    if (performance.now() - since < slice) return undefined
    return pause(0).then(() => {
      since = performance.now()
    })
  }
}

/** Reads a snapshot's body and checks it whole; the lines of entries come back unread. */
async function readSnapshot(body: ReadableStream<Uint8Array>, alive: () => void) {
  const turn = createTurns()
  const digests: Promise<ArrayBuffer>[] = []
  const lines: Uint8Array<ArrayBuffer>[] = []
  let start: SnapshotStart | undefined
  let bytes = 0
  let count = 0
  const heard = (size: number) => {
    alive()
    bytes += size
    if (bytes > mostBytes) throw nonsense('the snapshot is too large')
  }
  for await (const line of linesOf(body, mostLine, heard)) {
    if (digests.length > mostLines) throw nonsense('the snapshot has too many lines')
    const value = parse(line)
    if (start === undefined) start = readStart(value)
    else if (Array.isArray(value)) {
      // Read for its shape only; read again when the whole is known to be good, since objects take far more memory.
      count += readSnapshotEntries(value).length
      lines.push(line)
    } else {
      const end = readEnd(value)
      const all = new Uint8Array(digests.length * 32)
      for (const [i, digest] of digests.entries()) all.set(new Uint8Array(await digest), i * 32)
      const sha256 = new Uint8Array(await crypto.subtle.digest('SHA-256', all))
      if (end.count !== count) throw nonsense('the snapshot is not complete: its count differs')
      if (fromBase64url(end.sha256) === undefined || end.sha256 !== toBase64url(sha256))
        throw nonsense('the snapshot was changed on its way')
      return { start, lines, count }
    }
    digests.push(crypto.subtle.digest('SHA-256', line))
    await turn()
  }
  throw nonsense('the snapshot ended early')
}

/**
 * Takes a snapshot and applies it. Throws, with nothing applied, when it cannot be had whole.
 * `alive` hears of every piece that arrives; `stillWanted` is asked before and while it is applied.
 */
export async function takeSnapshot(
  transport: Transport,
  apply: (entries: readonly Revocation[]) => void,
  signal: AbortSignal,
  alive: () => void,
): Promise<Snapshot> {
  const response = await transport.open(routes.revocationsSnapshot, { accept: 'application/x-ndjson' }, signal)
  if (response.status !== 200 || response.body === null) {
    response.body?.cancel().catch(() => {})
    throw unknown(`the snapshot answered ${response.status}`, undefined, retryAfterOf(response) / 1000)
  }
  const { start, lines, count } = await readSnapshot(response.body, alive)
  const turn = createTurns()
  for (let i = 0; i < lines.length; i++) {
    if (signal.aborted) throw unknown('the follower was ended')
    apply(readSnapshotEntries(parse(lines[i] as Uint8Array) as readonly unknown[]))
    // Freed as it goes: the buffer shrinks while the table grows.
    lines[i] = new Uint8Array(0)
    await turn()
  }
  return { ...start, count }
}
