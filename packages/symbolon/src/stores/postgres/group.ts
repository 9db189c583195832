// Calls of one moment as one statement. A call never joins a statement that was already sent; few statements are under way
// at once, and what comes meanwhile waits for the next. Bounded in number and time.

import { SymbolonError } from '@symbolon/protocol'
import { faultOf, isLocked } from './faults.ts'

/** How calls are gathered. */
export interface GroupOptions<Input, Output> {
  /** Runs all of them as one; answers in their order, each when it is there. */
  readonly run: (inputs: readonly Input[]) => Promise<readonly (Output | Promise<Output>)[]>
  /** Statements under way at once. */
  readonly flights: number
  readonly perGroup: number
  /**
   * From how many on what waits is shared out among the statements that may be sent, so that the answer of one is read while
   * another one runs. Not for verbs that wait for each other in the database.
   */
  readonly shared?: number
  /** How long a call may wait to be sent, in milliseconds. */
  readonly patience: number
  /** How long it may wait in all; 1,800 milliseconds unless said. */
  readonly inAll?: number
  /** For verbs that wait for rows which others may hold: whose row that is, is found out by trying each alone. */
  readonly locks?: boolean
}

interface Waiting<Input, Output> {
  readonly input: Input
  readonly since: number
  /** Refused: nothing may be begun for it any more. */
  over: boolean
  resolve(output: Output | Promise<Output>): void
  reject(error: unknown): void
}

const most = 20_000
/** A statement that is not back in this time lets another one be sent beside it, up to as many; milliseconds. What it waits for, others need not. */
const late = 100
const beside = 3
/** How many of a group are tried alone at once, and how much of their time must be left to begin; milliseconds. */
const alone = 3
const leastLeft = 200
const slow = () => new SymbolonError('store_unavailable', { detail: 'the database is too slow', retryAfter: 2 })

/** Creates the gatherer: a function that answers one call. */
export function createGroup<Input, Output>(options: GroupOptions<Input, Output>): (input: Input) => Promise<Output> {
  const { shared = Number.POSITIVE_INFINITY, inAll = 1800, locks = false } = options
  let waiting: Waiting<Input, Output>[] = []
  let flying = 0
  let delayed = 0
  /** Late, and still in their places. */
  const overdue = new Set<() => void>()
  let scheduled = false

  const refuse = (one: Waiting<Input, Output> | undefined, error: unknown) => {
    if (one === undefined || one.over) return
    one.over = true
    one.reject(error)
  }
  const settle = ({ resolve }: Waiting<Input, Output>, answer: Output | Promise<Output>) => {
    // Whoever was refused meanwhile hears nothing of it any more, and must not be brought down by how it ends.
    if (answer instanceof Promise) answer.catch(() => {})
    resolve(answer)
  }
  /** Refuses those of a group, the oldest first, whose time is over before it comes back. */
  const watch = (group: readonly Waiting<Input, Output>[]) => {
    let next = 0
    let timer: NodeJS.Timeout
    const look = () => {
      const now = performance.now()
      while (next < group.length && now - (group[next] as Waiting<Input, Output>).since >= inAll) refuse(group[next++], slow())
      const one = group[next]
      if (one !== undefined) timer = setTimeout(look, one.since + inAll - now + 1)
    }
    timer = setTimeout(look, (group[0] as Waiting<Input, Output>).since + inAll - performance.now() + 1)
    return () => clearTimeout(timer)
  }
  /** Tries each of a group alone, a few at once; who was refused meanwhile, or soon will be, must not be found to have been done. */
  const each = async (group: readonly Waiting<Input, Output>[]) => {
    const line = group.values()
    const work = async () => {
      for (const one of line) {
        if (one.over) continue
        if (performance.now() - one.since > inAll - leastLeft) refuse(one, slow())
        else
          await options.run([one.input]).then(
            ([answer]) => settle(one, answer as Output | Promise<Output>),
            (error) => refuse(one, error),
          )
      }
    }
    await Promise.all(Array.from({ length: alone }, work))
  }
  const fly = async (group: readonly Waiting<Input, Output>[]) => {
    const watched = watch(group)
    try {
      const answers = await options.run(group.map(({ input }) => input))
      for (const [at, one] of group.entries()) settle(one, answers[at] as Output | Promise<Output>)
    } catch (error) {
      // Nothing was done. What is wrong with one of them, or what somebody else holds of it, is its own fault alone.
      if (group.length > 1 && (faultOf(error) === 'data' || (locks && isLocked(error)))) await each(group)
      else for (const one of group) refuse(one, error)
    } finally {
      watched()
    }
  }
  const send = () => {
    scheduled = false
    while (flying < options.flights && waiting.length > 0) {
      const now = performance.now()
      const group: Waiting<Input, Output>[] = []
      const share = waiting.length < shared ? waiting.length : Math.ceil(waiting.length / (options.flights - flying))
      const room = Math.min(options.perGroup, share)
      while (waiting.length > 0 && group.length < room) {
        const rest = waiting
        const batch = rest.length <= room ? rest : rest.slice(0, room)
        waiting = rest.length <= room ? [] : rest.slice(room)
        for (const one of batch)
          if (now - one.since <= options.patience) group.push(one)
          else refuse(one, slow())
      }
      if (group.length === 0) return
      flying++
      /** Gives its place to another one, if few have. */
      const giveWay = () => {
        if (delayed >= beside) return void overdue.add(giveWay)
        given = true
        flying--
        delayed++
        send()
      }
      let given = false
      const timer = setTimeout(giveWay, late)
      void fly(group).finally(() => {
        clearTimeout(timer)
        overdue.delete(giveWay)
        if (!given) flying--
        else {
          delayed--
          const [next] = overdue
          if (next !== undefined) {
            overdue.delete(next)
            next()
          }
        }
        send()
      })
    }
  }
  return (input) =>
    new Promise((resolve, reject) => {
      if (waiting.length >= most)
        return reject(new SymbolonError('try_later', { detail: 'too many calls wait for the database', retryAfter: 1 }))
      waiting.push({ input, since: performance.now(), over: false, resolve, reject })
      if (scheduled || flying >= options.flights) return
      scheduled = true
      setImmediate(send)
    })
}
