// Rows to records and back, for every store: raw arrays in one written order of columns. Lists and policies stand as
// JSON; a text that was read before gives the same frozen object again, so that a hot read parses nothing.

import type { Revocation } from '@symbolon/protocol'
import type { AddressUndo, Attempt, AuditEntry, Client, Lease, Passkey, Session, SigningKey, User } from '#core'

/** A row as a driver gives it: columns in the order asked for. */
export type Row = readonly unknown[]

const parsed = new Map<string, unknown>()

/** Parses JSON that the store itself wrote; equal texts give the same object. Bounded. */
function read<T>(text: unknown): T {
  let value = parsed.get(text as string)
  if (value === undefined) {
    value = Object.freeze(JSON.parse(text as string))
    if (parsed.size >= 1000) parsed.clear()
    parsed.set(text as string, value)
  }
  return value as T
}

/** A list of texts that the store itself wrote. */
export const listOf = (text: string): readonly string[] => read(text)

/** The columns of a session, in the order that `sessionOf` reads. */
export const sessionColumns = [
  'sid',
  'tenant',
  'kind',
  'parent',
  'client_id',
  'user_id',
  'user_epoch',
  'client_epoch',
  'created_at',
  'auth_time',
  'acr',
  'amr',
  'expires_at',
  'idle',
  'last_seen_at',
  'ip',
  'user_agent',
  'binding',
  'generation',
  'predecessor',
  'replaced',
  'rotated_at',
  'seen',
  'recovered',
  'credential_hash',
  'sealed_key',
  'revoked_at',
  'revoked_reason',
  'base_acr',
  'base_amr',
  'replaced_for',
] as const

/** How many of them there were when the verb that opens a session was written in the database: of a new one the others are null. */
export const firstSessionColumns = 28

/**
 * What to select for `sessionOf`: bytes as hexadecimal text. A driver makes a buffer outside of the heap for every blob it
 * reads, which costs more than the rest of the row.
 */
export const sessionSelection: readonly string[] = sessionColumns.map((name) =>
  name === 'credential_hash' || name === 'sealed_key' ? `hex(s.${name})` : `s.${name}`,
)

/** Bytes with memory of their own: cloning a slice of Node's pool to another thread would copy the pool as it was before. */
const bytesOf = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

/** A session from its selection. */
export function sessionOf(row: Row, at = 0): Session {
  const r = row as readonly never[]
  return {
    sid: r[at]!,
    tenant: r[at + 1]!,
    kind: r[at + 2]!,
    parent: r[at + 3]!,
    clientId: r[at + 4]!,
    userId: r[at + 5]!,
    userEpoch: r[at + 6]!,
    clientEpoch: r[at + 7]!,
    createdAt: r[at + 8]!,
    authTime: r[at + 9]!,
    acr: r[at + 10]!,
    amr: read(r[at + 11]),
    baseAcr: r[at + 28] ?? null,
    baseAmr: (r[at + 29] ?? null) === null ? null : read(r[at + 29]),
    expiresAt: r[at + 12]!,
    idle: r[at + 13]!,
    lastSeenAt: r[at + 14]!,
    ip: r[at + 15]!,
    userAgent: r[at + 16]!,
    binding: r[at + 17]!,
    generation: r[at + 18]!,
    predecessor: r[at + 19]!,
    replaced: r[at + 20]!,
    replacedFor: r[at + 30] ?? null,
    rotatedAt: r[at + 21]!,
    seen: r[at + 22] === 1,
    recovered: r[at + 23]!,
    credentialHash: bytesOf(r[at + 24]!),
    sealedKey: bytesOf(r[at + 25]!),
    revokedAt: r[at + 26]!,
    revokedReason: r[at + 27]!,
  }
}

/** The columns of a user, in the order that `userOf` reads. */
export const userColumns = ['id', 'tenant', 'email', 'roles', 'status', 'epoch', 'created_at'] as const

/** A user from its columns, which begin at `at`. */
export function userOf(row: Row, at = 0): User {
  const r = row as readonly never[]
  return {
    id: r[at]!,
    tenant: r[at + 1]!,
    email: r[at + 2]!,
    roles: read(r[at + 3]),
    status: r[at + 4]!,
    epoch: r[at + 5]!,
    createdAt: r[at + 6]!,
  }
}

/** The columns of an address that can be put back, in the order that `undoOf` reads. */
export const undoColumns = ['id_hash', 'tenant', 'user_id', 'email', 'created_at', 'expires_at'] as const

/** An address that can be put back, from its columns. */
export function undoOf(row: Row): AddressUndo {
  const r = row as readonly never[]
  return { idHash: r[0]!, userId: r[2]!, email: r[3]!, createdAt: r[4]!, expiresAt: r[5]! }
}

/** The columns of a client, in the order that `clientOf` reads. */
export const clientColumns = [
  'id',
  'tenant',
  'name',
  'transport',
  'status',
  'epoch',
  'origins',
  'return_to',
  'secret_hashes',
  'scopes',
  'audiences',
  'policy',
  'created_at',
  'keys',
  'token_format',
] as const

/** A client from its columns, which begin at `at`. */
export function clientOf(row: Row, at = 0): Client {
  const r = row as readonly never[]
  return {
    id: r[at]!,
    tenant: r[at + 1]!,
    name: r[at + 2]!,
    transport: r[at + 3]!,
    status: r[at + 4]!,
    epoch: r[at + 5]!,
    origins: read(r[at + 6]),
    returnTo: read(r[at + 7]),
    secretHashes: read(r[at + 8]),
    scopes: read(r[at + 9]),
    audiences: read(r[at + 10]),
    policy: read(r[at + 11]),
    createdAt: r[at + 12]!,
    keys: read(r[at + 13]),
    accessTokenFormat: r[at + 14]!,
  }
}

/** What tokens carry of a client, its own (scopes, audiences, targets) and its users' (the policy's scope): when it changes, the epoch grows. */
export const weighty = ({ status, scopes, audiences, policy }: Pick<Client, 'status' | 'scopes' | 'audiences' | 'policy'>) =>
  JSON.stringify([status, scopes, audiences, policy.scope ?? [], policy.targets ?? []])

/** The columns of a signing key, in the order that `keyOf` reads. */
export const keyColumns = ['kid', 'tenant', 'alg', 'state', 'public_jwk', 'sealed_private', 'created_at', 'changed_at'] as const

/** A signing key from its columns. */
export function keyOf(row: Row): SigningKey {
  const r = row as readonly never[]
  return {
    kid: r[0]!,
    tenant: r[1]!,
    alg: r[2]!,
    state: r[3]!,
    publicJwk: read(r[4]),
    sealedPrivate: r[5]!,
    createdAt: r[6]!,
    changedAt: r[7]!,
  }
}

/** The columns of an attempt, in the order that `attemptOf` reads. */
export const attemptColumns = [
  'id_hash',
  'tenant',
  'client_id',
  'purpose',
  'method',
  'sealed_identifier',
  'binding_hash',
  'code_hash',
  'tries',
  'max_tries',
  'sends',
  'created_at',
  'expires_at',
  'resend_at',
  'consumed_at',
  'state',
  'step',
  'link_hash',
  'ends_at',
  'user_agent',
  'return_to',
  'user_id',
  'proven',
  'sid',
  'need',
  'action',
] as const

/** What to select for `attemptOf`, of a driver that has `hex`: bytes as hexadecimal text. */
export const attemptSelection: readonly string[] = attemptColumns.map((name) =>
  name === 'sealed_identifier' || name === 'code_hash' ? `hex(${name})` : name,
)

/** An attempt from its selection. */
export function attemptOf(row: Row): Attempt {
  const r = row as readonly never[]
  return {
    idHash: r[0]!,
    tenant: r[1]!,
    clientId: r[2]!,
    purpose: r[3]!,
    method: r[4]!,
    sealedIdentifier: bytesOf(r[5]!),
    bindingHash: r[6]!,
    codeHash: bytesOf(r[7]!),
    tries: r[8]!,
    maxTries: r[9]!,
    sends: r[10]!,
    createdAt: r[11]!,
    expiresAt: r[12]!,
    resendAt: r[13]!,
    consumedAt: r[14]!,
    // What a version before these columns started waits for a code.
    state: r[15] ?? 'verify',
    step: r[16]!,
    linkHash: r[17]!,
    endsAt: r[18] ?? r[12]!,
    userAgent: r[19]!,
    returnTo: r[20]!,
    userId: r[21]!,
    proven: r[22] === null ? [] : JSON.parse(r[22]!),
    sid: r[23]!,
    need: r[24] === null ? null : JSON.parse(r[24]!),
    action: r[25]!,
  }
}

/** The columns of a passkey, in the order that `passkeyOf` reads. */
export const passkeyColumns = [
  'id',
  'tenant',
  'user_id',
  'public_key',
  'counter',
  'transports',
  'backup_eligible',
  'backed_up',
  'aaguid',
  'name',
  'user_verified',
  'created_at',
  'last_used_at',
] as const

/** A passkey from its columns, which begin at `at`. */
export function passkeyOf(row: Row, at = 0): Passkey {
  const r = row as readonly never[]
  return {
    id: r[at]!,
    tenant: r[at + 1]!,
    userId: r[at + 2]!,
    publicKey: r[at + 3]!,
    counter: r[at + 4]!,
    transports: read(r[at + 5]),
    backupEligible: r[at + 6] === 1,
    backedUp: r[at + 7] === 1,
    aaguid: r[at + 8]!,
    name: r[at + 9]!,
    userVerified: r[at + 10] === 1,
    createdAt: r[at + 11]!,
    lastUsedAt: r[at + 12]!,
  }
}

/** The columns of an audit line, in the order that `auditOf` reads. */
export const auditColumns = ['at', 'tenant', 'event', 'user_id', 'sid', 'client_id', 'ip', 'detail'] as const

/** An audit line from its columns. */
export function auditOf(row: Row): AuditEntry {
  const r = row as readonly never[]
  return {
    at: r[0]!,
    tenant: r[1]!,
    event: r[2]!,
    userId: r[3]!,
    sid: r[4]!,
    clientId: r[5]!,
    ip: r[6]!,
    detail: JSON.parse(r[7]!),
  }
}

/** The columns of a feed entry, in the order that `revocationOf` reads. */
export const feedColumns = ['seq', 'tenant', 'kind', 'id', 'epoch', 'state', 'at', 'expires'] as const

/** A feed entry from its columns. */
export function revocationOf(row: Row): Revocation {
  const r = row as readonly never[]
  return {
    seq: r[0]!,
    tenant: r[1]!,
    kind: r[2]!,
    id: r[3]!,
    ...(r[4] !== null && { epoch: r[4]! }),
    ...(r[5] !== null && { state: r[5]! }),
    at: r[6]!,
    expires: r[7]!,
  }
}

/** A lease from its columns: name, holder, until, ran at. */
export function leaseOf(row: Row): Lease {
  const r = row as readonly never[]
  return { name: r[0]!, holder: r[1]!, until: r[2]!, ranAt: r[3]! }
}

/** `a, b, c`, each behind a table's alias if one is given. */
export function columns(names: readonly string[], alias?: string): string {
  return names.map((name) => (alias === undefined ? name : `${alias}.${name}`)).join(', ')
}
