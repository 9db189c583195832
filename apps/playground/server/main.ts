// Starts the playground beside a development service: waits for it, registers its APIs, starts them, listens, says where.

import { createServer } from 'node:http'
import { fileURLToPath } from 'node:url'
import { createPlayground } from './app.ts'
import { createOperator, ownSecret, untilReady } from './operator.ts'
import { startApis } from './processes.ts'
import { createUndo } from './undo.ts'

const port = Number(process.env.PLAYGROUND_PORT ?? 4100)
const issuer = process.env.SYMBOLON_ISSUER ?? `http://localhost:${process.env.SYMBOLON_PORT ?? 4000}`
const operator = createOperator(`http://127.0.0.1:${process.env.SYMBOLON_ADMIN_PORT ?? 4001}`, process.env.SYMBOLON_DATA ?? '.symbolon')

try {
  await untilReady(issuer, 30_000)
  const client = await ownSecret(operator, issuer)
  const apis = startApis({ port, issuer, client })
  const undo = createUndo()
  const page = fileURLToPath(new URL('../page/', import.meta.url))
  const { app, verifier } = createPlayground({ issuer, operator, client, apis, undo, page })
  const server = createServer(app)
  const stop = async () => {
    setTimeout(() => process.exit(), 2500).unref()
    // While the service still answers: a user who was disabled would stay it.
    await undo.all()
    apis.end()
    await verifier.close()
    server.close(() => process.exit())
    server.closeIdleConnections()
  }
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => void stop())
  await apis.ready()
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
  const own = apis.all.map((api) => `http://127.0.0.1:${api.port()}`).join(', ')
  process.stdout.write(`Playground  http://localhost:${port}  (open this one)\n  its APIs  ${own}\n\n`)
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`)
  // The API processes and the verifier hold this process: it ends here, and they with it.
  process.exit(1)
}
