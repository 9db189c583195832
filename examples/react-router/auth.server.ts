// The service inside this application, and its guards for loaders and actions. In another process, hand `createGuard` from
// '@symbolon/verifier/web' a verifier instead; nothing else changes.

import { createAuth } from 'symbolon'
import { createGuard } from 'symbolon/web'

export const port = Number(process.env.PORT ?? 3000)

export const auth = createAuth({
  issuer: `http://localhost:${port}/auth`,
  dev: true,
  data: process.env.SYMBOLON_DATA ?? '.symbolon',
  clients: [{ id: 'app', name: 'Example', transport: 'cookie', returnTo: ['/feed', '/transfers'] }],
})

export const guard = createGuard(auth)
