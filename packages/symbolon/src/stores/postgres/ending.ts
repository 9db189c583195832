// Somebody's sessions, when what ends them all is one transaction: of very many, most are ended before, a thousand at a time,
// so that this transaction stays a short one. Whoever has fewer loses them in it, or keeps them.

import type { Driver } from './driver.ts'
import { auditJson, type Logged, type Verbs } from './write.ts'

/** Sessions ended in one transaction. */
export const perBatch = 1000

type Ending = { readonly sids: readonly string[]; readonly more: boolean; readonly log: Logged }

/** Creates what is run before; it returns the sids that it ended, none for somebody with a thousand or fewer. */
export function createEnding(driver: Driver, { logging }: Pick<Verbs, 'logging'>) {
  const many = `SELECT count(*)::integer FROM (SELECT 1 FROM @sessions WHERE user_id = $1 AND revoked_at IS NULL LIMIT ${perBatch + 1}) x`
  return async (user: string, except: string | null, reason: string): Promise<readonly string[]> => {
    const [row] = await driver.read({ name: 'many_sessions', text: many }, [user])
    const ended: string[] = []
    for (let more = (row?.[0] as number) > perBatch; more; ) {
      const values = [user, except, reason, auditJson([]), perBatch]
      const batch = await logging<Ending>({ name: 'revoke_user', text: 'SELECT @revoke_user($1, $2, $3, $4, $5)' }, values)
      for (const sid of batch.sids) ended.push(sid)
      more = batch.more
    }
    return ended
  }
}
