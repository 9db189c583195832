// The breaker on a clock moved by hand: when it opens, how long it waits, how many may try, and what closes it. Beside it
// what introspection reports to it.

import { beforeEach, describe, expect, it } from 'vitest'
import { type Breaker, createBreaker } from '../../src/source/breaker.ts'
import { createIntrospection } from '../../src/source/introspection.ts'
import type { JsonAnswer, Transport } from '../../src/source/transport.ts'

let time: number
let breaker: Breaker
beforeEach(() => {
  time = 0
  breaker = createBreaker(
    () => time,
    () => 0.5,
    () => {},
  )
})
const fail = (times: number, atLeast?: number) => {
  for (let i = 0; i < times; i++) {
    expect(breaker.allows()).toBe(true)
    breaker.failed(atLeast)
  }
}

describe('the breaker', () => {
  it('opens at the fifth failure in a row, and a success in between begins the row anew', () => {
    fail(4)
    breaker.succeeded()
    fail(4)
    expect([breaker.state(), breaker.allows()]).toEqual(['closed', true])
    fail(1)
    expect([breaker.state(), breaker.allows()]).toEqual(['open', false])
  })

  it('lets one try after its wait, and no second one before that is decided', () => {
    fail(5)
    time = breaker.opensIn() - 1
    expect(breaker.allows()).toBe(false)
    time++
    expect([breaker.allows(), breaker.allows(), breaker.state()]).toEqual([true, false, 'half_open'])
    time += 3_600_000
    expect(breaker.allows()).toBe(false)
    breaker.succeeded()
    expect([breaker.state(), breaker.allows(), breaker.allows()]).toEqual(['closed', true, true])
    // All is as at the beginning: five failures, and the first wait again.
    fail(5)
    expect(breaker.opensIn()).toBe(1500)
  })

  it('lets one try at once when the other side was heard of again, but not before a time that it asked for', () => {
    breaker.heard()
    fail(5)
    expect(breaker.opensIn()).toBe(1500)
    breaker.heard()
    expect([breaker.opensIn(), breaker.allows(), breaker.allows()]).toEqual([0, true, false])
    // While that try is under way, nothing more; and it counts as any other.
    breaker.heard()
    expect(breaker.allows()).toBe(false)
    breaker.failed(9000)
    expect(breaker.opensIn()).toBe(9000)
    time += 1000
    breaker.heard()
    expect(breaker.opensIn()).toBe(8000)
  })

  it('waits twice as long after each try that fails, five seconds at most', () => {
    fail(5)
    const waits: number[] = []
    for (let i = 0; i < 5; i++) {
      waits.push(breaker.opensIn())
      time += breaker.opensIn()
      fail(1)
    }
    expect(waits).toEqual([1500, 3000, 3750, 3750, 3750])
  })

  it('waits as long as the other side asks for, and no shorter than it would', () => {
    fail(5, 60_000)
    time = 59_999
    expect([breaker.allows(), breaker.opensIn()]).toEqual([false, 1])
    time++
    fail(1, 1000)
    expect(breaker.opensIn()).toBe(3000)
  })
})

describe('introspection', () => {
  const ask = (answer: JsonAnswer) => {
    let sent = 0
    const json = async () => {
      sent++
      return answer
    }
    const transport = { credential: '', json } as unknown as Transport
    const asking = createIntrospection({ transport, breaker, deadline: 1000, now: () => time, keep: (work) => work })
    const once = (token = 't') => asking.ask(token).catch((error: { retryAfter: number }) => error.retryAfter)
    return { once, asking, sent: () => sent }
  }

  it('asks nothing for as long as a service that is not well asked for, and tells its callers', async () => {
    const { once, sent } = ask({ status: 503, body: {}, retryAfter: 60_000 })
    for (let i = 0; i < 5; i++) expect(await once()).toBe(60)
    time = 59_000
    expect([await once(), sent()]).toEqual([1, 5])
    time = 60_000
    expect([await once(), sent()]).toEqual([60, 6])
  })

  it('tries a service that was not well with one batch, whatever waits', async () => {
    const { asking, once, sent } = ask({ status: 503, body: {}, retryAfter: 0 })
    for (let i = 0; i < 5; i++) await once()
    time = 60_000
    const all = await Promise.allSettled(Array.from({ length: 600 }, (_, i) => asking.ask(`t${i}`)))
    expect([all.every(({ status }) => status === 'rejected'), sent()]).toEqual([true, 6])
  })
})
