// A core on a real SQLite file, with a clock that tests move and an outbox that keeps what was sent.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Algorithm } from '@symbolon/protocol'
import {
  type Captcha,
  type ClientPolicy,
  type Core,
  type CoreOptions,
  type CorePorts,
  createCore,
  type Delivery,
  defaultBudgets,
  defaultPolicy,
  type Factor,
  type HookOptions,
  type PlacedStep,
  type Ports,
  type SignedIn,
} from '#core'
import { createPasskeyRules } from '#factors'
import { openSqliteStore, type SqliteStore } from '#stores/sqlite'
import { createCrypto } from '../../src/embed/crypto.ts'
import { createSigner } from '../../src/embed/signer.ts'

export const issuer = 'http://localhost:3000/auth'
export const browser = 'AAAAAAAAAAAAAAAAAAAAAA'
export const caller = { ip: '192.0.2.1', userAgent: 'test' }

export interface Setting {
  readonly core: Core
  readonly store: SqliteStore
  readonly ports: Ports
  readonly sent: Delivery[]
  readonly events: { readonly event: string; readonly [field: string]: unknown }[]
  readonly path: string
  readonly options: CoreOptions & { readonly hooks?: HookOptions }
  /** The wall clock; tests move it. */
  time: number
  /** Called at each named step of core, at once; tests set it. */
  at: (step: string) => void
  /** Closes and opens the same file again. */
  restart(): Promise<void>
  close(): Promise<void>
}

export interface Wishes {
  readonly policy?: Partial<ClientPolicy>
  readonly budgets?: Partial<typeof defaultBudgets>
  readonly steps?: readonly PlacedStep[]
  readonly hooks?: HookOptions
  readonly algorithm?: Algorithm
  readonly factors?: readonly Factor[]
  /** `false`: there are none, as on a host that can have none. */
  readonly passkeys?: false
  readonly captcha?: Captcha
}

const secret = 'a secret of at least thirty-two bytes, for tests'

/** Opens a core in a directory of its own, with a cookie client `app`, a native one `native` and a service `api`. */
export async function openSetting(wishes: Wishes = {}): Promise<Setting> {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-test-'))
  const sent: Delivery[] = []
  const events: Setting['events'] = []
  const setting = { sent, events, time: 1_800_000_000_000, path: join(folder, 'symbolon.db'), at: () => {} } as unknown as {
    -readonly [K in keyof Setting]: Setting[K]
  }
  const open = async () => {
    const store = await openSqliteStore({ path: setting.path, clock: () => setting.time })
    const ports: CorePorts = {
      ...(wishes.factors !== undefined && { factors: wishes.factors }),
      ...(wishes.captcha !== undefined && { captcha: wishes.captcha }),
      store,
      crypto: createCrypto([secret]),
      signer: createSigner(),
      ...(wishes.passkeys !== false && { passkeys: createPasskeyRules({ issuer, name: 'Test', origins: [], verification: 'required' }) }),
      courier: { queue: (delivery) => void sent.push(delivery) },
      clock: {
        now: () => performance.now(),
        after: (ms, run) => {
          const timer = setTimeout(run, ms)
          return () => clearTimeout(timer)
        },
      },
      observe: (event) => void events.push(event),
      crashPoint: (step) => setting.at(step),
    }
    setting.store = store
    setting.ports = ports
    setting.options = {
      issuer,
      audience: issuer,
      policy: { ...defaultPolicy, ...wishes.policy },
      algorithm: wishes.algorithm ?? 'ES256',
      keyRotation: 30 * 86_400_000,
      steps: wishes.steps ?? [],
      ...(wishes.hooks !== undefined && { hooks: wishes.hooks }),
      budgets: { ...defaultBudgets, ...wishes.budgets },
    }
    setting.core = createCore({ ...ports, factors: wishes.factors ?? [] }, setting.options)
    await setting.core.jobs.maintain()
  }
  await open()
  setting.restart = async () => {
    await setting.core.sessions.flush()
    await setting.store.close()
    await open()
  }
  setting.close = async () => {
    await setting.store.close()
    rmSync(folder, { recursive: true, force: true })
  }
  await setting.core.clients.create({ id: 'app', name: 'App', transport: 'cookie' }, 'test')
  await setting.core.clients.create({ id: 'native', name: 'Native', transport: 'native' }, 'test')
  return setting
}

/** Another process's core on the same file: keys and sessions as it last read them. */
export async function openBeside(setting: Setting): Promise<Pick<Setting, 'core' | 'store' | 'ports'>> {
  const store = await openSqliteStore({ path: setting.path, clock: () => setting.time })
  const ports: Ports = { ...setting.ports, store, signer: createSigner() }
  const core = createCore(ports, setting.options)
  await core.jobs.maintain()
  return { core, store, ports }
}

/** Starts a sign-in and returns its login id and the code that was sent. */
export async function start(setting: Setting, email: string, clientId = 'app') {
  const started = await setting.core.login.start({
    method: 'email_otp',
    identifier: email,
    clientId,
    browser: clientId === 'app' ? browser : null,
    device: null,
    caller,
  })
  if (!started.ok) throw new Error(started.code)
  const last = setting.sent.at(-1)
  return { loginId: started.loginId, code: last?.kind === 'code' ? last.code : '' }
}

/** Signs in by the code that was sent. */
export async function signIn(
  setting: Setting,
  email = 'ada@example.com',
  clientId = 'app',
  replaces: string | null = null,
): Promise<SignedIn> {
  const { loginId, code } = await start(setting, email, clientId)
  const verified = await setting.core.login.verify({
    loginId,
    code,
    browser: clientId === 'app' ? browser : null,
    device: null,
    replaces,
    caller,
  })
  if (!verified.ok) throw new Error(verified.code)
  if ('state' in verified) throw new Error(verified.state)
  return verified
}
