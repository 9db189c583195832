// An action at session level: the session's record is asked in real time, and who signed in long ago signs in again.

import { type ActionFunctionArgs, Form, isRouteErrorResponse, useActionData, useRouteError } from 'react-router'
import { guard } from '../auth.server.ts'

const check = guard.check('session', { maxAuthAge: '5m' })

export async function action({ request }: ActionFunctionArgs) {
  const checked = await check(request)
  if (!checked.ok) throw checked.response
  const form = await request.formData()
  return { by: checked.auth.sub, amount: String(form.get('amount')) }
}

export default function Transfers() {
  const done = useActionData<typeof action>()
  return (
    <Form method="post">
      <h1>{done === undefined ? 'Transfer' : `${done.amount} transferred by ${done.by}`}</h1>
      <input name="amount" />
      <button type="submit">Transfer</button>
    </Form>
  )
}

export function ErrorBoundary() {
  const error = useRouteError()
  return <h1>{`Refused (${isRouteErrorResponse(error) ? error.status : 500})`}</h1>
}
