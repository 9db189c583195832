// The door `symbolon/node`: an auth object under node:http, Express and Fastify, and guards for node:http.

export { createGuard, type GuardedHandler, type NodeGuard } from '@symbolon/verifier/node'
export { type Mountable, type NodeHandler, toNodeHandler } from './handler.ts'
