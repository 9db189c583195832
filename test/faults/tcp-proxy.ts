// A TCP proxy that misbehaves on demand, between real processes: it cuts, swallows, delays, trickles, and resets.

import type { AddressInfo } from 'node:net'
import { connect, createServer, type Server, type Socket } from 'node:net'

/** How bytes from the server are treated; those to it only ever wait or vanish. */
export type Manner =
  | { readonly as: 'pass' }
  /** Every connection ends, and no new one is taken. */
  | { readonly as: 'cut' }
  /** Connections stay open and are taken; nothing comes through any more. */
  | { readonly as: 'black_hole' }
  /** Everything comes this many milliseconds late. */
  | { readonly as: 'delay'; readonly ms: number }
  /** One byte each `ms` milliseconds. */
  | { readonly as: 'trickle'; readonly ms: number }
  /** Each connection is reset after this many more bytes. */
  | { readonly as: 'reset'; readonly after: number }

/** Milliseconds until a server that asks finds out: half of what a store of ours lets it take. */
const keepAlive = 5000

/** A proxy that runs. */
export interface TcpProxy {
  readonly port: number
  /** Changes the manner for connections that are there and for those to come. */
  become(manner: Manner): void
  /** Leads connections to come elsewhere; those that are there are cut, or kept if told so. */
  lead(port: number, there?: 'cut' | 'keep'): void
  /** How many connections were taken so far. */
  taken(): number
  close(): Promise<void>
}

interface Pair {
  readonly near: Socket
  readonly far: Socket
  /** Bytes until a reset. */
  left: number
  /** What still trickles. */
  waiting: Buffer
  /** The server has ended: so do we, when nothing waits. */
  ended: boolean
}

/** Starts a proxy on a free port before `target` on this machine. */
export async function startTcpProxy(first: number): Promise<TcpProxy> {
  let target = first
  let manner: Manner = { as: 'pass' }
  let count = 0
  const pairs = new Set<Pair>()
  const timers = new Set<NodeJS.Timeout>()
  const later = (ms: number, run: () => void) => {
    const timer = setTimeout(() => {
      timers.delete(timer)
      run()
    }, ms)
    timers.add(timer)
  }

  const drop = (pair: Pair, reset: boolean) => {
    pairs.delete(pair)
    for (const socket of [pair.near, pair.far]) reset ? socket.resetAndDestroy() : socket.destroy()
  }
  const dropDead = () => {
    for (const pair of [...pairs]) if (pair.near.destroyed) drop(pair, true)
  }
  const trickle = (pair: Pair, ms: number) => {
    pair.near.write(pair.waiting.subarray(0, 1))
    pair.waiting = pair.waiting.subarray(1)
    if (pair.waiting.length > 0) later(ms, () => pair.near.destroyed || trickle(pair, ms))
    else if (pair.ended) pair.near.end()
  }
  const back = (pair: Pair, bytes: Buffer) => {
    const how = manner
    if (how.as === 'pass') pair.near.write(bytes)
    else if (how.as === 'delay') later(how.ms, () => pair.near.destroyed || pair.near.write(bytes))
    else if (how.as === 'trickle') {
      const idle = pair.waiting.length === 0
      pair.waiting = Buffer.concat([pair.waiting, bytes])
      if (idle) trickle(pair, how.ms)
    } else if (how.as === 'reset') {
      pair.near.write(bytes.subarray(0, Math.max(0, pair.left)))
      pair.left -= bytes.length
      if (pair.left <= 0) later(0, () => drop(pair, true))
    }
  }
  const forth = (pair: Pair, bytes: Buffer) => {
    const how = manner
    if (how.as === 'black_hole') return
    if (how.as === 'delay') later(how.ms, () => pair.far.destroyed || pair.far.write(bytes))
    else pair.far.write(bytes)
  }

  const server: Server = createServer((near) => {
    count++
    if (manner.as === 'cut') return void near.resetAndDestroy()
    const far = connect(target, '127.0.0.1')
    const pair: Pair = { near, far, left: manner.as === 'reset' ? manner.after : 0, waiting: Buffer.alloc(0), ended: false }
    pairs.add(pair)
    near.on('data', (bytes) => forth(pair, bytes))
    far.on('data', (bytes) => back(pair, bytes))
    near.on('error', () => {})
    far.on('error', () => {})
    // In a black hole nobody hears that the other one has gone.
    near.on('close', () => {
      if (manner.as === 'black_hole') return
      pairs.delete(pair)
      far.destroy()
    })
    far.on('close', () => {
      pair.ended = true
      if (manner.as === 'delay') later(manner.ms, () => near.destroy())
      else if (manner.as !== 'black_hole' && pair.waiting.length === 0) near.destroy()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    become(next) {
      // Those whose other end has gone are found by a server's keep-alives, once they are answered again: by a reset.
      if (manner.as === 'black_hole' && next.as !== 'black_hole') later(keepAlive, () => dropDead())
      manner = next
      if (next.as === 'cut') for (const pair of [...pairs]) drop(pair, true)
      if (next.as === 'reset') for (const pair of pairs) pair.left = next.after
    },
    lead(port, there = 'cut') {
      target = port
      if (there === 'cut') for (const pair of [...pairs]) drop(pair, true)
    },
    taken: () => count,
    async close() {
      for (const timer of timers) clearTimeout(timer)
      for (const pair of [...pairs]) drop(pair, false)
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
