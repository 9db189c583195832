// The embedded store on a disk that fails it: full, not to be written, or dead from one moment to the next. It may refuse;
// it must not acknowledge what it does not hold, nor lose what it has acknowledged.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { openSqliteStore, type SqliteStore } from '#stores/sqlite'
import { openDriver } from '../../src/stores/sqlite/driver.ts'
import { client, sign } from '../suites/store/setting.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'symbolon-disk-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const mount = (...words: string[]) => spawnSync('mount', words, { encoding: 'utf8' }).status === 0
/** Lazily: the driver lets go of a closed file only when its statements are collected. */
const unmount = (place: string) => spawnSync('umount', ['-l', place], { encoding: 'utf8' })

/** Whether this machine lets us make a small disk. */
const disks = (() => {
  const place = mkdtempSync(join(tmpdir(), 'symbolon-mount-'))
  const is = process.getuid?.() === 0 && mount('-t', 'tmpfs', '-o', 'size=1m', 'none', place)
  if (is) unmount(place)
  rmSync(place, { recursive: true, force: true })
  return is
})()

describe.skipIf(!disks)('on a small disk (needs root, to mount one)', () => {
  let disk: string
  let store: SqliteStore | undefined
  const openOn = async () => {
    store = await openSqliteStore({ path: join(disk, 'symbolon.db') })
    return store
  }
  beforeEach(() => {
    disk = join(folder, 'disk')
    mkdirSync(disk)
    expect(mount('-t', 'tmpfs', '-o', 'size=4m', 'none', disk)).toBe(true)
  })
  afterEach(async () => {
    await store?.close()
    store = undefined
    const { status, stderr } = unmount(disk)
    expect(status, stderr).toBe(0)
  })
  const fill = () => {
    for (const size of [1_000_000, 10_000, 100])
      for (let i = 0; ; i++)
        try {
          writeFileSync(join(disk, `full-${size}-${i}`), Buffer.alloc(size, 1))
        } catch {
          break
        }
  }
  const makeRoom = () => {
    for (const name of readdirSync(disk)) if (name.startsWith('full-')) rmSync(join(disk, name))
  }

  it('that is full, refuses in a sentence, goes on reading, and goes on writing once there is room', async () => {
    const on = await openOn()
    await on.clients.put(client('app'), null, [])
    const open = async () => {
      const input = sign()
      const outcome = await on.sessions.open(input).then(
        ({ outcome }) => outcome as string,
        (error) => error as Error & { code: string },
      )
      return { sid: input.session.sid, outcome }
    }
    const first = await open()
    expect(first.outcome).toBe('opened')
    fill()
    const tried = []
    // In groups of many and of one; what is left of the last page may still take some.
    for (let i = 0; i < 40; i++) tried.push(...(await Promise.all(Array.from({ length: i % 2 === 0 ? 10 : 1 }, open))))
    const refused = tried.filter(({ outcome }) => outcome !== 'opened')
    expect(refused.length).toBeGreaterThan(0)
    for (const { outcome } of refused)
      expect(outcome).toMatchObject({
        code: 'store_unavailable',
        message: expect.stringMatching(/^The disk that holds .* is full; make room\.$/),
      })
    await expect(on.sessions.revoke({ sid: first.sid }, 'sign_out', [])).rejects.toMatchObject({ code: 'store_unavailable' })
    // Not revoked, and not said to be: who reads it is told the truth.
    expect((await on.sessions.find(first.sid))?.session.revokedAt).toBeNull()
    expect((await on.feed.head()).seq).toBe(0)

    makeRoom()
    const { head } = await on.sessions.revoke({ sid: first.sid }, 'sign_out', [])
    expect(head.seq).toBe(1)
    expect((await open()).outcome).toBe('opened')
    await on.close()
    const again = await openOn()
    for (const { sid, outcome } of tried) expect((await again.sessions.find(sid)) !== undefined, sid).toBe(outcome === 'opened')
    expect((await again.sessions.find(first.sid))?.session.revokedAt).not.toBeNull()
    expect(await again.examine()).toEqual([])
  })

  it('that must not be written, is refused at the start in a sentence, and taken when it may', async () => {
    const path = join(disk, 'symbolon.db')
    await (await openOn()).clients.put(client('app'), null, [])
    // The same disk a second time, at a place where nothing can be written.
    const readOnly = join(folder, 'read-only')
    mkdirSync(readOnly)
    expect(mount('--bind', disk, readOnly) && mount('-o', 'remount,bind,ro', readOnly)).toBe(true)
    try {
      const sentence = /^The database .* cannot be written; mend its owner or mode, and its directory's\.$/
      await expect(openSqliteStore({ path: path.replace(disk, readOnly) })).rejects.toThrow(sentence)
    } finally {
      unmount(readOnly)
    }
    await store?.close()
    expect(await (await openOn()).clients.find('app')).toMatchObject({ id: 'app' })
  })
})

/** Whether a process can be held still, and seen to be. */
const frozen = existsSync('/proc/self/task')

describe.skipIf(!frozen)('when the power is cut (needs /proc, to see a process held still)', () => {
  let load: ChildProcess
  afterEach(() => load.kill('SIGKILL'))

  it('at any moment, holds what was acknowledged', async () => {
    const path = join(folder, 'symbolon.db')
    // A file takes every line at once, and is read when it is needed.
    const lines = join(folder, 'acknowledged')
    const out = openSync(lines, 'a')
    const program = fileURLToPath(new URL('./sqlite-load.mjs', import.meta.url))
    load = spawn(process.execPath, [program, path], { stdio: ['ignore', out, 'inherit'] })
    closeSync(out)
    const pid = load.pid as number
    const acknowledged = () => readFileSync(lines, 'utf8').split('\n').slice(0, -1)
    const holdStill = async () => {
      load.kill('SIGSTOP')
      const isStill = () =>
        readdirSync(`/proc/${pid}/task`).every((task) =>
          / T \d/.test(readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8').replace(/^.*\)/, '')),
        )
      while (!isStill()) await new Promise((resolve) => setTimeout(resolve, 1))
    }
    let torn = 0
    for (let round = 0; round < 12; round++) {
      // Another moment each time, far enough on that files were checkpointed too.
      const enough = acknowledged().length + 20 + round * round * 12 + Math.floor(Math.random() * 100)
      while (acknowledged().length < enough) {
        expect([load.exitCode, load.signalCode]).toEqual([null, null])
        await new Promise((resolve) => setTimeout(resolve, 5))
      }
      // What the log held when these were acknowledged was flushed before; what came to it since may be lost in part.
      const promised = acknowledged()
      const flushed = statSync(`${path}-wal`).size
      await new Promise((resolve) => setTimeout(resolve, 1 + Math.random() * 10))
      while (round === 0 && statSync(`${path}-wal`).size === flushed) await new Promise((resolve) => setTimeout(resolve, 1))
      await holdStill()
      const copy = join(folder, `copy-${round}`)
      mkdirSync(copy)
      for (const end of round % 2 === 0 ? ['', '-wal'] : ['', '-wal', '-shm']) copyFileSync(path + end, join(copy, `symbolon.db${end}`))
      load.kill('SIGCONT')
      const log = join(copy, 'symbolon.db-wal')
      const { size } = statSync(log)
      if (size > flushed && size < 4_000_000) {
        truncateSync(log, flushed + Math.floor(Math.random() * (size - flushed)))
        torn++
      }

      const store = await openSqliteStore({ path: join(copy, 'symbolon.db') })
      try {
        expect(await store.examine()).toEqual([])
        const logged = new Map<string, number>()
        for (let after = 0; ; ) {
          const page = await store.feed.after(after, 1000)
          for (const { id, seq } of page) logged.set(id, seq)
          const last = page.at(-1)
          if (last === undefined) break
          after = last.seq
        }
        for (const line of promised) {
          const [what, sid = '', number] = line.split(' ')
          const session = (await store.sessions.find(sid))?.session
          expect(session?.generation, line).toBeGreaterThanOrEqual(what === 'revoked' ? 1 : Number(number))
          if (what !== 'revoked') continue
          expect(session?.revokedAt, line).not.toBeNull()
          expect(logged.get(sid), line).toBe(Number(number))
        }
        // It is a store like any other: it goes on.
        const input = sign()
        expect((await store.sessions.open(input)).outcome).toBe('opened')
      } finally {
        await store.close()
      }
    }
    expect(torn).toBeGreaterThan(0)
  })
})

it('opens beside another process that writes, and says so when that takes too long', async () => {
  const path = join(folder, 'symbolon.db')
  await (await openSqliteStore({ path })).close()
  const other = openDriver(path)
  other.exec('BEGIN IMMEDIATE')
  await expect(openSqliteStore({ path })).rejects.toThrow(/locked by another process/)
  other.exec('ROLLBACK')
  other.close()
  await (await openSqliteStore({ path })).close()
})
