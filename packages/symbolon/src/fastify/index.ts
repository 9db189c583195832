// The door `symbolon/fastify`: guards for Fastify, on an auth object in this process.

export * from '@symbolon/verifier/fastify'
