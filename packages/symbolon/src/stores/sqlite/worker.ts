// The thread that writes. Flushes and lock waits happen here, never on the thread that answers requests.

import { parentPort, workerData } from 'node:worker_threads'
import { isClosed } from '#stores/rows'
import { openDriver, storeError } from './driver.ts'
import { type Call, type Committed, runGroup } from './group.ts'
import type { Verb } from './verbs.ts'

/** What the writer sends. `end`: close and stop. */
export type Request =
  | { readonly calls: readonly { readonly verb: Verb; readonly input: readonly unknown[] }[]; readonly wall: number }
  | 'end'

/** What it gets back; `failed` when nothing was committed. */
export type Reply =
  | Committed
  | { readonly failed: { readonly code: 'store_corrupt' | 'store_unavailable'; readonly sentence: string; readonly closed: boolean } }

/** What the worker is started with. */
export interface WorkerData {
  readonly path: string
  /** A step at which the process kills itself; for tests. */
  readonly crashPoint: string | null
}

const { path, crashPoint } = workerData as WorkerData
const port = parentPort
if (port === null) throw new Error('This file is a worker.')

const crash = (step: string) => {
  if (step === crashPoint) process.kill(process.pid, 'SIGKILL')
}

const db = openDriver(path)
port.on('message', (request: Request) => {
  if (request === 'end') {
    db.close()
    port.close()
    return
  }
  let reply: Reply
  try {
    reply = runGroup(db, request.calls as readonly Call[], request.wall, crash)
  } catch (error) {
    const { code, message } = storeError(error, path)
    reply = { failed: { code: code as 'store_corrupt' | 'store_unavailable', sentence: message, closed: isClosed(error) } }
  }
  port.postMessage(reply)
})
