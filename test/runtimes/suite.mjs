// The one suite that every runtime runs, against the built package: no framework, no file, nothing of any runtime. It
// returns what happened as plain data; who runs it judges. It must end by itself.

import { createVerifier } from '@symbolon/verifier'
import { createTokenVerifier } from '@symbolon/verifier/token'
import { createGuard } from '@symbolon/verifier/web'
import { verifyWebhook } from '@symbolon/verifier/webhook'

/** Throws with a sentence unless both are the same as JSON. */
function same(found, wanted, what) {
  const [one, other] = [JSON.stringify(found), JSON.stringify(wanted)]
  if (one !== other) throw new Error(`${what}: ${one}, not ${other}`)
}

/** Asks until it answers as wanted, at most `ms` long; returns how long it took. */
async function until(wanted, ask, ms, what) {
  const began = performance.now()
  for (;;) {
    const found = await ask()
    if (found === wanted) return performance.now() - began
    if (performance.now() - began > ms) throw new Error(`${what}: still ${found} after ${ms} ms`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

/**
 * What a live check comes to: it has a second, in which a process that has just started, on a slow machine, may not be
 * answered. Then it is refused with 503, and asked again, at most ten seconds long.
 */
async function decided(check, statusOf) {
  const began = performance.now()
  for (;;) {
    const found = await check()
    if (statusOf(found) !== 503 || performance.now() - began > 10_000) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

async function judge({ vectors }) {
  const at = { time: vectors.at * 1000 }
  const tokens = createTokenVerifier({
    issuer: vectors.issuer,
    audience: vectors.audience,
    now: () => at.time,
    keys: () => vectors.keys,
  })
  const wrong = []
  for (const { name, token, expect } of vectors.vectors) {
    // Twice: the second time a good one comes from memory.
    for (const turn of ['first', 'again']) {
      const result = await tokens.verify(token)
      const found = result.ok ? 'ok' : result.code
      if (found !== expect) wrong.push(`${name} (${turn}): ${found} ${result.detail ?? ''}, not ${expect}`)
    }
  }
  same(wrong, [], 'vectors')
  return `${vectors.vectors.length} tokens`
}

/** The example of Standard Webhooks, and what is nearly it. Rightly signed, it is no event of ours. */
async function judgeWebhooks() {
  const secrets = ['whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw']
  const text = '{"test": 2432232314}'
  const judged = async (body, change, now = 1_614_265_330_000) => {
    const headers = {
      'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
      'webhook-timestamp': '1614265330',
      'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
      ...change,
    }
    const request = new Request('https://app.example/hooks', { method: 'POST', headers, body })
    return (await verifyWebhook(request, { secrets, now: () => now, maxBytes: 100 })).refusal
  }
  same(await judged(text), 'malformed', 'the example')
  same(await judged(`${text} `), 'wrong_signature', 'another body')
  same(await judged(text, { 'webhook-id': 'msg_other' }), 'wrong_signature', 'another id')
  same(await judged(text, {}, 1_614_265_631_000), 'stale', 'five minutes later')
  same(await judged('x'.repeat(101)), 'body_too_large', 'a long body')
  return '5 webhooks'
}

/**
 * Runs the suite. `config`: what `runtimes.test.ts` makes for each runtime; `serve(handler)`, where the runtime can: opens a
 * server for a handler of the Fetch API and returns `{ origin, close }`.
 */
export async function run(config, serve) {
  const cases = []
  const attempt = async (name, test) => {
    const began = performance.now()
    try {
      const detail = await test()
      cases.push({ name, ok: true, detail: detail ?? '', ms: Math.round(performance.now() - began) })
    } catch (error) {
      cases.push({ name, ok: false, detail: String(error?.stack ?? error), ms: Math.round(performance.now() - began) })
    }
  }

  const verifier = createVerifier({
    issuer: config.issuer,
    clientId: config.clientId,
    clientSecret: config.clientSecret,
    follow: config.follow,
  })
  const guard = createGuard(verifier)
  const handler = (level, requirement) => guard(level, requirement)((request) => Response.json({ checked: request.auth.checked }))
  const routes = {
    token: handler('token'),
    tight: handler('token', { maxStaleness: '2s' }),
    session: handler('session'),
    role: handler('token', { roles: ['admin'] }),
  }
  const ask = async (route, token, headers = {}) => {
    const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` }
    const response = await routes[route](new Request('https://api.example/feed?a=1', { headers: { ...bearer, ...headers } }))
    const { code, checked } = await response.json()
    return `${response.status} ${code ?? checked}`
  }

  const asked = (...words) =>
    decided(
      () => ask(...words),
      (found) => Number(found.slice(0, 3)),
    )

  await attempt('judges tokens strictly', () => judge(config))

  await attempt('judges webhooks as their scheme does', judgeWebhooks)
  await attempt('follows revocations', async () => {
    await verifier.ready()
    await until(config.follow, async () => verifier.status().transport, 5000, 'the way it is followed')
    const { followed, stalenessMs, snapshots } = verifier.status()
    same([followed, Number.isFinite(stalenessMs), snapshots], [true, true, 1], 'status')
    return `${Math.round(stalenessMs)} ms behind at most`
  })
  await attempt('guards at token level', async () => {
    await until('200 local', () => ask('token', config.token), 10_000, 'a good token')
    same(await ask('token'), '401 missing_credential', 'none')
    same(await ask('token', `${config.token.slice(0, -8)}AAAAAAAA`), '401 invalid_token', 'a forged one')
    same(await ask('role', config.token), '403 insufficient_role', 'one without the role')
  })
  await attempt('guards at session level', async () => {
    same(await asked('session', config.token), '200 live', 'a good token')
    same(await ask('session'), '401 missing_credential', 'none')
  })
  await attempt('ignores cookies unless told to read them', async () => {
    same(await ask('session', undefined, { cookie: config.cookie }), '401 missing_credential', 'a cookie')
    const here = createVerifier({ issuer: config.issuer, cookies: true })
    const request = (method, origin) => new Request(`${config.issuer}/x`, { method, headers: { cookie: config.cookie, ...origin } })
    const look = () => createGuard(here).check('token')(request('GET', {}))
    const checked = await decided(look, ({ response }) => response?.status)
    same([checked.ok, checked.auth?.checked, checked.setCookies?.length], [true, 'live', 1], 'a cookie that is read')
    const foreign = await createGuard(here).check('token')(request('POST', { origin: 'https://evil.example' }))
    same([foreign.ok, foreign.response?.status], [false, 403], 'another site')
    await here.close()
  })
  await attempt('follows no redirect of the issuer', async () => {
    const elsewhere = (input, init) => fetch(String(input).replace(config.issuer, config.redirecting), init)
    const led = createVerifier({ issuer: config.issuer, fetch: elsewhere })
    const { response } = await createGuard(led).check('token')(
      new Request(config.issuer, { headers: { authorization: `Bearer ${config.token}` } }),
    )
    same(response?.status, 503, 'keys that are said to be elsewhere')
    await led.close()
  })
  if (serve !== undefined)
    await attempt('guards a server of this runtime', async () => {
      const server = await serve(routes.token)
      const get = (headers) =>
        fetch(server.origin, { headers }).then(async (response) => `${response.status} ${(await response.text()).slice(0, 1)}`)
      same(await get({ authorization: `Bearer ${config.token}` }), '200 {', 'a good token')
      same(await get({}), '401 {', 'none')
      await server.close()
    })
  await attempt('learns of a sign-out: shown its place at once, else within the bound, at session level always', async () => {
    // On a busy machine the knowledge may be older than the bound for a moment, and the answer live.
    await until('200 local', () => ask('tight', config.token), 10_000, 'before')
    const ended = await fetch(`${config.issuer}/v1/session`, { method: 'DELETE', headers: { authorization: `Bearer ${config.token}` } })
    same(ended.status, 204, 'sign-out')
    const place = { 'symbolon-seq': ended.headers.get('symbolon-seq') }
    // What has never heard of that place must wait for it or ask, and may not say yes.
    same(await asked('token', config.token, place), '401 session_revoked', 'by its place')
    same((await asked('session', config.token)).slice(0, 3), '401', 'a token of a session that ended')
    const took = await until('401 session_revoked', () => ask('tight', config.token), 2000, 'within the bound')
    same((await asked('tight', config.other)).slice(0, 3), '200', 'a token of a session that did not end')
    same(await asked('session', config.other), '200 live', 'the same, live')
    return `${Math.round(took)} ms`
  })
  await attempt('closes, and says yes no more', async () => {
    await verifier.close()
    await until(true, async () => (await ask('tight', config.other)) !== '200 local', 5000, 'an old knowledge')
  })
  return cases
}
