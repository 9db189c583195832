// The door `symbolon/next`: guards for Next, on an auth object in this process.

export * from '@symbolon/verifier/next'
