// The door `@symbolon/verifier/token`: checking one access token, without sources, guards or HTTP.

export { type Assertion, type AssertionRules, assertedClient, verifyAssertion } from './assertion.ts'
export type { TokenRefused } from './claims.ts'
export { createTokenVerifier, type TokenAccepted, type TokenResult, type TokenVerifier, type TokenVerifierOptions } from './verify.ts'
