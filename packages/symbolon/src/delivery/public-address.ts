// Which addresses a webhook may be sent to: those of the public internet. What is private, local, shared, or stands for
// another address is refused, so that nobody makes this service call what only it can reach.

import { BlockList, isIP } from 'node:net'

/** IPv4 that is not public (IANA special-purpose registry, RFC 6890), and a cloud's host service that lies among public ones. */
const closed4: readonly (readonly [string, number])[] = [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['168.63.129.16', 32],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.88.99.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
]
/** IPv6 that is public at all (RFC 4291 §2.4): loopback, local, mapped and translated (64:ff9b::/96) ones lie outside of it. */
const open6 = ['2000::', 3] as const
/** And what in it is not: protocol assignments with Teredo, documentation, 6to4. */
const closed6: readonly (readonly [string, number])[] = [
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
  ['3fff::', 20],
]

const refused = new BlockList()
for (const [net, bits] of closed4) refused.addSubnet(net, bits, 'ipv4')
for (const [net, bits] of closed6) refused.addSubnet(net, bits, 'ipv6')
const taken = new BlockList()
taken.addSubnet(...open6, 'ipv6')

/** Whether an address, as a resolver or a socket writes it, is one of the public internet. Anything else is none. */
export function isPublicAddress(address: string): boolean {
  // A zone names a local link.
  if (address.includes('%')) return false
  const kind = isIP(address)
  if (kind === 4) return !refused.check(address, 'ipv4')
  return kind === 6 && taken.check(address, 'ipv6') && !refused.check(address, 'ipv6')
}
