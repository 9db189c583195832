// Passkeys by @simplewebauthn/server, with the rules of this house around it: exact origins, no embedding, no attestation, so
// that nothing which is sent can make it fetch a certificate's addresses; and no word of its errors, which repeat what was
// sent, goes any further. The library is loaded when it is first needed: half of it is for what is refused here.

import { fromBase64url, SymbolonError } from '@symbolon/protocol'
import type { PasskeyFault, PasskeyJson, PasskeyRules } from '#core'
import { answeredOf, bytesText, dataFault, flagsFault, idOf } from './shape.ts'

/** The relying party. `rpId` and `origins` as the options say, if they do. */
export interface PasskeyParty {
  readonly issuer: string
  readonly name: string
  /** The issuer's host, or a domain above it. */
  readonly rpId?: string | undefined
  /** Origins beside the issuer's own that use the same passkeys (WebAuthn §5.11). */
  readonly origins: readonly string[]
  /** Whether a person has to be verified on the device (PIN, fingerprint, face), not only be there. */
  readonly verification: 'required' | 'preferred'
}

/** COSE algorithms: Ed25519, ES256, RS256 (RFC 9053, RFC 8812), what authenticators make; no SHA-1. */
const algorithms = [-8, -7, -257]

const known: ReadonlySet<string> = new Set(['ble', 'cable', 'hybrid', 'internal', 'nfc', 'smart-card', 'usb'])

const hostOf = (issuer: string) => new URL(issuer).hostname
const isAddress = (host: string) => host.startsWith('[') || /^[0-9.]+$/.test(host)

/** What is wrong with a relying party, as a sentence; undefined when it can stand. */
export function passkeyPartyFault({ issuer, rpId }: Pick<PasskeyParty, 'issuer' | 'rpId'>): string | undefined {
  const host = hostOf(issuer)
  if (rpId === undefined || rpId === host) return undefined
  if (isAddress(host) || !host.endsWith(`.${rpId}`) || !rpId.includes('.'))
    return `passkeys.rpId must be the issuer's host '${host}' or a domain above it.`
  return undefined
}

/** Whether there can be passkeys for a relying party: an address of numbers has none (WebAuthn §5.1.3). */
export const canHavePasskeys = ({ issuer, rpId = hostOf(issuer) }: Pick<PasskeyParty, 'issuer' | 'rpId'>): boolean => !isAddress(rpId)

const descriptor = ({ id, transports }: { readonly id: string; readonly transports: readonly string[] }) => ({
  id,
  type: 'public-key',
  transports,
})
const refused = (fault: PasskeyFault) => ({ ok: false, fault }) as const
const load = () => import('@simplewebauthn/server')
/** The library's errors name what they are; their sentences repeat what was sent. */
const faultOf = (error: unknown): PasskeyFault => ((error as Error | null)?.name === 'UnexpectedRPIDHash' ? 'rp_id' : 'malformed')

/** Creates the rules for one relying party. */
export function createPasskeyRules(party: PasskeyParty): PasskeyRules {
  const fault = passkeyPartyFault(party)
  if (fault !== undefined) throw new SymbolonError('invalid_option', { detail: fault })
  const wanted = (verify = false) => (verify ? 'required' : party.verification)
  const rpId = party.rpId ?? hostOf(party.issuer)
  const origins = [new URL(party.issuer).origin, ...party.origins]

  return {
    possible: canHavePasskeys(party),
    rpId,
    origins: party.origins,

    creation: ({ challenge, owner, have, timeout, verify }): PasskeyJson => ({
      challenge,
      rp: { id: rpId, name: party.name },
      user: { id: owner.handle, name: owner.name, displayName: owner.name },
      pubKeyCredParams: algorithms.map((alg) => ({ alg, type: 'public-key' })),
      timeout,
      attestation: 'none',
      excludeCredentials: have.map(descriptor),
      // Sign-in asks for no name first, so a passkey must be found by itself.
      authenticatorSelection: { residentKey: 'required', requireResidentKey: true, userVerification: wanted(verify) },
      extensions: { credProps: true },
    }),

    request: ({ challenge, have, timeout, verify }): PasskeyJson => ({
      challenge,
      rpId,
      timeout,
      allowCredentials: have.map(descriptor),
      userVerification: wanted(verify),
    }),

    async made(response, { challenge, verify }) {
      const answered = answeredOf(response)
      if (answered === undefined) return refused('malformed')
      const wrong = dataFault(answered, { type: 'webauthn.create', challenge, origins })
      if (wrong !== undefined) return refused(wrong)
      const attestationObject = bytesText(answered.response.attestationObject, 'attestationObject')
      if (attestationObject === undefined) return refused('malformed')
      const library = await load()
      try {
        const { fmt, authData, hasCertificate } = await readAttestation(attestationObject)
        // Certificates are asked for by nobody here, and following them would fetch addresses that a stranger wrote.
        if ((fmt !== 'none' && fmt !== 'packed') || hasCertificate) return refused('attestation')
        const flags = flagsFault(authData, wanted(verify))
        if (flags !== undefined) return refused(flags)
        const { verified, registrationInfo } = await library.verifyRegistrationResponse({
          response: {
            ...answered,
            rawId: answered.id,
            type: 'public-key',
            clientExtensionResults: {},
            response: answered.response as never,
          },
          expectedChallenge: challenge,
          expectedOrigin: origins,
          expectedRPID: rpId,
          requireUserVerification: wanted(verify) === 'required',
          supportedAlgorithmIDs: algorithms,
        })
        if (!verified || registrationInfo === undefined) return refused('attestation')
        const { credential, aaguid, credentialDeviceType, credentialBackedUp, userVerified } = registrationInfo
        if (credential.id !== answered.id) return refused('malformed')
        return {
          ok: true,
          passkey: {
            id: credential.id,
            publicKey: credential.publicKey,
            counter: credential.counter,
            transports: transportsOf(answered.response.transports),
            backupEligible: credentialDeviceType === 'multiDevice',
            backedUp: credentialBackedUp,
            aaguid,
            userVerified,
          },
        }
      } catch (error) {
        return refused(/Unexpected public key alg/.test(String(error)) ? 'algorithm' : faultOf(error))
      }
    },

    named: idOf,

    async used(response, { challenge, verify, handle, named, passkey }) {
      const answered = answeredOf(response)
      if (answered === undefined || answered.id !== passkey.id) return refused('malformed')
      const wrong = dataFault(answered, { type: 'webauthn.get', challenge, origins })
      if (wrong !== undefined) return refused(wrong)
      const { response: sent } = answered
      const [authenticatorData, signature] = [
        bytesText(sent.authenticatorData, 'authenticatorData'),
        bytesText(sent.signature, 'signature'),
      ]
      if (authenticatorData === undefined || signature === undefined) return refused('malformed')
      // Where nobody was named before, the passkey must say whose it is (WebAuthn §7.2).
      if (sent.userHandle !== handle && !(named && (sent.userHandle === undefined || sent.userHandle === null))) return refused('handle')
      const flags = flagsFault(fromBase64url(authenticatorData) ?? new Uint8Array(), wanted(verify))
      if (flags !== undefined) return refused(flags)
      const library = await load()
      try {
        const { verified, authenticationInfo } = await library.verifyAuthenticationResponse({
          response: {
            id: answered.id,
            rawId: answered.id,
            type: 'public-key',
            clientExtensionResults: {},
            response: { clientDataJSON: answered.clientDataJSON, authenticatorData, signature, userHandle: handle },
          },
          expectedChallenge: challenge,
          expectedOrigin: origins,
          expectedRPID: rpId,
          requireUserVerification: wanted(verify) === 'required',
          // The counter is judged by the store, behind a good signature: here it is told of none.
          credential: { id: passkey.id, publicKey: new Uint8Array(passkey.publicKey), counter: 0 },
        })
        if (!verified) return refused('signature')
        const { newCounter, userVerified, credentialBackedUp, credentialDeviceType } = authenticationInfo
        // WebAuthn §6.1.3: what could not be copied cannot be later, nor the other way round.
        if ((credentialDeviceType === 'multiDevice') !== passkey.backupEligible) return refused('backup')
        return { ok: true, counter: newCounter, backedUp: credentialBackedUp, userVerified }
      } catch (error) {
        return refused(faultOf(error))
      }
    },
  }
}

/** How an authenticator can be reached: words of WebAuthn §5.8.4 only, each once. */
function transportsOf(value: unknown): readonly string[] {
  return Array.isArray(value) ? [...known].filter((one) => value.includes(one)) : []
}

/** The parts of an attestation object that decide whether the library may see it. Throws for what is none. */
async function readAttestation(text: string) {
  const { decodeAttestationObject } = await import('@simplewebauthn/server/helpers')
  const decoded: unknown = decodeAttestationObject(fromBase64url(text) as Uint8Array<ArrayBuffer>)
  const map = decoded instanceof Map ? decoded : new Map<unknown, unknown>()
  const [fmt, authData, statement] = [map.get('fmt'), map.get('authData'), map.get('attStmt')]
  if (typeof fmt !== 'string' || !(authData instanceof Uint8Array) || !(statement instanceof Map)) throw new Error('no attestation object')
  return { fmt, authData, hasCertificate: statement.has('x5c') }
}
