// `symbolon token inspect`: what stands in an access token, and why it would be refused. The token itself is never printed.

import { fromBase64url } from '@symbolon/protocol'
import { type CommonOptions, show, type Terminal, withAuth } from './terminal.ts'

const read = (segment: string | undefined): Readonly<Record<string, unknown>> | undefined => {
  const bytes = segment === undefined ? undefined : fromBase64url(segment)
  if (bytes === undefined) return undefined
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : undefined
  } catch {
    return undefined
  }
}

const names: Readonly<Record<string, string>> = { exp: 'expires', iat: 'minted', auth_time: 'proved who they are' }

const reasonOf = ({ code, detail }: { readonly code: string; readonly detail?: string }) =>
  detail === undefined ? code : `${code} (${detail})`

/** Explains a token; resolves to whether it would be accepted. */
export async function inspect(terminal: Terminal, token: string, options: CommonOptions): Promise<boolean> {
  const verified = await withAuth(terminal, options, (auth) => auth.tokens.explain(token))
  const [header, payload, signature, ...rest] = (verified.token ?? '').split('.')
  const head = read(header)
  const claims = read(payload)
  const compact = head !== undefined && claims !== undefined && signature !== undefined && rest.length === 0
  const isReadable = compact || verified.token === undefined
  const verdict = verified.ok ? 'accepted' : `refused: ${isReadable ? reasonOf(verified) : 'not a compact JWS of canonical base64url'}`
  if (options.json === true) {
    terminal.out(JSON.stringify({ verdict, header: head ?? null, claims: claims ?? null }, null, 2))
    return verified.ok
  }
  terminal.out(verdict)
  if (head !== undefined) show(terminal, {}, [head], '')
  if (claims !== undefined)
    show(
      terminal,
      {},
      Object.entries(claims).map(([claim, value]) => ({
        claim,
        value,
        means: names[claim] === undefined || typeof value !== 'number' ? '' : `${names[claim]} ${new Date(value * 1000).toISOString()}`,
      })),
      '',
    )
  return verified.ok
}
