// Headers of a request as Node keeps them. Typed structurally: nothing of Node is imported.

/** As much of an IncomingMessage as headers are read from. */
export interface PlainHeaders {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Names and values in turn, as they came. */
  readonly rawHeaders?: readonly string[] | undefined
}

/** Several of a name as one value. Of `Authorization` Node keeps the first and drops the rest: they are told, so that they are refused. */
export function headerIn({ headers, rawHeaders }: PlainHeaders, name: string): string | undefined {
  const value = headers[name]
  if (name === 'authorization' && value !== undefined && rawHeaders !== undefined) {
    const all = valuesOf(rawHeaders, name)
    if (all.length > 1) return all.join(', ')
  }
  return typeof value === 'object' ? value.join(name === 'cookie' ? '; ' : ', ') : value
}

function valuesOf(rawHeaders: readonly string[], name: string): readonly string[] {
  const values: string[] = []
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const one = rawHeaders[at] as string
    if (one.length === name.length && one.toLowerCase() === name) values.push(rawHeaders[at + 1] as string)
  }
  return values
}
