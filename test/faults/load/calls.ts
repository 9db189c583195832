// The calls of a load, each recorded as the one event it is, whatever came of it. Over HTTP only, to nodes named by their
// origins: what they keep their records in is not known here.

import { createHash } from 'node:crypto'
import type { Answer, CheckEvent, HistoryEvent, Read, Received, Refresh, SignIn, Who } from '../history/events.ts'
import type { TokenFacts } from '../history.ts'
import { factsOf } from '../service-process.ts'

/** A node of the service. */
export interface LoadNode {
  readonly name: string
  /** Where it is reached. */
  readonly origin: string
  /** The operator's listener. */
  readonly admin: string
  readonly adminKey: string
}

/** A verifier that follows one of them. `bound` in milliseconds. */
export interface LoadVerifier {
  readonly name: string
  readonly origin: string
  readonly bound: number
}

/** A credential and the token that came with it. */
export interface Held {
  readonly credential: string
  readonly received: Received
  readonly token: string
  readonly facts: TokenFacts
}

/** How a refresh is made. */
export interface RefreshManner {
  readonly who?: Who
  /** The caller will act as if no answer had come. */
  readonly lost?: boolean
  /** Milliseconds after which the caller hangs up. */
  readonly hangUp?: number
  readonly final?: boolean
}

/** What came of a call. `over`: the session is said to be over. */
export type Came = 'yes' | 'over' | 'refused' | 'nothing'

const deadline = 10_000
const over = /^session_(?:unknown|expired|revoked|reused)$/

/** What a refresh token says of itself. */
export function receivedOf(credential: string): Received {
  const [, sid = '', generation = ''] = /^sy[ctg]_([\w-]{22})\.(\d+)\./.exec(credential) ?? []
  return { sid, generation: Number(generation), hash: createHash('sha256').update(credential).digest('base64url') }
}

function heldOf(body: Readonly<Record<string, unknown>> | null): Held | null {
  const [credential, token] = [body?.refresh_token, body?.access_token]
  if (typeof credential !== 'string' || typeof token !== 'string') return null
  return { credential, token, received: receivedOf(credential), facts: factsOf(token) }
}

/** What came of an answer. */
export function cameOf(answer: Answer | null): Came {
  if (answer === null || answer.status === 0 || answer.status >= 500 || answer.status === 429) return 'nothing'
  if (answer.status < 300) return 'yes'
  return answer.status === 401 && over.test(answer.code ?? '') ? 'over' : 'refused'
}

interface Sent {
  readonly startedAt: number
  readonly endedAt: number | null
  readonly answer: Answer | null
  readonly body: Readonly<Record<string, unknown>> | null
}

interface Sending {
  readonly method?: string
  readonly bearer?: string
  readonly body?: unknown
  readonly from?: string
  readonly hangUp?: number
}

async function send(url: string, { method = 'GET', bearer, body, from, hangUp = deadline }: Sending): Promise<Sent> {
  const startedAt = performance.now()
  try {
    const response = await fetch(url, {
      method,
      headers: {
        ...(bearer !== undefined && { authorization: `Bearer ${bearer}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
        ...(from !== undefined && { 'x-forwarded-for': from }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(hangUp),
    })
    const text = await response.text()
    const endedAt = performance.now()
    const isJson = /json/.test(response.headers.get('content-type') ?? '')
    const read = isJson && text !== '' ? (JSON.parse(text) as Record<string, unknown>) : null
    const code = response.ok ? null : String(read?.code ?? '')
    return { startedAt, endedAt, answer: { status: response.status, code }, body: read }
  } catch (error) {
    const { code } = ((error as Error).cause ?? {}) as { code?: string }
    // Nobody listened: surely nothing was done.
    if (code === 'ECONNREFUSED') return { startedAt, endedAt: performance.now(), answer: { status: 0, code: 'unreachable' }, body: null }
    return { startedAt, endedAt: null, answer: null, body: null }
  }
}

/** Makes the calls; `record` is given each event when it is over. */
export function createCalls(record: (event: HistoryEvent) => void, clientId: string) {
  const timesOf = ({ startedAt, endedAt, answer }: Sent) => ({ startedAt, endedAt, answer })
  const admin = (node: LoadNode, method: string, path: string, body?: unknown) =>
    send(`${node.admin}/admin/v1${path}`, { method, bearer: node.adminKey, ...(body !== undefined && { body }) })
  const epochOf = ({ body }: Sent) => (typeof body?.epoch === 'number' ? body.epoch : null)

  return {
    /** Starts at one node, whose outbox has the code, and finishes at another. */
    async signIn(
      start: LoadNode,
      finish: LoadNode,
      email: string,
      sub: string | null,
      from: string,
    ): Promise<{ came: Came; held: Held | null; limited: boolean }> {
      const asked = await send(`${start.origin}/v1/login/start`, {
        method: 'POST',
        body: { method: 'email_otp', identifier: email, client_id: clientId },
        from,
      })
      if (asked.answer?.status !== 200) return { came: cameOf(asked.answer), held: null, limited: asked.answer?.status === 429 }
      let code: string | undefined
      for (let turn = 0; turn < 20 && code === undefined; turn++) {
        const { body } = await send(`${start.origin}/dev/outbox`, {})
        const mails = (body ?? []) as unknown as readonly { readonly to: string; readonly text: string }[]
        code = /\b\d{6}\b/.exec(mails.filter(({ to }) => to === email).at(-1)?.text ?? '')?.[0]
        if (code === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
      }
      if (code === undefined) return { came: 'refused', held: null, limited: false }
      const sent = await send(`${finish.origin}/v1/login/verify`, { method: 'POST', body: { login_id: asked.body?.login_id, code }, from })
      const held = heldOf(sent.body)
      const event: SignIn = {
        kind: 'sign_in',
        node: finish.name,
        ...timesOf(sent),
        sub,
        received: held?.received ?? null,
        token: held?.facts ?? null,
      }
      record(event)
      return { came: cameOf(sent.answer), held, limited: sent.answer?.status === 429 }
    },

    async refresh(node: LoadNode, credential: string, manner: RefreshManner = {}): Promise<{ came: Came; held: Held | null }> {
      const { who = 'honest', lost = false, hangUp, final = false } = manner
      const presented = receivedOf(credential)
      const sent = await send(`${node.origin}/v1/session/refresh`, {
        method: 'POST',
        body: { refresh_token: credential },
        ...(hangUp !== undefined && { hangUp }),
      })
      const held = heldOf(sent.body)
      const came = cameOf(sent.answer)
      const event: Refresh = {
        kind: 'refresh',
        node: node.name,
        ...timesOf(sent),
        who,
        sid: presented.sid,
        presented: presented.generation,
        received: held?.received ?? null,
        lost,
        final: final && came !== 'nothing',
      }
      record(event)
      return { came, held }
    },

    async check(at: LoadNode | LoadVerifier, level: CheckEvent['level'], one: Pick<Held, 'token' | 'facts'>): Promise<Came> {
      const bound = 'bound' in at ? at.bound : 0
      const sent = await send(at.origin + ('bound' in at ? `/${level}` : '/v1/session'), { bearer: one.token })
      const verifier = 'bound' in at
      record({ kind: 'check', node: at.name, ...timesOf(sent), who: 'honest', level, bound, verifier, token: one.facts })
      return cameOf(sent.answer)
    },

    async signOut(node: LoadNode, one: Held): Promise<Came> {
      const sent = await send(`${node.origin}/v1/session`, { method: 'DELETE', bearer: one.token })
      record({ kind: 'sign_out', node: node.name, ...timesOf(sent), sid: one.received.sid })
      return cameOf(sent.answer)
    },

    async revokeSession(node: LoadNode, sid: string): Promise<Came> {
      const sent = await admin(node, 'DELETE', `/sessions/${sid}`)
      record({ kind: 'revoke_session', node: node.name, ...timesOf(sent), sid })
      return cameOf(sent.answer)
    },

    async revokeUser(node: LoadNode, sub: string): Promise<Came> {
      const sent = await admin(node, 'DELETE', `/users/${sub}/sessions`)
      record({ kind: 'revoke_user', node: node.name, ...timesOf(sent), sub })
      return cameOf(sent.answer)
    },

    async changeRoles(node: LoadNode, sub: string, roles: readonly string[]): Promise<Came> {
      const sent = await admin(node, 'PUT', `/users/${sub}/roles`, { roles })
      record({ kind: 'role_change', node: node.name, ...timesOf(sent), sub, roles, epoch: epochOf(sent) })
      return cameOf(sent.answer)
    },

    async changeStatus(node: LoadNode, sub: string, status: 'active' | 'disabled'): Promise<Came> {
      const sent = await admin(node, 'PUT', `/users/${sub}/status`, { status })
      record({ kind: 'status_change', node: node.name, ...timesOf(sent), sub, status, epoch: epochOf(sent) })
      return cameOf(sent.answer)
    },

    /**
     * Reads a user and, after that, their sessions: one event from the start of the first to the end of the second. What failed
     * is the event of the call that failed.
     */
    async read(node: LoadNode, sub: string): Promise<Came> {
      const user = await admin(node, 'GET', `/users/${sub}`)
      const listed = await admin(node, 'GET', `/users/${sub}/sessions`)
      const sessions = (listed.body?.sessions ?? []) as readonly Record<string, unknown>[]
      const good = user.answer?.status === 200 && listed.answer?.status === 200
      const state: Read['state'] = good
        ? ({
            epoch: user.body?.epoch,
            status: user.body?.status,
            roles: user.body?.roles,
            sessions: sessions.map(({ sid, generation }) => ({ sid, generation })),
          } as never)
        : null
      const last = user.answer?.status === 200 ? listed : user
      const { endedAt, answer } = last
      record({ kind: 'read', node: node.name, startedAt: good ? user.startedAt : last.startedAt, endedAt, answer, sub, state })
      return cameOf(answer)
    },
  }
}

/** The calls of a load. */
export type Calls = ReturnType<typeof createCalls>
