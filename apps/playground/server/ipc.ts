// What the page's process and its two API processes say to each other, over the channel that Node gives to a fork: a
// client's secret goes this way, never as an argument or in the environment, where other processes could read it.

/** The two API processes. */
export const apiNames = ['a', 'b'] as const
export type ApiName = (typeof apiNames)[number]

/** What lies between the API processes and the service: everything, no feed, or neither feed nor introspection. */
export const cuts = ['none', 'feed', 'feed_and_introspection'] as const
export type Cut = (typeof cuts)[number]

/** The first message to an API process. Port 0: any. */
export interface Start {
  readonly start: {
    readonly name: ApiName
    readonly port: number
    readonly issuer: string
    readonly client: { readonly id: string; readonly secret: string }
    readonly cut: Cut
  }
}

/** What a verifier says of itself, as it goes over the channel. */
export interface VerifierView {
  /** Milliseconds; null before anything is known. */
  readonly stalenessMs: number | null
  readonly transport: string
  readonly breaker: string
  readonly reconnects: number
  readonly fallbacks: number
  readonly refusedUnknown: number
}

export type ToApi = Start | { readonly cut: Cut }
export type FromApi = { readonly listening: number } | { readonly status: VerifierView } | { readonly failed: string }
