// The door of the factors: those that stand on a library, behind core's ports.

export { canHavePasskeys, createPasskeyRules, type PasskeyParty, passkeyPartyFault } from './passkeys.ts'
