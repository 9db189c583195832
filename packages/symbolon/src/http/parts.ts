// What the handlers are given, and the one shape they have: a Request in, a Response out.

import type { Core, CoreEvent, Crypto, Webhooks } from '#core'
import type { HeldMail, OwnTexts } from '#messages'

/** How the hosted pages look and read beside our own look. */
export interface Brand {
  readonly name?: string | undefined
  readonly logo?: string | undefined
  readonly accent?: string | undefined
  readonly radius?: number | undefined
  readonly texts?: OwnTexts | undefined
}

/** What the public handler stands on. */
export interface HttpParts {
  readonly issuer: string
  readonly dev: boolean
  readonly core: Core
  readonly crypto: Crypto
  readonly brand: Brand
  /** Whether store and keys answer. */
  readonly ready: () => boolean | Promise<boolean>
  /** The development outbox; absent outside development. */
  readonly outbox?: (() => readonly HeldMail[]) | undefined
  readonly observe: (event: CoreEvent) => void
  /** Milliseconds that an application's own code may take in a request. */
  readonly foreign: number
}

/** What the admin handler stands on. */
export interface AdminParts extends HttpParts {
  /** SHA-256 of each admin key. */
  readonly adminKeyHashes: () => readonly Uint8Array[]
  readonly webhooks: Pick<Webhooks, 'list' | 'test' | 'retry'>
  readonly metrics?: (() => Promise<string>) | undefined
}

/** Where a request comes from, as the process that received it knows. */
export interface From {
  readonly ip: string | null
  /** What it was called by, where that does not stand in the request's address. Believed in nothing but a refusal. */
  readonly host?: string | null | undefined
}

/** Answers requests. Never throws. */
export type HttpHandler = (request: Request, from: From) => Promise<Response>

/** A request that is waited for. */
export interface Waiting {
  /** Does not count while the body is on its way, which says nothing about the store. */
  pause(): void
  /** Counts from now. */
  begin(): void
  /** It is answered. */
  end(): void
}
