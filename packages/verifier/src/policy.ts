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
  /** How much each segment says; behind the last one, `rest`. */
  readonly weights: readonly number[]
  readonly rest: number
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

/** How much a segment says. What has no more segments, and nothing that takes more, says as much as a word. */
const says = { word: 3, part: 2, parameter: 1, anything: 0 } as const

/** A segment of a pattern, with the slash before it, and how much it says. */
function segmentOf(segment: string, last: boolean): { readonly source: string; readonly weight: number } | undefined {
  if (last && segment.startsWith('*')) return { source: '(?:/.*)?', weight: says.anything }
  const optional = segment.endsWith('?')
  const body = optional ? segment.slice(0, -1) : segment
  const words = body.split(parameter)
  if (words.some((word) => /[*{}()?:]/.test(word)) || (optional && words.join('') !== '')) return undefined
  const source = `/${words.map(literal).join('[^/]+')}`
  const weight = optional ? says.anything : words.length === 1 ? says.word : words.join('') === '' ? says.parameter : says.part
  return { source: optional ? `(?:${source})?` : source, weight }
}

function compile(policy: Policy): readonly Entry[] {
  return Object.entries(policy).map(([name, rule]): Entry => {
    const match = /^([A-Z]+) (\/\S*)$/.exec(name)
    if (match === null) throw new TypeError(`A policy's routes are written like 'POST /transfers', not '${name}'.`)
    const segments = even(bySegments(match[2] as string))
      .split('/')
      .slice(1)
    const parts = segments.map((segment, i) => segmentOf(segment, i === segments.length - 1))
    const weights: number[] = []
    let source = ''
    for (const part of parts) {
      if (part === undefined)
        throw new TypeError(`A policy's paths have ':name', ':name?' and a last '*', not what stands in '${name}'. Write several routes.`)
      source += part.source
      weights.push(part.weight)
    }
    const rest = segments.at(-1)?.startsWith('*') === true ? says.anything : says.word
    return { method: match[1] as string, pattern: new RegExp(`^${source}/?$`), weights, rest, rule }
  })
}

/** Whether a pattern says as much as another in every segment, and more in one. */
function goesBefore(one: Entry, other: Entry): boolean {
  let more = false
  for (let at = 0; at < Math.max(one.weights.length, other.weights.length); at++) {
    const [mine, theirs] = [one.weights[at] ?? one.rest, other.weights[at] ?? other.rest]
    if (mine < theirs) return false
    if (mine > theirs) more = true
  }
  return more
}

/**
 * The rules of a path. Of two patterns that both fit, the one that says more in every segment counts; where each says more
 * somewhere, frameworks differ in which route they take, and both rules count.
 */
function rulesFor(entries: readonly Entry[], method: string, path: string): readonly Rule[] {
  const fit = entries.filter((one) => (one.method === method || (one.method === 'GET' && method === 'HEAD')) && one.pattern.test(path))
  if (fit.length <= 1) return fit.map(({ rule }) => rule)
  return fit.filter((one) => !fit.some((other) => goesBefore(other, one))).map(({ rule }) => rule)
}

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
  const guardsOf = (request: GuardRequest, path: string): readonly Guard[] =>
    rulesFor(entries, request.method, path).map((rule) => guards.get(rule) as Guard)
  const unnamed: Guard = (request) => (options.strict === true && !isSafeMethod(request.method) ? refuse('denied') : open(request))
  return (request: GuardRequest) => {
    // As it is routed, and as it came in: where something rewrites addresses, either may be the one that the policy names.
    const { url, routed = url } = request
    const targets = (routed === url ? [url] : [routed, url]).map(targetOf)
    if (!targets.every((target) => target !== undefined)) return refuse('invalid_request')
    const paths = targets.flatMap(spellings)
    const asked = new Set(paths.flatMap((path) => guardsOf(request, path)))
    if (asked.size > 1) return all(asked, request)
    for (const guard of asked) return guard(request)
    return unnamed(request)
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
      !isSafeMethod(method) && pathsOf(path.replace(parameter, plainParameter)).some((one) => rulesFor(entries, method, one).length === 0),
  )
  if (bare.length > 0 && options.strict === true) {
    const names = bare.map(({ method, path }) => `${method} ${path}`).join(', ')
    const error = new SymbolonError('uncovered_routes', { detail: names })
    error.message = `These routes change something and have no level in the policy: ${names}. Give each one, or 'public'.`
    throw error
  }
  return bare
}
