// A browser as far as cookies, Origin and Fetch Metadata go: enough for the HTTP contract, without a window.

/** A caller that keeps cookies and sends what a browser sends to its own origin. `send`: what answers instead of the network. */
export function createBrowser(origin: string, send: (request: Request) => Promise<Response> = fetch) {
  const jar = new Map<string, string>()
  return {
    jar,
    async fetch(path: string, init: RequestInit & { readonly json?: unknown } = {}): Promise<Response> {
      const { json, ...rest } = init
      const headers = new Headers(rest.headers)
      if (jar.size > 0) headers.set('cookie', [...jar].map(([name, value]) => `${name}=${value}`).join('; '))
      if (!headers.has('origin') && rest.method !== undefined && rest.method !== 'GET') headers.set('origin', origin)
      if (json !== undefined) headers.set('content-type', 'application/json')
      const request = new Request(path.startsWith('http') ? path : origin + path, {
        redirect: 'manual',
        ...rest,
        headers,
        ...(json !== undefined && { body: JSON.stringify(json) }),
      })
      const response = await send(request)
      for (const cookie of response.headers.getSetCookie()) {
        const [name, value] = (cookie.split(';', 1)[0] as string).split('=', 2) as [string, string]
        if (/max-age=0/i.test(cookie)) jar.delete(name)
        else jar.set(name, value)
      }
      return response
    },
  }
}

/** A browser. */
export type Browser = ReturnType<typeof createBrowser>

/** Signs in over the API by the code in the development outbox. */
export async function signInOver(browser: Browser, mount: string, email: string): Promise<Response> {
  const started = await browser.fetch(`${mount}/v1/login/start`, { method: 'POST', json: { method: 'email_otp', identifier: email } })
  if (started.status !== 200) throw new Error(`start answered ${started.status}: ${await started.text()}`)
  const { login_id } = (await started.json()) as { login_id: string }
  const outbox = (await (await browser.fetch(`${mount}/dev/outbox`)).json()) as { to: string; text: string }[]
  const code = /\b\d{6}\b/.exec(outbox.filter((mail) => mail.to === email).at(-1)?.text ?? '')?.[0]
  return browser.fetch(`${mount}/v1/login/verify`, { method: 'POST', json: { login_id, code } })
}
