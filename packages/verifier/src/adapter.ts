// What every adapter shares: who may be handed to `createGuard`.

import type { Verifier } from './verifier.ts'

/** A verifier, or an auth object that holds one. */
export type Guarding = Verifier | { readonly verifier: Verifier }

/** The verifier in what was handed over. */
export function verifierOf(guarding: Guarding): Verifier {
  return 'verifier' in guarding ? guarding.verifier : guarding
}
