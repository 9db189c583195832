// Calls to the service that served the page, and the little that both pages do.

/** An answer: what it says, or the code of its refusal. */
export type Answer<T> = { readonly ok: true; readonly body: T } | { readonly ok: false; readonly code: string }

/** Posts JSON to a path of our own. */
export async function post<T>(path: string, body: unknown): Promise<Answer<T>> {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json' },
      body: JSON.stringify(body),
    })
    const read = (await response.json()) as T & { readonly code?: string }
    return response.ok ? { ok: true, body: read } : { ok: false, code: read.code ?? 'try_later' }
  } catch {
    return { ok: false, code: 'try_later' }
  }
}

/** Whether a person, or the browser for them, called it off. */
export const isCancelled = (error: unknown) => ['NotAllowedError', 'AbortError'].includes((error as Error | null)?.name ?? '')

/** Says something beside what it is about; screen readers read it out. */
export function say(place: Element | null, text: string | undefined): void {
  if (place !== null) place.textContent = text ?? ''
}
