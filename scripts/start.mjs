// `npm start`: the service in development mode and the playground beside it, both stopped together.
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { build, install, root } from './bootstrap.mjs'

install()
build({ playground: true })

const data = process.env.SYMBOLON_DATA ?? join(root, '.symbolon')
const playground = `http://localhost:${process.env.PLAYGROUND_PORT ?? 4100}`
const env = {
  SYMBOLON_APP_NAME: 'the playground',
  SYMBOLON_APP_ORIGINS: playground,
  SYMBOLON_APP_RETURN_TO: `${playground}/`,
  ...process.env,
  SYMBOLON_DATA: data,
}
// Each child leads its own process group, so that Ctrl-C reaches it once, through us.
const start = (...args) => spawn(process.execPath, args, { cwd: root, env, stdio: 'inherit', detached: true })
const [service, page] = [
  start(join(root, 'packages/symbolon/dist/cli/main.js'), 'serve', '--dev'),
  start(join(root, 'apps/playground/dist/server/main.js')),
]
const children = [service, page]

let stopping = false
const runs = (child) => child.exitCode === null && child.signalCode === null
const end = (child, signal) => runs(child) && child.kill(signal)
function stop(signal) {
  stopping = true
  end(page, signal)
  // The playground goes first: it may have something to take back at the service.
  if (signal === 'SIGTERM' && runs(page)) setTimeout(end, 3000, service, signal).unref()
  else end(service, signal)
  // One that does not stop when asked must not keep the terminal.
  if (signal === 'SIGTERM') setTimeout(stop, 10_000, 'SIGKILL').unref()
}
process.on('SIGINT', () => stop('SIGTERM'))
process.on('SIGTERM', () => stop('SIGTERM'))
process.on('SIGHUP', () => stop('SIGTERM'))

// npm does not always pass a signal on: without it, we would be left behind with the ports taken.
const parent = process.ppid
setInterval(() => process.ppid !== parent && !stopping && stop('SIGTERM'), 500).unref()

let running = children.length
for (const child of children) {
  child.on('exit', (code) => {
    running--
    if (!stopping) process.exitCode = code === 0 ? 1 : (code ?? 1)
    if (!stopping || child === page) stop('SIGTERM')
    if (running === 0) process.exit()
  })
}
