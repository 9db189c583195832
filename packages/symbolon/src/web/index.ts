// The door `symbolon/web`: guards for handlers of the Fetch API, on an auth object in this process.

export * from '@symbolon/verifier/web'
