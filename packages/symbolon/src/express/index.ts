// The door `symbolon/express`: guards for Express, on an auth object in this process.

export * from '@symbolon/verifier/express'
