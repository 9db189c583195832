// A PostgreSQL server to measure on: its own data in a temporary directory, on a free port, durable, ended by its process
// id. The same steps as the tests' own server, which may be sloppy with what it was told; this one never is.

import { spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { freePort } from './free-port.ts'
import { reserveHugePages } from './huge-pages.ts'

/** Where the server's programs are: the newest of Debian's packages, or `POSTGRES_BIN`; `undefined` where there are none. */
export function findPrograms(): string | undefined {
  if (process.env.POSTGRES_BIN !== undefined) return process.env.POSTGRES_BIN
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).sort((a, b) => Number(b) - Number(a)) : []
  return versions.map((version) => join(root, version, 'bin')).find((folder) => existsSync(join(folder, 'initdb')))
}

const asRoot = process.getuid?.() === 0

function run(program: string, args: readonly string[]): string {
  const [command, all] = asRoot ? ['runuser', ['-u', 'postgres', '--', program, ...args]] : [program, [...args]]
  const done = spawnSync(command, all as string[], { encoding: 'utf8', cwd: '/' })
  if (done.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${done.stderr || done.stdout || done.error}`)
  return done.stdout
}

/** A server that runs. */
export interface PostgresServer {
  /** What it was told, for whoever reads the figures. */
  readonly settings: string
  /** The address of a database. */
  url(database: string): string
  /** Runs statements as the superuser; rows of the last one. */
  sql(database: string, text: string): Promise<readonly Record<string, unknown>[]>
  stop(): void
}

/** Starts a durable server; `share` of the memory is for its buffers, `huge`: in huge pages where they can be had. */
export async function startServer({ share = 0.25, huge = false } = {}): Promise<PostgresServer> {
  const bin = findPrograms()
  if (bin === undefined)
    throw new Error('This part needs PostgreSQL: install it (Debian: apt-get install postgresql), or name its programs in POSTGRES_BIN.')
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-bench-postgres-'))
  if (asRoot) {
    const uid = Number(spawnSync('id', ['-u', 'postgres'], { encoding: 'utf8' }).stdout)
    chownSync(folder, uid, uid)
  }
  const data = join(folder, 'data')
  const buffers = Math.max(128, Math.min(65_536, Math.floor((totalmem() * share) / 1_048_576)))
  const told = [
    'fsync=on',
    'synchronous_commit=on',
    'full_page_writes=on',
    `shared_buffers=${buffers}MB`,
    'max_wal_size=8GB',
    'max_connections=100',
  ]
  let giveBack: (() => void) | undefined
  const url = (database: string) => `postgres://postgres@127.0.0.1:${port}/${database}`
  const stop = () => {
    const file = join(data, 'postmaster.pid')
    if (existsSync(file) && Number(readFileSync(file, 'utf8').split('\n')[0]) > 0)
      run(join(bin, 'pg_ctl'), ['-D', data, '-w', '-s', '-m', 'immediate', 'stop'])
    giveBack?.()
    rmSync(folder, { recursive: true, force: true })
  }
  const port = await freePort()
  run(join(bin, 'initdb'), ['-D', data, '-A', 'trust', '-U', 'postgres', '--no-locale', '-E', 'UTF8', '-N'])
  if (huge) {
    const asked = [...told, 'huge_pages=on'].flatMap((one) => ['-c', one])
    giveBack = reserveHugePages(Number(run(join(bin, 'postgres'), ['-D', data, '-C', 'shared_memory_size_in_huge_pages', ...asked])))
    told.push(giveBack === undefined ? 'huge_pages=try' : 'huge_pages=on')
  }
  const options = [
    '-p',
    `${port}`,
    '-c',
    'listen_addresses=127.0.0.1',
    '-c',
    `unix_socket_directories=${folder}`,
    ...told.flatMap((one) => ['-c', one]),
  ]
  try {
    run(join(bin, 'pg_ctl'), [
      '-D',
      data,
      '-w',
      '-s',
      '-l',
      join(folder, 'log'),
      '-o',
      options.map((word) => `'${word}'`).join(' '),
      'start',
    ])
  } catch (error) {
    stop()
    throw error
  }
  const version = spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' }).stdout.replace(/^.*\) (\S+).*$/s, '$1')
  // Whoever ends the measuring with a signal leaves no server behind.
  process.once('exit', stop)
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
  return {
    settings: `PostgreSQL ${version}: ${told.join(', ')}`,
    url,
    async sql(database, text) {
      const client = new Client({ connectionString: url(database) })
      await client.connect()
      try {
        const result = await client.query(text)
        return (Array.isArray(result) ? result.at(-1) : result).rows as Record<string, unknown>[]
      } finally {
        await client.end()
      }
    },
    stop() {
      process.removeListener('exit', stop)
      stop()
    },
  }
}
