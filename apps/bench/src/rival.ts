// better-auth on the same server, in a database of its own, with its options as they are by default (its cookie cache is
// off); people and sessions made by its own sign-up, cookies signed by itself.

import { betterAuth } from 'better-auth'
import { getMigrations } from 'better-auth/db/migration'
import { Pool } from 'pg'
import { connections, issuer, secret } from './rooms.ts'

/** Opens it. `updateAge` in seconds: how old a session gets before a read of it writes; a day by default. */
export async function openRival(url: string, updateAge?: number) {
  const pool = new Pool({ connectionString: url, max: connections })
  const options = {
    database: pool,
    secret,
    baseURL: new URL(issuer).origin,
    emailAndPassword: { enabled: true },
    telemetry: { enabled: false },
    ...(updateAge !== undefined && { session: { updateAge } }),
  }
  const auth = betterAuth(options)
  return {
    auth,
    pool,
    migrate: async () => (await getMigrations(options)).runMigrations(),
    /** Signs people up; returns the `Cookie` header of each. */
    async signUp(count: number): Promise<string[]> {
      const cookies: string[] = []
      for (let i = 0; i < count; i++) {
        const body = { email: `user${i}@example.com`, password: `a long password, number ${i}`, name: `User ${i}` }
        const answer = await auth.api.signUpEmail({ body, asResponse: true })
        if (!answer.ok) throw new Error(`sign-up: ${answer.status}`)
        cookies.push(
          answer.headers
            .getSetCookie()
            .map((one) => one.split(';')[0])
            .join('; '),
        )
      }
      return cookies
    },
  }
}
