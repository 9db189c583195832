// Starts the playground beside a development service: waits for it, registers its API, listens, says where.

import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { createPlayground } from './app.ts'
import { createOperator, ownSecret, untilReady } from './operator.ts'

const port = Number(process.env.PLAYGROUND_PORT ?? 4100)
const issuer = process.env.SYMBOLON_ISSUER ?? `http://localhost:${process.env.SYMBOLON_PORT ?? 4000}`
const operator = createOperator(`http://127.0.0.1:${process.env.SYMBOLON_ADMIN_PORT ?? 4001}`, process.env.SYMBOLON_DATA ?? '.symbolon')

try {
  await untilReady(issuer, 30_000)
  const client = await ownSecret(operator, issuer)
  const server = createServer(createPlayground({ issuer, operator, client, page: fileURLToPath(new URL('../page/', import.meta.url)) }))
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new Error(`Port ${port} is in use; stop what runs there, or choose another one: PLAYGROUND_PORT=${port + 10}`)
          : error,
      ),
    )
    server.listen(port, '127.0.0.1', resolve)
  })
  process.stdout.write(`Playground  http://localhost:${port}  (open this one)\n\n`)
  const stop = () => {
    server.close(() => process.exit())
    server.closeIdleConnections()
    setTimeout(() => process.exit(), 3000).unref()
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
}
