// What every noun's verbs share: a command that opens the service's data, runs, prints, and closes whatever happens.

import type { Command } from 'commander'
import type { AuthObject } from '#embed'
import { type CommonOptions, failure, type Terminal, withAuth } from './terminal.ts'

type Refused = { readonly ok: false; readonly code: string; readonly options?: { readonly field?: string } }

/** The value, or the refusal as a failure. */
export function granted<T extends { readonly ok: boolean }>(result: T): Extract<T, { readonly ok: true }> {
  if (result.ok) return result as Extract<T, { readonly ok: true }>
  const { code, options } = result as unknown as Refused
  const field = options?.field
  throw failure(values[field ?? ''] ?? sentences[code] ?? `Refused: ${code}${field === undefined ? '' : ` (${field})`}.`)
}

const sentences: Readonly<Record<string, string>> = {
  not_found: 'There is none of that id.',
  conflict: 'That exists already.',
  session_unknown: 'There is no live session of that id.',
  invalid_identifier: 'That is not an e-mail address Symbolon can send to.',
}

/** What a field takes, by its name in core. */
const values: Readonly<Record<string, string>> = {
  roles: 'Roles are short names of letters, digits and . : _ -, each once, fifty at most.',
  id: '--id is a short name in lower case, such as app or mobile-ios.',
  name: 'A name has 1 to 80 characters.',
  origins: '--origins are exact origins such as https://app.example, separated by commas.',
  returnTo: '--return-to takes exact addresses such as https://app.example/done, or paths such as /done, separated by commas.',
  scopes: '--scopes are words without blanks or quotes, separated by commas.',
  audiences: '--audiences are addresses or words without blanks or quotes, separated by commas.',
  'policy.targets': '--targets are addresses or words without blanks or quotes, separated by commas.',
  'policy.tokenLifetime': '--lifetime is from 1m to 15m, for a service to 1h.',
  keys: '--keys is a set of public JWKs, five at most, each with its kid, and only of a service.',
}

/** Adds the options that every command has. */
export const common = (command: Command) =>
  command.option('--json', 'print JSON').option('--dev', 'use the development service').option('--config <file>', 'configuration file')
/** The options of a command. */
export const optionsOf = (command: Command) => command.opts<CommonOptions & Record<string, never>>()

/** Adds a verb to a noun. */
export type AddVerb = (
  noun: Command,
  signature: string,
  description: string,
  run: (auth: AuthObject, input: string[], options: CommonOptions & Record<string, never>) => Promise<void>,
  more?: (command: Command) => Command,
) => void

/** Makes what adds verbs. */
export function createVerb(terminal: Terminal): AddVerb {
  return (noun, signature, description, run, more) => {
    const command = common(noun.command(signature).description(description))
    more?.(command)
    command.action(async (...input: unknown[]) => {
      const options = optionsOf(command)
      const words = input
        .slice(0, -2)
        .flat()
        .filter((one): one is string => typeof one === 'string')
      await withAuth(terminal, options, (auth) => run(auth, words, options))
    })
  }
}
