// Which verbs a known path takes: for 405 and its Allow (RFC 9110 §15.5.6), where another one was tried.

/** A route as it was added: its verb, and its path with `:name` or `{name}` for what varies. */
export interface KnownRoute {
  readonly method: string
  readonly path: string
}

/** Makes what tells the value of Allow for a path; `undefined` where nothing is. */
export function createAllowed(routes: () => readonly KnownRoute[]): (path: string) => string | undefined {
  let patterns: readonly { readonly method: string; readonly pattern: RegExp }[] | undefined
  return (path) => {
    patterns ??= routes().map((route) => ({
      method: route.method.toUpperCase(),
      pattern: new RegExp(`^${route.path.replace(/[.]/g, '\\.').replace(/\{\w+\}|:\w+/g, '[^/]+')}$`),
    }))
    const verbs = patterns
      .filter(({ pattern }) => pattern.test(path))
      .flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method]))
    return verbs.length === 0 ? undefined : [...new Set(verbs)].join(', ')
  }
}
