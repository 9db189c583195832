// A port that was free a moment ago, for processes that must be told theirs.

import { createServer } from 'node:net'

/** Finds one on loopback. */
export const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number }
      server.close(() => resolve(port))
    })
  })
