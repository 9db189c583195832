// The inner rooms, as built: the benchmark measures below the public doors too.

const room = (path: string) => import(new URL(`../../../packages/symbolon/dist/${path}`, import.meta.url).href)

/** Core, its credentials, the store and the embedded cryptography. */
export const rooms = {
  core: await room('core/index.js'),
  credential: await room('core/credential.js'),
  sqlite: await room('stores/sqlite/index.js'),
  postgres: await room('stores/postgres/index.js'),
  jobs: await room('embed/jobs.js'),
  crypto: await room('embed/crypto.js'),
  factors: await room('factors/index.js'),
  signer: await room('embed/signer.js'),
}

/** The issuer of everything that is measured. */
export const issuer = 'http://localhost:3999/auth'
/** The server secret of everything that is measured. */
export const secret = 'a secret for measuring, of more than thirty-two bytes'

/** Where messages go, and what bounds sign-ins, when they are measured. */
interface Doors {
  readonly queue?: (delivery: { readonly to?: string; readonly code?: string }) => void
  readonly budgets?: Readonly<Record<string, { readonly limit: number; readonly window: number }>>
}

/** Opens a store and a core on a file; `at`: its issuer. */
export const openCore = async (path: string, at: string = issuer, doors: Doors = {}) =>
  coreOn(await rooms.sqlite.openSqliteStore({ path }), at, doors)

/** The same on a database, with as many connections as a node has unless told otherwise. */
export const openPostgresCore = async (url: string, schema = 'symbolon', doors: Doors = {}) =>
  coreOn(await rooms.postgres.openPostgresStore({ url, schema, connections }), issuer, doors)

/** Connections of everything that is measured on a database. */
export const connections = 10

async function coreOn(store: Awaited<ReturnType<typeof rooms.sqlite.openSqliteStore>>, at: string, doors: Doors) {
  const crypto = rooms.crypto.createCrypto([secret])
  const core = rooms.core.createCore(
    {
      store,
      crypto,
      signer: rooms.signer.createSigner(),
      courier: { queue: doors.queue ?? (() => {}) },
      clock: {
        now: () => performance.now(),
        after: (ms: number, run: () => void) => {
          const timer = setTimeout(run, ms)
          return () => clearTimeout(timer)
        },
      },
      observe: () => {},
      crashPoint: () => {},
    },
    {
      issuer: at,
      audience: at,
      policy: rooms.core.defaultPolicy,
      algorithm: 'ES256',
      keyRotation: 2_592_000_000,
      steps: [],
      budgets: { ...rooms.core.defaultBudgets, ...doors.budgets },
    },
  )
  await core.jobs.maintain()
  if ((await core.clients.find('app')) === undefined) {
    await core.clients.create({ id: 'app', name: 'App', transport: 'cookie' }, 'bench')
    await core.clients.create({ id: 'native', name: 'Native', transport: 'native' }, 'bench')
  }
  return { store, crypto, core }
}

/** Opens sessions straight in the store; returns their credentials. */
export async function fill(open: Awaited<ReturnType<typeof openCore>>, count: number, clientId: 'app' | 'native'): Promise<string[]> {
  const { store, crypto } = open
  const kind = clientId === 'app' ? 'cookie' : 'token'
  const credentials: string[] = []
  for (let i = 0; i < count; i += 2000) {
    const batch = Array.from({ length: Math.min(2000, count - i) }, (_, j) => {
      const { sid, credential, credentialHash, sealedKey } = rooms.credential.newCredential(crypto, kind)
      credentials.push(credential)
      const id = `usr_${crypto
        .hash(`${(i + j) % 1000}`)
        .toString('base64url')
        .slice(0, 21)}A`
      return store.sessions.open({
        session: {
          sid,
          kind,
          parent: null,
          clientId,
          acr: 'urn:symbolon:acr:email',
          amr: ['otp'],
          idle: 1_209_600_000,
          absolute: 7_776_000_000,
          ip: '192.0.2.1',
          userAgent: 'bench',
          binding: null,
          credentialHash,
          sealedKey,
        },
        attempt: null,
        user: { email: `user${(i + j) % 1000}@example.com`, create: { id, roles: ['member'] } },
        maxSessions: 0,
        onLimit: 'deny',
        replaces: null,
        audit: [],
      })
    })
    await Promise.all(batch)
  }
  return credentials
}

/** Access tokens of these sessions as headers, minted now. */
export const bearers = (open: Awaited<ReturnType<typeof openCore>>, cookies: readonly string[]) =>
  Promise.all(
    cookies.map(async (cookie) => {
      const { minted } = await open.core.sessions.mint(cookie)
      return { authorization: `Bearer ${minted.accessToken}` }
    }),
  )
