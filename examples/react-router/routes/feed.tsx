// A loader at token level. What a strange visitor gets is thrown, as React Router wants it: a redirect of the guard is
// followed, anything else comes to the error boundary.

import { data, isRouteErrorResponse, type LoaderFunctionArgs, useLoaderData, useRouteError } from 'react-router'
import { guard } from '../auth.server.ts'

const check = guard.check('token', { loginUrl: '/auth/login' })

export async function loader({ request }: LoaderFunctionArgs) {
  const checked = await check(request)
  if (!checked.ok) throw checked.response
  // A token that was minted for this page goes back with it, and spares the next mint.
  const headers = checked.setCookies.map((cookie): [string, string] => ['set-cookie', cookie])
  return data({ sub: checked.auth.sub, checked: checked.auth.checked }, { headers })
}

export default function Feed() {
  const { sub, checked } = useLoaderData<typeof loader>()
  return <h1>{`Feed of ${sub}, checked ${checked}`}</h1>
}

export function ErrorBoundary() {
  const error = useRouteError()
  const status = isRouteErrorResponse(error) ? error.status : 500
  return status === 401 ? <a href="/auth/login?return_to=%2Ffeed">Sign in</a> : <h1>{`Something is wrong (${status})`}</h1>
}
