// The door of delivery: how a code reaches a person, and how an event reaches an application.

export { createOutbox, type Outbox } from './outbox.ts'
export { createSmtp, type Smtp, type SmtpOptions } from './smtp.ts'
export { createWebhookSender, type Resolve, type WebhookEndpoint, type WebhookSender } from './webhook.ts'
