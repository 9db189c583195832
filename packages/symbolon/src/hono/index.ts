// The door `symbolon/hono`: guards for Hono, on an auth object in this process.

export * from '@symbolon/verifier/hono'
