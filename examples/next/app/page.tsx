// A public page that greets who is signed in. It stands outside of the matcher: a token that is missing is minted for this
// one look and not written back, for a page cannot set cookies.

import { headers } from 'next/headers'
import { guard } from '../guard'

const seen = guard.page('token')

export default async function Home() {
  const visitor = await seen({ headers: await headers() })
  return <h1>{visitor.ok ? `Hello ${visitor.auth.sub}` : 'Hello stranger'}</h1>
}
