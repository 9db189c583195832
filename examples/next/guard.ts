// The one verifier of this application, and its guards. `cookies: true` because it runs on the issuer's own host: a page
// has no Authorization header.

import { createVerifier } from '@symbolon/verifier'
import { createGuard } from '@symbolon/verifier/next'

export const issuer = process.env.SYMBOLON_ISSUER ?? 'http://localhost:3000/auth'

export const guard = createGuard(
  createVerifier({
    issuer,
    clientId: 'api',
    clientSecret: process.env.APP_CLIENT_SECRET ?? '',
    cookies: true,
    loginUrl: '/auth/login',
  }),
)
