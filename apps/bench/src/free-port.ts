// A port that was free a moment ago, for processes that must be told theirs.

import { createServer } from 'node:net'

/** Below those that systems give to connections of their own: one of them would take the port before the process is there. */
const [lowest, count] = [12_000, 20_000]

/** Finds one on loopback. */
export const freePort = (): Promise<number> =>
  new Promise((resolve, reject) => {
    const look = (turn: number) => {
      const port = lowest + Math.floor(Math.random() * count)
      const server = createServer()
      server.once('error', (error) => (turn < 50 ? look(turn + 1) : reject(error)))
      server.listen(port, '127.0.0.1', () => server.close(() => resolve(port)))
    }
    look(1)
  })
