// The policy table: every route's level in one place, driving the same guards. Matching is at least as wide as any
// framework's (case, trailing slashes, escapes), so that no spelling of a path goes round its rule.

import { isSafeMethod, SymbolonError } from '@symbolon/protocol'
import type { GuardRequest, Requirement, Rule } from './auth.ts'
import { refuse } from './guard.ts'
import type { Guard, Verifier } from './verifier.ts'

/** `'METHOD /path/:parameter'` to a level, or a level with requirements. `*` at the end takes everything below. */
export type Policy = Readonly<Record<`${Uppercase<string>} /${string}`, Rule>>

/** A route as a framework knows it. */
export interface Route {
  readonly method: string
  readonly path: string
}

interface Entry {
  readonly method: string
  readonly pattern: RegExp
  readonly weight: number
  readonly rule: Rule
}

/** One spelling for a path: decoded, lower case, no doubled and no trailing slash. */
function plainPath(url: string): string {
  let path = url.split(/[?#]/, 1)[0] as string
  try {
    path = decodeURIComponent(path)
  } catch {
    // What cannot be decoded stays as it is; frameworks refuse it themselves.
  }
  return path
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
    .replace(/(?<=.)\/$/, '')
}

function compile(policy: Policy): readonly Entry[] {
  const entries = Object.entries(policy).map(([name, rule]): Entry => {
    const match = /^([A-Z]+) (\/\S*)$/.exec(name)
    if (match === null) throw new TypeError(`A policy's routes are written like 'POST /transfers', not '${name}'.`)
    const segments = plainPath(match[2] as string)
      .split('/')
      .slice(1)
    let weight = 0
    const source = segments.map((segment, i) => {
      const last = i === segments.length - 1
      if (last && segment.startsWith('*')) return '.*'
      weight += segment.startsWith(':') ? 1 : 1000
      return segment.startsWith(':') ? '[^/]+' : segment.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
    })
    return { method: match[1] as string, pattern: new RegExp(`^/${source.join('/')}$`), weight, rule }
  })
  return entries.sort((a, b) => b.weight - a.weight)
}

const ruleFor = (entries: readonly Entry[], method: string, path: string): Rule | undefined =>
  entries.find((one) => (one.method === method || (one.method === 'GET' && method === 'HEAD')) && one.pattern.test(path))?.rule

/** The guard that a policy makes. Routes it does not name pass (safe methods always); `strict` refuses unnamed ones that change something. */
export function createPolicyGuard(verifier: Verifier, policy: Policy, options: { readonly strict?: boolean } = {}): Guard {
  const entries = compile(policy)
  const guards = new Map<Rule, Guard>()
  const open = verifier.guard('public')
  for (const { rule } of entries) {
    if (typeof rule === 'string') guards.set(rule, verifier.guard(rule))
    else {
      const { level, ...requirement } = rule
      guards.set(rule, verifier.guard(level, requirement as Requirement))
    }
  }
  return (request: GuardRequest) => {
    const rule = ruleFor(entries, request.method, plainPath(request.url))
    const guard = rule === undefined ? undefined : guards.get(rule)
    if (guard !== undefined) return guard(request)
    return options.strict === true && !isSafeMethod(request.method) ? refuse('denied') : open(request)
  }
}

/**
 * The routes that change something and have no level in the policy. With `strict` they are not returned but thrown, as
 * `uncovered_routes`: call it before listening.
 */
export function uncovered(policy: Policy, routes: readonly Route[], options: { readonly strict?: boolean } = {}): readonly Route[] {
  const entries = compile(policy)
  const bare = routes.filter(({ method, path }) => !isSafeMethod(method) && ruleFor(entries, method, plainPath(path)) === undefined)
  if (bare.length > 0 && options.strict === true) {
    const names = bare.map(({ method, path }) => `${method} ${path}`).join(', ')
    const error = new SymbolonError('uncovered_routes', { detail: names })
    error.message = `These routes change something and have no level in the policy: ${names}. Give each one, or 'public'.`
    throw error
  }
  return bare
}
