// What of a database's settings would cost something that was promised: one sentence each, with the price.

import type { Driver } from './driver.ts'

const wanted: readonly (readonly [string, string, string])[] = [
  ['fsync', 'on', 'a crash of the machine can lose or damage everything that was acknowledged (G4); turn it on.'],
  ['full_page_writes', 'on', 'a power cut can damage pages beyond repair (G4); turn it on.'],
]

/** Reads the settings; empty when all is well. */
export function examine(driver: Pick<Driver, 'alone' | 'schema'>): Promise<readonly string[]> {
  return driver.alone(async (query) => {
    const findings: string[] = []
    const setting = async (name: string) => String((await query('SELECT current_setting($1)', [name]))[0]?.[0])
    for (const [name, value, price] of wanted) {
      const is = await setting(name)
      if (is !== value) findings.push(`PostgreSQL: ${name} is ${is}: ${price}`)
    }
    const reset = await query("SELECT reset_val FROM pg_settings WHERE name = 'synchronous_commit'")
    if (reset[0]?.[0] === 'off')
      findings.push(
        'PostgreSQL: synchronous_commit is off: a crash would lose what was acknowledged in the last moments. Symbolon turns it on for its own connections; turn it on for the database too.',
      )
    const commit = await setting('synchronous_commit')
    const standbys = await setting('synchronous_standby_names')
    if (standbys !== '' && commit === 'local')
      findings.push('PostgreSQL: synchronous_commit is local: a fail-over can lose what was acknowledged (G4); set it to on.')
    const [clock] = await query('SELECT (SELECT at FROM @clock) - @wall()')
    const ahead = Number(clock?.[0])
    if (ahead > 2000)
      findings.push(
        `PostgreSQL: the database's clock is ${Math.round(ahead / 1000)} s behind what it was; time stands still here until it has caught up.`,
      )
    return findings
  })
}
