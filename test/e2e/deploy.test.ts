// The files of docs/deploy, run as they stand but for names, addresses and certificates: HAProxy and nginx before two nodes
// on one store. What people come through must not show that a node went down, in order or by force.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { Agent, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type ServiceProcess, startServiceProcess, until } from '../faults/service-process.ts'
import { freePort } from '../free-port.ts'

/** Where a program is; administrators' folders are not on everybody's path. */
const find = (name: string) =>
  [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/usr/local/sbin'].map((folder) => join(folder, name)).find(existsSync)
const programs = { haproxy: find('haproxy'), nginx: find('nginx') }
type Proxy = keyof typeof programs

/** A file of docs/deploy with every given text in it replaced; each must be there. */
function fileOf(name: string, texts: Readonly<Record<string, string>>): string {
  let file = readFileSync(fileURLToPath(new URL(`../../docs/deploy/${name}`, import.meta.url)), 'utf8')
  for (const [text, by] of Object.entries(texts)) {
    expect(file, name).toContain(text)
    file = file.replaceAll(text, by)
  }
  return file
}

/** Writes what a proxy is started with; returns the program and its words. */
function configure(proxy: Proxy, folder: string, texts: Readonly<Record<string, string>>): [string, string[]] {
  if (proxy === 'haproxy') {
    // Whoever runs the tests may be nobody who could become another user.
    const file = fileOf('haproxy.cfg', { '    user haproxy\n    group haproxy\n': '', ...texts })
    writeFileSync(join(folder, 'haproxy.cfg'), file)
    return [programs.haproxy as string, ['-db', '-f', join(folder, 'haproxy.cfg')]]
  }
  writeFileSync(join(folder, 'site.conf'), fileOf('nginx.conf', texts))
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`).join(' ')
  writeFileSync(
    join(folder, 'nginx.conf'),
    `daemon off; master_process off; pid ${folder}/nginx.pid; events {} http { access_log off; ${temporary} include ${folder}/site.conf; }`,
  )
  return [
    programs.nginx as string,
    ['-e', join(folder, 'error.log'), '-g', `error_log ${folder}/error.log;`, '-c', join(folder, 'nginx.conf')],
  ]
}

const proxies = (['haproxy', 'nginx'] as const).filter((name) => programs[name] !== undefined)
if (proxies.length < 2) it.skip('both proxies (needs Debian’s packages haproxy and nginx-light)')

it.each(proxies)('%s takes the file as it stands, TLS and all', async (proxy) => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-deploy-'))
  try {
    const [key, crt, pem] = ['key', 'crt', 'pem'].map((name) => join(folder, name)) as [string, string, string]
    const made = spawnSync(
      'openssl',
      [
        'req',
        '-x509',
        '-newkey',
        'ec',
        '-pkeyopt',
        'ec_paramgen_curve:P-256',
        '-nodes',
        '-subj',
        '/CN=auth.example.com',
        '-keyout',
        key,
        '-out',
        crt,
      ],
      { encoding: 'utf8' },
    )
    expect(made.status, made.stderr).toBe(0)
    writeFileSync(pem, readFileSync(crt, 'utf8') + readFileSync(key, 'utf8'))
    const port = await freePort()
    const [program, words] = configure(
      proxy,
      folder,
      proxy === 'haproxy'
        ? { 'bind :443 ': `bind 127.0.0.1:${port} `, '/etc/haproxy/auth.example.com.pem': pem }
        : { 'listen 443 ': `listen 127.0.0.1:${port} `, '/etc/nginx/auth.example.com.crt': crt, '/etc/nginx/auth.example.com.key': key },
    )
    const { status, stdout, stderr } = spawnSync(program, [proxy === 'haproxy' ? '-c' : '-t', ...words], { encoding: 'utf8' })
    expect(status, stdout + stderr).toBe(0)
    expect(stdout + stderr).not.toMatch(/warn/i)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

const verify = find('systemd-analyze')
it.skipIf(verify === undefined)('systemd takes the unit (needs systemd-analyze)', () => {
  const folder = mkdtempSync(join(tmpdir(), 'symbolon-unit-'))
  try {
    const path = join(folder, 'symbolon.service')
    const check = (texts: Readonly<Record<string, string>>) => {
      writeFileSync(path, fileOf('symbolon.service', { '/usr/bin/node': process.execPath, ...texts }))
      const { status, stderr } = spawnSync(verify as string, ['verify', path], { encoding: 'utf8' })
      return { status, said: stderr.split('\n').filter((line) => line.includes('symbolon')) }
    }
    expect(check({})).toEqual({ status: 0, said: [] })
    // A node whose database is still starting ends at once, and must be started again however often that is.
    expect(fileOf('symbolon.service', {})).toMatch(/^\[Unit\]$[^[]*^StartLimitIntervalSec=0$/m)
    // It can say no.
    expect(check({ 'ProtectSystem=strict': 'ProtectSistem=strict' }).said).toHaveLength(1)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
})

interface Answer {
  readonly status: number
  readonly text: string
  readonly cookies: readonly string[]
}
interface Call {
  readonly from?: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly agent?: Agent | false
}

describe.each(proxies)('two nodes behind %s', (proxy) => {
  let folder: string
  let port: number
  let origin: string
  let child: ChildProcess
  let nodes: readonly [ServiceProcess, ServiceProcess]
  let env: Record<string, string>
  let secret: string

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'symbolon-deploy-'))
    port = await freePort()
    origin = `http://localhost:${port}`
    env = { SYMBOLON_ISSUER: origin, SYMBOLON_TRUSTED_PROXIES: '1' }
    const start = () => startServiceProcess(join(folder, 'data'), { env, words: ['--drain', '4s'] })
    nodes = [await start(), await start()]
    const addresses = { '10.0.0.11:4000': `127.0.0.1:${nodes[0].ports.port}`, '10.0.0.12:4000': `127.0.0.1:${nodes[1].ports.port}` }
    const [program, words] = configure(
      proxy,
      folder,
      proxy === 'haproxy'
        ? { 'bind :443 ssl crt /etc/haproxy/auth.example.com.pem alpn h2,http/1.1': `bind 127.0.0.1:${port}`, ...addresses }
        : {
            'listen 443 ssl http2;': `listen 127.0.0.1:${port};`,
            '    ssl_certificate /etc/nginx/auth.example.com.crt;\n    ssl_certificate_key /etc/nginx/auth.example.com.key;\n': '',
            ...addresses,
          },
    )
    child = spawn(program, words, { stdio: 'ignore' })
    await until('the proxy answers', async () => {
      if (child.exitCode !== null) throw new Error(`${proxy} ended at its start.`)
      return (await call('GET', '/readyz').catch(() => undefined))?.status === 200
    })
    const api = { id: 'api', name: 'API', transport: 'service', audiences: [origin], scopes: ['revocations:read'] }
    secret = (await nodes[0].admin<{ client_secret: string }>('POST', '/clients', api)).client_secret
  })
  afterAll(async () => {
    child?.kill('SIGKILL')
    for (const node of nodes ?? []) await node.stop('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  })

  /** A request through the proxy; `from` is an address of this machine's own. */
  const send = (method: string, path: string, { from = '127.0.0.2', body, headers = {}, agent = false }: Call = {}) =>
    new Promise<IncomingMessage>((resolve, reject) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const unsafe = text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text), origin }
      const where = { host: '127.0.0.1', port, localAddress: from, agent, method, path }
      request({ ...where, headers: { host: `localhost:${port}`, ...unsafe, ...headers } }, resolve)
        .on('error', reject)
        .end(text)
    })
  const call = async (method: string, path: string, options?: Call): Promise<Answer> => {
    const answer = await send(method, path, options)
    let text = ''
    for await (const chunk of answer.setEncoding('utf8')) text += chunk
    return {
      status: answer.statusCode ?? 0,
      text,
      cookies: (answer.headers['set-cookie'] ?? []).map((line) => line.split(';', 1)[0] as string),
    }
  }
  /** The mails of a node to somebody. */
  const mails = async (node: ServiceProcess, email: string) => {
    const all = await fetch(`${node.origin}/dev/outbox`).then(
      (answer) => answer.json() as Promise<{ to: string; text: string }[]>,
      () => [],
    )
    return all.filter(({ to }) => to === email)
  }
  /** Signs in as a browser does; returns its cookies. */
  const signIn = async (email: string, options: Call = {}): Promise<string> => {
    const started = await call('POST', '/v1/login/start', {
      ...options,
      body: { method: 'email_otp', identifier: email, client_id: 'app' },
    })
    expect(started.status, started.text).toBe(200)
    const sent = (await Promise.all(nodes.map((node) => mails(node, email)))).flat()
    const code = /\b\d{6}\b/.exec(sent.at(-1)?.text ?? '')?.[0]
    const cookie = started.cookies.join('; ')
    const verified = await call('POST', '/v1/login/verify', {
      ...options,
      headers: { ...options.headers, cookie },
      body: { login_id: JSON.parse(started.text).login_id, code },
    })
    expect(verified.status, verified.text).toBe(200)
    return verified.cookies.join('; ')
  }
  const signOut = async (cookie: string) => {
    const answer = await call('DELETE', '/v1/session', { headers: { cookie, origin } })
    expect(answer.status, answer.text).toBe(204)
  }

  /** Follows the feed as a client would, over every end, and notes what it heard. */
  const follow = () => {
    const heard = { seqs: [] as number[], events: [] as string[], failures: [] as string[], byes: 0 }
    let position: string | undefined
    let over = false
    let open: IncomingMessage | undefined
    const once = async () => {
      const headers = {
        authorization: `Basic ${Buffer.from(`api:${secret}`).toString('base64')}`,
        ...(position !== undefined && { 'last-event-id': position }),
      }
      const answer = await send('GET', '/v1/revocations', { headers })
      open = answer
      if (answer.statusCode !== 200) heard.failures.push(`answered ${answer.statusCode}`)
      let rest = ''
      for await (const chunk of answer.setEncoding('utf8')) {
        const events = (rest + chunk).split('\n\n')
        rest = events.pop() ?? ''
        for (const event of events) {
          const { event: name = '', id, data = '{}' } = Object.fromEntries(event.split('\n').map((line) => line.split(/: (.*)/s, 2)))
          heard.events.push(name)
          position = id ?? position
          if (name === 'open') position ??= `${JSON.parse(data).feed}.${JSON.parse(data).head}`
          if (name === 'revocations') heard.seqs.push(...JSON.parse(data).entries.map(({ seq }: { seq: number }) => seq))
          if (name === 'bye') heard.byes++
        }
      }
    }
    const done = (async () => {
      while (!over) {
        await once().catch((error) => over || heard.failures.push(String(error)))
        // As long as a bye asks for.
        if (!over) await new Promise((resolve) => setTimeout(resolve, 500))
      }
    })()
    const stop = async () => {
      over = true
      open?.destroy()
      await done
    }
    return { heard, stop }
  }

  it('people sign in, from the address that the proxy saw and not the one they claim', async () => {
    const cookie = await signIn('ada@example.com')
    await signIn('ada@example.com', {
      from: '127.0.0.3',
      headers: { 'x-forwarded-for': '203.0.113.9', forwarded: 'for=203.0.113.9', 'x-real-ip': '203.0.113.9' },
    })
    const { status, text } = await call('GET', '/v1/sessions', { headers: { cookie } })
    expect(status).toBe(200)
    expect(
      JSON.parse(text)
        .sessions.map(({ ip }: { ip: string }) => ip)
        .sort(),
    ).toEqual(['127.0.0.2', '127.0.0.3'])
  })

  it('revocations arrive while the stream goes on', async () => {
    const cookie = await signIn('eve@example.com')
    const { heard, stop } = follow()
    try {
      await until('the stream opens and beats', () => heard.events.includes('open') && heard.events.includes('beat'), 10_000)
      await signOut(cookie)
      await until('the revocation arrives', () => heard.seqs.length > 0, 10_000)
      expect(heard).toMatchObject({ failures: [], byes: 0 })
    } finally {
      await stop()
    }
  })

  let count = 0
  /** Waits until the proxy hands something to a node. */
  const isUsed = (node: ServiceProcess) =>
    until(
      'the proxy uses the node',
      async () => {
        const email = `probe-${++count}@example.com`
        const body = { method: 'email_otp', identifier: email, client_id: 'app' }
        expect((await call('POST', '/v1/login/start', { from: `127.0.1.${count}`, body })).status).toBe(200)
        return (await mails(node, email)).length > 0
      },
      20_000,
    )

  it('one node after the other is restarted, and no request fails and no revocation is missed', async () => {
    const cookie = await signIn('joan@example.com')
    const leaving = await Promise.all(Array.from({ length: 12 }, (_, i) => signIn(`guest-${i}@example.com`, { from: `127.0.2.${i + 1}` })))
    const followers = [follow(), follow()]
    await until('they follow', () => followers.every(({ heard }) => heard.events.includes('open')), 10_000)
    const failed: string[] = []
    let answered = 0
    let over = false
    const agent = new Agent({ keepAlive: true })
    const traffic = (['GET /v1/session', 'GET /.well-known/jwks.json', 'POST /v1/session/token'] as const).flatMap((what) =>
      ([agent, false] as const).map(async (by) => {
        const [method, path] = what.split(' ') as [string, string]
        while (!over) {
          const options = { agent: by, headers: { cookie }, ...(method === 'POST' && { body: {} }) }
          const { status, text } = await call(method, path, options).catch((error) => ({ status: 0, text: String(error) }))
          if (status >= 200 && status < 300) answered++
          else failed.push(`${what} ${status} ${text.slice(0, 200)}`)
        }
      }),
    )
    const leave = (async () => {
      for (const guest of leaving) {
        await signOut(guest)
        const before = answered
        await until('others were answered', () => answered > before + 50)
      }
    })()
    // Looked at below, unless something else fails first.
    leave.catch(() => {})
    try {
      for (const node of nodes) {
        expect(await node.stop('SIGTERM')).toBe(0)
        const before = answered
        await until('requests are answered without it', () => answered > before + 50)
        await node.start(env)
        await isUsed(node)
      }
      await leave
    } finally {
      over = true
      await Promise.all(traffic)
      agent.destroy()
    }
    expect(failed).toEqual([])
    try {
      await until('all revocations were heard', () => followers.every(({ heard }) => heard.seqs.length >= leaving.length), 20_000)
      for (const { heard } of followers) {
        const first = heard.seqs[0] as number
        expect(heard.seqs).toEqual(leaving.map((_, i) => first + i))
        expect(heard.failures).toEqual([])
        expect(heard.byes).toBeGreaterThan(0)
      }
    } finally {
      for (const { stop } of followers) await stop()
    }
  })

  it('one node is killed, and who is signed in stays so', async () => {
    const cookie = await signIn('mary@example.com')
    const sid = async () => {
      const { status, text } = await call('GET', '/v1/session', { headers: { cookie } }).catch(() => ({ status: 0, text: '' }))
      return status === 200 ? (JSON.parse(text).sid as string) : status
    }
    const own = await sid()
    expect(own).toMatch(/^[\w-]{22}$/)
    for (const node of nodes) await isUsed(node)
    await nodes[1].stop('SIGKILL')
    let inARow = 0
    // Longer than the proxies take to notice.
    await until(
      'requests succeed',
      async () => {
        inARow = (await sid()) === own ? inARow + 1 : 0
        return inARow > 20
      },
      10_000,
    )
    const minted = await call('POST', '/v1/session/token', { headers: { cookie }, body: {} })
    expect([minted.status, JSON.parse(minted.text).sid]).toEqual([200, own])
    await nodes[1].start(env)
    await isUsed(nodes[1])
    expect(await sid()).toBe(own)
  })
})
