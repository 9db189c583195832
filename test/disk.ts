// Small disks for tests, in memory: filled with ballast on demand, and freed again. Only root can mount one.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const mount = (place: string, options: string) =>
  spawnSync('mount', ['-t', 'tmpfs', '-o', options, 'none', place], { encoding: 'utf8' }).status === 0
const unmount = (place: string) => void spawnSync('umount', ['-l', place])

/** A disk. */
export interface Disk {
  readonly place: string
  /** Leaves no byte free. */
  fill(): void
  /** Takes the ballast away. */
  free(): void
  remove(): void
}

/** Whether this machine lets us make one. */
export const canMount: boolean = (() => {
  const place = mkdtempSync(join(tmpdir(), 'symbolon-mount-'))
  const can = process.getuid?.() === 0 && mount(place, 'size=1m')
  if (can) unmount(place)
  rmSync(place, { recursive: true, force: true })
  return can
})()

const ballast = 'ballast-'

/** Mounts a disk; `owner`: whose it is. */
export function mountDisk(place: string, megabytes: number, owner: { readonly uid: number; readonly gid: number }): Disk {
  mkdirSync(place)
  if (!mount(place, `size=${megabytes}m,mode=0700,uid=${owner.uid},gid=${owner.gid}`))
    throw new Error(`No disk could be mounted at ${place}.`)
  let count = 0
  return {
    place,
    fill() {
      for (const size of [1_000_000, 10_000, 1])
        for (;;)
          try {
            writeFileSync(join(place, `${ballast}${count++}`), Buffer.alloc(size, 1))
          } catch {
            break
          }
    },
    free() {
      for (const name of readdirSync(place)) if (name.startsWith(ballast)) rmSync(join(place, name))
    },
    remove: () => unmount(place),
  }
}
