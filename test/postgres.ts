// A PostgreSQL server for tests: its own data in a temporary directory, on a free port of this machine, ended by its
// process id. PostgreSQL refuses to run as root: then it runs as the user `postgres`.

import { spawn, spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Client } from 'pg'
import { type Disk, mountDisk } from './disk.ts'
import { freePort } from './free-port.ts'

/** Where the server's programs are: those on the path of Debian's packages, the newest, or `POSTGRES_BIN`. */
function programs(): string {
  const named = process.env.POSTGRES_BIN
  if (named !== undefined) return named
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  const found = versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')))
  if (found === undefined)
    throw new Error('These tests need PostgreSQL: install it (Debian: apt-get install postgresql), or name its programs in POSTGRES_BIN.')
  return found
}

const asRoot = process.getuid?.() === 0

const commandOf = (program: string, args: readonly string[]): [string, string[]] =>
  asRoot ? ['runuser', ['-u', 'postgres', '--', program, ...args]] : [program, [...args]]

function run(program: string, args: readonly string[]): void {
  const done = spawnSync(...commandOf(program, args), { encoding: 'utf8', cwd: '/' })
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.stdout || done.error}`)
}

/** The same, while this process goes on: what it measures must not stand still until a server has recovered. */
async function runBeside(program: string, args: readonly string[]): Promise<void> {
  const child = spawn(...commandOf(program, args), { cwd: '/', stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  child.stderr?.on('data', (bytes) => {
    said += bytes
  })
  const code = await new Promise((resolve, reject) => child.once('error', reject).once('exit', resolve))
  if (code !== 0) throw new Error(`${program} ${args.join(' ')}: ${said}`)
}

/** A server that runs. */
export interface Postgres {
  readonly port: number
  readonly folder: string
  /** The small disk that was asked for. */
  readonly disk: Disk | undefined
  /** The address of a database, reached by `port` or by that of a proxy before it. */
  url(database: string, through?: number): string
  /** A new database, or a copy of one that nobody is connected to. */
  create(of?: string): Promise<string>
  /** Runs statements as the superuser. */
  sql(database: string, text: string, values?: readonly unknown[]): Promise<readonly Record<string, unknown>[]>
  /** Runs statements in a transaction that stays open; `holds` when they have run. `release` ends it, with a commit if told so. */
  hold(database: string, text: string, commit?: boolean): { readonly holds: Promise<void>; release(): Promise<void> }
  start(options?: readonly string[]): Promise<void>
  /** Ends the server: with connections cut (`fast`), or as a crash would (`immediate`). */
  halt(mode: 'fast' | 'immediate'): void
  /** Whether its main process lives, well or not; its id. */
  running(): boolean
  pid(): number | undefined
  /** Makes a standby a primary. */
  promote(): void
  /** Sends a signal to the server and every process of it. */
  signal(signal: NodeJS.Signals): void
  /** Ends it and removes its data. */
  stop(): void
}

/** Where a server begins, and on what. */
export interface Origin {
  /** A small disk (see `canMount`) for its tables and all else but the log of writes, or for that log alone. */
  readonly disk?: { readonly holds: 'data' | 'wal'; readonly megabytes: number }
  /** Begins as a standby that follows this server, under the name `standby`. */
  readonly of?: Postgres
}

/** Whose the server's files are. */
function owner() {
  const id = (flag: string) => Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  return { uid: id('-u'), gid: id('-g') }
}

/** A folder of this user's, or of the user `postgres`. */
function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-postgres-'))
  if (asRoot) chownSync(folder, owner().uid, owner().gid)
  return folder
}

const initdb = (bin: string, data: string, more: readonly string[] = []) =>
  run(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-locale', '-E', 'UTF8', '-N', ...more])

/** Copies the data of a new server, which are made once for all tests: making them takes longer than many a test. */
function copyNew(bin: string, data: string): void {
  const version = spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout.replace(/[^\w.]+/g, '-')
  const kept = join(cache, `initdb-${version}`)
  if (!existsSync(kept)) {
    const folder = newFolder()
    initdb(bin, join(folder, 'data'))
    mkdirSync(cache, { recursive: true })
    copy(join(folder, 'data'), `${kept}.${process.pid}`)
    rmSync(folder, { recursive: true })
    try {
      renameSync(`${kept}.${process.pid}`, kept)
    } catch {
      // Another process made them meanwhile.
      rmSync(`${kept}.${process.pid}`, { recursive: true })
    }
  }
  copy(kept, data)
}
const cache = fileURLToPath(new URL('../node_modules/.cache/symbolon', import.meta.url))

/** With modes and owners, as PostgreSQL wants its data. */
function copy(from: string, to: string): void {
  const done = spawnSync('cp', ['-a', from, to], { encoding: 'utf8' })
  if (done.status !== 0) throw new Error(done.stderr)
}

/** Starts a server. `settings`: lines for postgresql.conf, such as `fsync=off`. */
export async function startPostgres(settings: readonly string[] = [], origin: Origin = {}): Promise<Postgres> {
  const bin = programs()
  const folder = newFolder()
  const data = join(folder, 'data')
  const disk = origin.disk && mountDisk(join(folder, origin.disk.holds), origin.disk.megabytes, owner())
  try {
    make()
  } catch (error) {
    disk?.remove()
    throw error
  }
  function make() {
    if (origin.of !== undefined) {
      const from = `host=127.0.0.1 port=${origin.of.port} user=postgres application_name=standby`
      return run(join(bin, 'pg_basebackup'), ['-D', data, '-d', from, '-R', '-N', '-c', 'fast'])
    }
    if (disk === undefined) return copyNew(bin, data)
    // Small pieces of the log, so that a small disk can hold some.
    initdb(bin, data, ['-X', join(folder, 'wal'), '--wal-segsize=1'])
  }
  const port = await freePort()
  const sql = async (database: string, text: string, values: readonly unknown[] = []) => {
    const client = new Client({ connectionString: url(database) })
    client.on('error', () => {})
    await client.connect()
    try {
      const result = await client.query(text, values as unknown[])
      return (Array.isArray(result) ? result.at(-1) : result).rows as Record<string, unknown>[]
    } finally {
      await client.end()
    }
  }
  const url = (database: string, through = port) => `postgres://postgres@127.0.0.1:${through}/${database}`
  const pid = () =>
    existsSync(join(data, 'postmaster.pid')) ? Number(readFileSync(join(data, 'postmaster.pid'), 'utf8').split('\n')[0]) : undefined
  const options = [
    '-p',
    String(port),
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    `unix_socket_directories=${folder}`,
    ...settings.flatMap((one) => ['-c', one]),
  ]
  const server: Postgres = {
    port,
    folder,
    disk,
    url,
    sql,
    async create(of = 'template1') {
      const name = `test_${randomBytes(6).toString('hex')}`
      await sql('postgres', `CREATE DATABASE ${name} TEMPLATE ${of}`)
      return name
    },
    hold(database, text, commit = false) {
      const client = new Client({ connectionString: url(database) })
      client.on('error', () => {})
      const holds = (async () => {
        await client.connect()
        await client.query(`BEGIN; ${text}`)
      })()
      holds.catch(() => {})
      return {
        holds,
        async release() {
          const held = await holds.then(
            () => true,
            () => false,
          )
          if (held) await client.query(commit ? 'COMMIT' : 'ROLLBACK').catch(() => {})
          await client.end().catch(() => {})
        },
      }
    },
    async start(more = []) {
      await runBeside(join(bin, 'pg_ctl'), [
        '-D',
        data,
        '-w',
        '-s',
        '-l',
        join(folder, 'log'),
        '-o',
        [...options, ...more].map((word) => `'${word}'`).join(' '),
        'start',
      ])
    },
    running: () => pid() !== undefined,
    pid,
    promote: () => run(join(bin, 'pg_ctl'), ['-D', data, '-w', '-s', 'promote']),
    halt: (mode) => run(join(bin, 'pg_ctl'), ['-D', data, '-w', '-s', '-m', mode, 'stop']),
    signal(signal) {
      const main = pid()
      if (main === undefined) return
      const children = spawnSync('ps', ['-o', 'pid=', '--ppid', String(main)], { encoding: 'utf8' }).stdout
      for (const each of [
        main,
        ...children
          .split('\n')
          .map(Number)
          .filter((one) => one > 0),
      ])
        try {
          process.kill(each, signal)
        } catch {
          // A process of one query has ended since they were listed.
        }
    },
    stop() {
      const main = pid()
      if (main !== undefined) {
        server.signal('SIGCONT')
        spawnSync(asRoot ? 'runuser' : join(bin, 'pg_ctl'), [
          ...(asRoot ? ['-u', 'postgres', '--', join(bin, 'pg_ctl')] : []),
          ...['-D', data, '-w', '-s', '-m', 'immediate', 'stop'],
        ])
      }
      disk?.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
  try {
    await server.start()
  } catch (error) {
    server.stop()
    throw error
  }
  return server
}

/** A server that several tests of a file share, started by the first that asks for it. */
export function sharePostgres(settings: readonly string[] = []): (() => Promise<Postgres>) & { started(): Promise<Postgres | undefined> } {
  let starting: Promise<Postgres> | undefined
  const share = () => {
    starting ??= startPostgres(settings)
    return starting
  }
  return Object.assign(share, { started: async () => starting })
}
