// A verifier in a thread: it checks one token 200 times a second, and says when it was first refused, how long its event
// loop stood still at the most, and what it holds.

import { monitorEventLoopDelay } from 'node:perf_hooks'
import { parentPort, workerData } from 'node:worker_threads'
import { createVerifier } from '@symbolon/verifier'

const { issuer, clientId, clientSecret } = workerData as { issuer: string; clientId: string; clientSecret: string }
const port = parentPort
if (port === null) throw new Error('This file is a worker.')

const now = () => performance.timeOrigin + performance.now()
const loop = monitorEventLoopDelay({ resolution: 1 })
const before = process.memoryUsage()
loop.enable()
const began = now()
const verifier = createVerifier({ issuer, clientId, clientSecret })
const guard = verifier.guard('token')
let token: string | undefined
let timer: NodeJS.Timeout | undefined

const check = async () => {
  if (token === undefined) return
  const asked = token
  const result = await guard({ method: 'GET', url: '/', header: (name) => (name === 'authorization' ? `Bearer ${asked}` : undefined) })
  if (result.ok || token !== asked) return
  token = undefined
  clearInterval(timer)
  port.postMessage({ refusedAt: now(), status: result.status })
}
port.on('message', async (message: { readonly watch?: string; readonly close?: true }) => {
  if (message.close === true) {
    await verifier.close()
    port.close()
    return
  }
  token = message.watch
  clearInterval(timer)
  timer = setInterval(() => void check(), 5)
  await check()
  port.postMessage({ watching: true })
})
await verifier.ready()
const after = process.memoryUsage()
port.postMessage({
  readyMs: now() - began,
  pauseMs: loop.max / 1_000_000,
  mb: (after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers) / 1_048_576,
  entries: verifier.status().entries,
})
