// The same guards in the edge runtime.

import { guard } from '../../../guard'

export const runtime = 'edge'
export const GET = guard('token')((request) => Response.json({ hello: request.auth.sub, checked: request.auth.checked }))
