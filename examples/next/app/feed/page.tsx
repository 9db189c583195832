// A page at token level: decided locally when the browser brings its token cookie.

import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { guard } from '../../guard'

const seen = guard.page('token')

export default async function Feed() {
  const visitor = await seen({ headers: await headers(), url: '/feed' })
  if (!visitor.ok) redirect(visitor.location ?? '/')
  return <h1>{`Feed of ${visitor.auth.sub}, checked ${visitor.auth.checked}`}</h1>
}
