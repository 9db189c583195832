// A steady stream of requests, at rates that no answer slows down: what was asked when, and what was answered.

/** One request. Times in milliseconds of the monotonic clock. */
export interface Asked {
  readonly kind: string
  readonly at: number
  /** `null`: none has come. */
  took: number | null
  status: number
  code: string
  retryAfter: boolean
}

/** What is asked: a request made anew each time, once each `every` milliseconds. */
export interface Question {
  readonly kind: string
  readonly every: number
  readonly ask: (turn: number) => Promise<Response>
}

/** Starts to ask. */
export function startStream(questions: readonly Question[]) {
  const asked: Asked[] = []
  const under = new Set<Promise<void>>()
  const one = async (question: Question, turn: number) => {
    const note: Asked = { kind: question.kind, at: performance.now(), took: null, status: 0, code: 'no answer', retryAfter: false }
    asked.push(note)
    try {
      const response = await question.ask(turn)
      const text = await response.text()
      note.took = performance.now() - note.at
      note.status = response.status
      note.retryAfter = Number(response.headers.get('retry-after')) >= 1
      note.code = response.ok ? '' : String((JSON.parse(text) as { code?: unknown }).code)
    } catch {
      note.took = null
    }
  }
  const timers = questions.map((question) => {
    let turn = 0
    return setInterval(() => {
      const work = one(question, turn++).finally(() => under.delete(work))
      under.add(work)
    }, question.every)
  })
  return {
    /** What was asked from one time to another. */
    between: (from: number, to: number) => asked.filter(({ at }) => at >= from && at < to),
    async stop() {
      for (const timer of timers) clearInterval(timer)
      await Promise.all(under)
    },
  }
}
