// The door of delivery: how a code reaches a person.

export { createOutbox, type Outbox, type OutboxMessage } from './outbox.ts'
export { createSmtp, type Smtp, type SmtpOptions } from './smtp.ts'
