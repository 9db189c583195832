// The client's address: the socket's, or what trusted proxies appended to X-Forwarded-For. What a client wrote there
// itself is never believed, and text that is no address counts as unknown.

import { isIP } from 'node:net'

/** The canonical text of an address, without an IPv4-mapped prefix or zone, or a port, which some proxies append; null when it is none. */
export function canonicalAddress(text: string | undefined): string | null {
  const bare = (text ?? '')
    .trim()
    // No address is longer, and nothing that is shall cost much.
    .slice(0, 100)
    .replace(/^\[([\da-f:.]*:[\da-f:.]*)\](?::\d{1,5})?$/i, '$1')
    .replace(/^(\d+\.\d+\.\d+\.\d+):\d{1,5}$/, '$1')
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '')
    .replace(/%.*$/, '')
  const kind = isIP(bare)
  if (kind === 0) return null
  return kind === 4 ? bare : new URL(`http://[${bare}]`).hostname.slice(1, -1)
}

/** The address of the client, `hops` trusted proxies away from the socket. */
export function clientAddress(socket: string | undefined, forwarded: string | string[] | undefined, hops: number): string | null {
  if (hops === 0 || forwarded === undefined) return canonicalAddress(socket)
  const chain = (Array.isArray(forwarded) ? forwarded.join(',') : forwarded).split(',')
  return canonicalAddress(chain[Math.max(0, chain.length - hops)])
}
