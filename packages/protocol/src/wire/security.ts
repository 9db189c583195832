// The headers that stand on every answer of the service, refusals before any route included. One list, so that no way
// out of the process can forget one. A page brings its own content policy; everything else is given the one that lets nothing.

/** Security headers for an answer that is no page, names in lower case; `secure` false only in development on plain http. */
export function securityHeaders(secure: boolean): Readonly<Record<string, string>> {
  return secure ? overHttps : always
}

const always: Readonly<Record<string, string>> = {
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  // Not no-referrer: Chromium then posts same-origin forms with `Origin: null`.
  'referrer-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=()',
}

const overHttps: Readonly<Record<string, string>> = { ...always, 'strict-transport-security': 'max-age=31536000' }
