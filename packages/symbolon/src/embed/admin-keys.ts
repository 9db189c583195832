// Admin keys: made once, shown once, kept as hashes in a file of the data directory (mode 0600). Development keeps one in
// clear beside it, `admin.key`. The file is read again when it changes, so that removing a key takes effect at once.

import { createHash, randomBytes } from 'node:crypto'
import { statSync } from 'node:fs'
import { join } from 'node:path'
import { ownSecret, prepareData, readSecretFile, rewriteSecretFile } from './data.ts'
import { refuseOption } from './options.ts'

/** An admin key as it is listed. */
export interface AdminKey {
  readonly name: string
  readonly hash: string
}

const pathOf = (directory: string) => join(directory, 'admin-keys')
const hashOf = (key: string) => createHash('sha256').update(key).digest('base64url')

/** The admin keys of a data directory. */
export function listAdminKeys(directory: string): readonly AdminKey[] {
  return (readSecretFile(pathOf(directory)) ?? '')
    .split('\n')
    .map((line) => /^([a-z0-9-]{1,40}) ([\w-]{43})$/.exec(line))
    .flatMap((match) => (match === null ? [] : [{ name: match[1] as string, hash: match[2] as string }]))
}

/** Makes a key and keeps its hash; the key itself is shown here and never again. */
export function createAdminKey(directory: string, name: string): string {
  if (!/^[a-z0-9-]{1,40}$/.test(name)) throw refuseOption('An admin key needs a short name of lower-case letters, digits and dashes.')
  const keys = listAdminKeys(directory)
  if (keys.some((key) => key.name === name))
    throw refuseOption(`There is an admin key named ${name} already; remove it or choose another name.`)
  prepareData(directory)
  const key = `sya_${randomBytes(32).toString('base64url')}`
  write(directory, [...keys, { name, hash: hashOf(key) }])
  return key
}

/** Removes a key; false when there is none of that name. */
export function removeAdminKey(directory: string, name: string): boolean {
  const keys = listAdminKeys(directory)
  const rest = keys.filter((key) => key.name !== name)
  if (rest.length === keys.length) return false
  write(directory, rest)
  return true
}

const write = (directory: string, keys: readonly AdminKey[]) =>
  rewriteSecretFile(pathOf(directory), keys.map(({ name, hash }) => `${name} ${hash}`).join('\n'))

/**
 * The hashes that admit an operator, as they are now. Throws at once when the file of keys can be read by others; later none
 * of its keys admit anybody then, and `refused` hears why.
 */
export function adminKeyHashes(directory: string, dev: boolean, refused: (error: unknown) => void): () => readonly Uint8Array[] {
  const own = dev ? [Buffer.from(hashOf(ownSecret(directory, 'admin.key')), 'base64url')] : []
  let seen = ''
  let hashes: readonly Uint8Array[] = own
  const read = () => {
    const stat = statSync(pathOf(directory), { throwIfNoEntry: false })
    const now = stat === undefined ? 'none' : `${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}`
    if (now === seen) return hashes
    seen = now
    hashes = own
    try {
      hashes = [...own, ...listAdminKeys(directory).map((key) => Buffer.from(key.hash, 'base64url'))]
    } catch (error) {
      // One that could not be read may be read the next time; one that others can read says so by its change.
      if (stat !== undefined && (stat.mode & 0o077) === 0) seen = ''
      throw error
    }
    return hashes
  }
  // A file that must not be trusted is told of at the start, not to the first operator.
  read()
  return () => {
    try {
      return read()
    } catch (error) {
      refused(error)
      return own
    }
  }
}
