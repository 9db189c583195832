// The file of server secrets: one a line, the first one seals, the others only open. Changed whole or not at all, comments
// kept. What stands in it is never returned: secrets are told apart by their ids.

import { randomBytes } from 'node:crypto'
import { realpathSync } from 'node:fs'
import { createCrypto } from './crypto.ts'
import { readSecretFile, rewriteSecretFile } from './data.ts'
import { refuseOption } from './options.ts'

const most = 5

/** The id of a secret; tells nothing of it. */
export const secretId = (secret: string) => createCrypto([secret]).secretIds[0] as string

function read(path: string) {
  const text = readSecretFile(path)
  if (text === undefined) throw refuseOption(`The secrets file ${path} is missing; put it back from your backup.`)
  const lines = text.split('\n').map((line) => {
    const secret = line.trim()
    return { line, id: secret === '' || secret.startsWith('#') ? null : secretId(secret) }
  })
  return { lines, ids: lines.flatMap(({ id }) => id ?? []) }
}

function write(path: string, lines: readonly { readonly line: string }[]): void {
  // A link stays a link; the file it leads to is replaced.
  rewriteSecretFile(realpathSync(path), lines.map(({ line }) => line).join('\n'))
}

/** Ids of the secrets in it, in their order. */
export const secretIdsOf = (path: string): readonly string[] => read(path).ids

/** Makes a new secret the second one: known, and not yet sealing. Returns its id. */
export function addSecret(path: string): string {
  const { lines, ids } = read(path)
  if (ids.length === 0) throw refuseOption(`There is no secret in ${path}; make a first one with \`symbolon init\`.`)
  if (ids.length >= most) throw refuseOption(`There are ${most} secrets in ${path}, and no more can be; drop one that is out of use.`)
  const line = randomBytes(48).toString('base64url')
  const at = lines.findIndex(({ id }) => id !== null)
  const added = { line, id: secretId(line) }
  write(path, [...lines.slice(0, at + 1), added, ...lines.slice(at + 1)])
  return added.id
}

/** Makes a secret the first one: it seals from the next start on. */
export function promoteSecret(path: string, id: string): void {
  const { lines, ids } = read(path)
  const line = lines.find((one) => one.id === id)
  if (line === undefined) throw refuseOption(`There is no secret ${id} in ${path}; symbolon secrets status lists them.`)
  if (ids[0] === id) throw refuseOption(`The secret ${id} is the first one already.`)
  const others = lines.filter((one) => one !== line)
  const at = others.findIndex((one) => one.id !== null)
  write(path, [...others.slice(0, at), line, ...others.slice(at)])
}

/** Removes a secret; never the first one. */
export function removeSecret(path: string, id: string): void {
  const { lines, ids } = read(path)
  if (ids[0] === id) throw refuseOption(`The secret ${id} is the one that seals; promote another one first.`)
  write(
    path,
    lines.filter((one) => one.id !== id),
  )
}
