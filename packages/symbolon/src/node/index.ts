// The door `symbolon/node`: an auth object under node:http, Express and Fastify.

export { type Mountable, type NodeHandler, toNodeHandler } from './handler.ts'
