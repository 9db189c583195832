// The door of http: the two handlers. Nothing of Hono stands in their types.

export { createAdminHttp } from './admin.ts'
export { createHttp } from './app.ts'
export type { AdminParts, Brand, From, HttpHandler, HttpParts } from './parts.ts'
