// The policy table: every route's level in one place, driving the same guards. Matching is at least as wide as any
// framework's (case, slashes, escapes, semicolons), so that no spelling of a path goes round its rule.

import { isSafeMethod, SymbolonError } from '@symbolon/protocol'
import type { GuardRequest, GuardResult, Requirement, Rule } from './auth.ts'
import { refuse } from './guard.ts'
import type { Guard, Verifier } from './verifier.ts'

/** `'METHOD /path/:parameter'` to a level, or a level with requirements. `:parameter?` may be missing; `*` at the end takes everything from there. */
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

/** Lower case, no doubled and no trailing slash. */
const even = (path: string) =>
  path
    .toLowerCase()
    .replace(/\/{2,}/g, '/')
    .replace(/(?<=.)\/$/, '')

const decoded = (text: string) => {
  try {
    return decodeURIComponent(text)
  } catch {
    // What cannot be decoded stays as it is; frameworks refuse it themselves.
    return text
  }
}

/** Decoded segment by segment: an escaped slash separates nothing, as in every framework's router. */
const bySegments = (path: string) =>
  path.includes('%')
    ? path
        .split('/')
        .map((segment) => decoded(segment).replaceAll('/', '%2f'))
        .join('/')
    : path

/** A whole address as the target (RFC 9112 §3.2.2), with nothing in it that two readers take for two paths. */
const whole = /^https?:\/\/(?:[\w.-]+|\[[\da-f:.]+\])(?::\d+)?(?=\/[^\\]*$)/i

/** The target without its host, which frameworks route past; `undefined` for what they may read as different paths. */
const targetOf = (url: string): string | undefined => {
  const target = url.startsWith('/') ? url : url.replace(whole, '')
  return target.startsWith('/') ? target : undefined
}

/** What a framework, or what stands before it, may take a request's path for. */
function spellings(target: string): readonly string[] {
  const path = target.split(/[?#]/, 1)[0] as string
  const first = even(bySegments(path))
  if (!path.includes('%') && !path.includes(';')) return [first]
  return [first, even(decoded(path)), even(bySegments(path.split(';', 1)[0] as string))]
}

const parameter = /:\w+(?:\{[^{}]*\}|\([^()]*\))?/g
const literal = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

/** A segment of a pattern, with the slash before it, and how much it says. */
function segmentOf(segment: string, last: boolean): { readonly source: string; readonly weight: number } | undefined {
  if (last && segment.startsWith('*')) return { source: '(?:/.*)?', weight: 0 }
  const optional = segment.endsWith('?')
  const body = optional ? segment.slice(0, -1) : segment
  const words = body.split(parameter)
  if (words.some((word) => /[*{}()?:]/.test(word)) || (optional && words.join('') !== '')) return undefined
  const source = `/${words.map(literal).join('[^/]+')}`
  return { source: optional ? `(?:${source})?` : source, weight: words.length === 1 ? 1000 : words.join('') === '' ? 1 : 500 }
}

function compile(policy: Policy): readonly Entry[] {
  const entries = Object.entries(policy).map(([name, rule]): Entry => {
    const match = /^([A-Z]+) (\/\S*)$/.exec(name)
    if (match === null) throw new TypeError(`A policy's routes are written like 'POST /transfers', not '${name}'.`)
    const segments = even(bySegments(match[2] as string))
      .split('/')
      .slice(1)
    const parts = segments.map((segment, i) => segmentOf(segment, i === segments.length - 1))
    let [source, weight] = ['', 0]
    for (const part of parts) {
      if (part === undefined)
        throw new TypeError(`A policy's paths have ':name', ':name?' and a last '*', not what stands in '${name}'. Write several routes.`)
      source += part.source
      weight += part.weight
    }
    return { method: match[1] as string, pattern: new RegExp(`^${source}/?$`), weight, rule }
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
  const guardOf = (request: GuardRequest, path: string): Guard | undefined => {
    const rule = ruleFor(entries, request.method, path)
    return rule === undefined ? undefined : guards.get(rule)
  }
  const unnamed: Guard = (request) => (options.strict === true && !isSafeMethod(request.method) ? refuse('denied') : open(request))
  return (request: GuardRequest) => {
    // As it is routed, and as it came in: where something rewrites addresses, either may be the one that the policy names.
    const { url, routed = url } = request
    const targets = (routed === url ? [url] : [routed, url]).map(targetOf)
    if (!targets.every((target) => target !== undefined)) return refuse('invalid_request')
    const paths = targets.flatMap(spellings)
    if (paths.length === 1) return (guardOf(request, paths[0] as string) ?? unnamed)(request)
    const asked = paths.map((path) => guardOf(request, path)).filter((one) => one !== undefined)
    return asked.length === 0 ? unnamed(request) : all(new Set(asked), request)
  }
}

/** Every guard that a path may belong to must let it pass; the first one says who is calling. */
async function all(guards: ReadonlySet<Guard>, request: GuardRequest): Promise<GuardResult> {
  const results: GuardResult[] = []
  for (const guard of guards) {
    const result = await guard(request)
    if (!result.ok) return result
    results.push(result)
  }
  return results.find((result) => result.ok && result.auth !== undefined) ?? (results[0] as GuardResult)
}

/** A parameter without its regular expression. */
const plainParameter = (text: string) => text.replace(/[{(].*$/, '')

/** The paths that one pattern of a framework stands for: with and without what is optional, and below a wildcard. */
function pathsOf(pattern: string): readonly string[] {
  const group = /\{([^{}]*)\}/.exec(pattern)
  if (group !== null) {
    const [whole, inner = ''] = group
    return [inner, ''].flatMap((text) => pathsOf(pattern.replace(whole, () => text)))
  }
  const optional = /\/:\w+\?/.exec(pattern)
  if (optional !== null) return [optional[0].slice(0, -1), ''].flatMap((text) => pathsOf(pattern.replace(optional[0], () => text)))
  const star = pattern.lastIndexOf('/*')
  if (star >= 0) return ['', '/x', '/x/y'].map((text) => even(pattern.slice(0, star) + text))
  return [even(bySegments(pattern))]
}

/**
 * The routes that change something and have no level in the policy. With `strict` they are not returned but thrown, as
 * `uncovered_routes`: call it before listening.
 */
export function uncovered(policy: Policy, routes: readonly Route[], options: { readonly strict?: boolean } = {}): readonly Route[] {
  const entries = compile(policy)
  const bare = routes.filter(
    ({ method, path }) =>
      !isSafeMethod(method) && pathsOf(path.replace(parameter, plainParameter)).some((one) => ruleFor(entries, method, one) === undefined),
  )
  if (bare.length > 0 && options.strict === true) {
    const names = bare.map(({ method, path }) => `${method} ${path}`).join(', ')
    const error = new SymbolonError('uncovered_routes', { detail: names })
    error.message = `These routes change something and have no level in the policy: ${names}. Give each one, or 'public'.`
    throw error
  }
  return bare
}
