// A route handler at session level: the record is asked in real time.

import { guard } from '../../../guard'

export const POST = guard('session', { maxAuthAge: '5m' })((request) =>
  Response.json({ by: request.auth.sub, checked: request.auth.checked }, { status: 201 }),
)
