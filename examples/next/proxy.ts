// The first gate: who is a stranger is turned away before a page is rendered, and a token minted on the way is written
// back. Not the only gate: each route and page asks for itself, so that nothing hangs on how requests are matched here.

import { NextResponse } from 'next/server'
import { guard } from './guard'

export const proxy = guard.middleware(
  { 'GET /feed': 'token', 'GET /devices': 'session', 'POST /devices': 'session' },
  { next: (init) => NextResponse.next(init as { request: { headers: Headers } }) },
)

export const config = { matcher: ['/feed', '/devices'] }
