// The data directory: mode 0700, its secret files mode 0600. Development makes its own secret and admin key here.
// A secret file that others can read is refused, never repaired in silence: it may have been read already.

import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fchownSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  type Stats,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { SymbolonError } from '@symbolon/protocol'
import { refuseOption } from './options.ts'

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException | null)?.code

/**
 * Makes a directory and what is missing above it (mode 0700); whether it was not there. One by one: `recursive` of node tries for ever
 * where a file system takes no directories but says that the parent is missing, as /proc does.
 */
function makeDirectory(directory: string): boolean {
  try {
    mkdirSync(directory, { mode: 0o700 })
    return true
  } catch (error) {
    if (codeOf(error) === 'EEXIST' && statSync(directory).isDirectory()) return false
    const parent = dirname(directory)
    if (codeOf(error) !== 'ENOENT' || parent === directory || existsSync(parent)) throw error
    makeDirectory(parent)
    return makeDirectory(directory)
  }
}

/** Whether a directory is ours to close to others: it holds files whose names are only ours, or nothing at all. */
const isOursToClose = (names: readonly string[]) =>
  names.length === 0 || names.some((name) => ['symbolon.db', 'admin.key', 'admin-keys'].includes(name))

/**
 * Makes the data directory (mode 0700). Throws `invalid_option` with a sentence when it cannot be written, or when it is
 * open to others and somebody else's files are in it: closing /tmp or a home would break what is not ours.
 */
export function prepareData(directory: string): void {
  try {
    if (!makeDirectory(resolve(directory)) && (statSync(directory).mode & 0o077) !== 0) {
      if (!isOursToClose(readdirSync(directory)))
        throw refuseOption(`The data directory ${directory} is open to others and holds other files; name a directory of its own in data.`)
      chmodSync(directory, 0o700)
    }
    const probe = join(directory, `.write-${process.pid}-${randomBytes(4).toString('hex')}`)
    closeSync(openSync(probe, 'wx', 0o600))
    unlinkSync(probe)
  } catch (cause) {
    if (cause instanceof SymbolonError) throw cause
    throw refuseOption(
      `The data directory ${directory} cannot be written (${codeOf(cause) ?? 'unknown'}); mend its owner or mode, or name another one in data.`,
    )
  }
}

/**
 * Whether only its owner reads a file. What systemd hands to a service (LoadCredential) is root's, and shows the list of who
 * else may read it, the service alone, as a right of root's own group.
 */
const isPrivate = ({ mode, uid, gid }: Stats) => (mode & 0o077) === 0 || ((mode & 0o777) === 0o440 && uid === 0 && gid === 0)

/** Reads a secret file, refusing one that group or others may read. `undefined` when it is not there. */
export function readSecretFile(path: string): string | undefined {
  let stats: Stats
  try {
    stats = statSync(path)
  } catch (cause) {
    if (codeOf(cause) === 'ENOENT') return undefined
    throw refuseOption(`The file ${path} cannot be read (${codeOf(cause) ?? 'unknown'}); mend its owner or mode.`)
  }
  if (!isPrivate(stats)) throw refuseOption(`The file ${path} can be read by others; replace the secret in it, then run: chmod 600 ${path}`)
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (cause) {
    throw refuseOption(`The file ${path} cannot be read (${codeOf(cause) ?? 'unknown'}); mend its owner or mode.`)
  }
}

/**
 * Whose a file that is written here should be: that of the one it replaces, else of its directory. An operator's command runs as
 * root beside a service that does not: what it leaves there, the service has to read. Undefined for everybody but root, who can
 * give nothing away.
 */
export function ownerFor(path: string): Pick<Stats, 'uid' | 'gid'> | undefined {
  if (process.geteuid?.() !== 0) return undefined
  return statSync(path, { throwIfNoEntry: false }) ?? statSync(dirname(resolve(path)))
}

/** Writes one beside its place (mode 0600), to the disk. */
function writePart(path: string, text: string): string {
  const part = `${path}.${randomBytes(6).toString('hex')}`
  const file = openSync(part, 'wx', 0o600)
  try {
    const owner = ownerFor(path)
    if (owner !== undefined) fchownSync(file, owner.uid, owner.gid)
    writeSync(file, `${text}\n`)
    fsyncSync(file)
  } finally {
    closeSync(file)
  }
  return part
}

/** Writes a new secret file (mode 0600) whole or not at all; the content that stands there wins over ours. */
export function writeSecretFile(path: string, text: string): string {
  makeDirectory(dirname(resolve(path)))
  const part = writePart(path, text)
  try {
    linkSync(part, path)
    return text
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error
    return readSecretFile(path) ?? text
  } finally {
    unlinkSync(part)
  }
}

/** Replaces a secret file (mode 0600), whole or not at all. */
export function rewriteSecretFile(path: string, text: string): void {
  renameSync(writePart(path, text), path)
}

/** A secret from its file, made there when it is missing: 256 random bits, base64url. */
export function ownSecret(directory: string, name: string): string {
  const path = join(directory, name)
  return readSecretFile(path) ?? writeSecretFile(path, randomBytes(32).toString('base64url'))
}
