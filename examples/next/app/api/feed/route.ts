// A route handler at token level.

import { guard } from '../../../guard'

export const GET = guard('token')((request) => Response.json({ hello: request.auth.sub, checked: request.auth.checked }))
