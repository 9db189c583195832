// A page at session level with a server action. The action asks again, and as an action: anybody can post to it.

import { headers } from 'next/headers'
import { redirect } from 'next/navigation'
import { guard } from '../../guard'

const seen = guard.page('session')
const acting = guard.action('session', { maxAuthAge: '5m' })

async function rename() {
  'use server'
  const actor = await acting({ headers: await headers() })
  redirect(actor.ok ? `/devices?renamed=${actor.auth.sub}` : `/devices?refused=${actor.code}`)
}

export default async function Devices() {
  const visitor = await seen({ headers: await headers(), url: '/devices' })
  if (!visitor.ok) redirect(visitor.location ?? '/')
  return (
    <form action={rename}>
      <h1>{`Devices of ${visitor.auth.sub}, checked ${visitor.auth.checked}`}</h1>
      <button type="submit">Rename this one</button>
    </form>
  )
}
