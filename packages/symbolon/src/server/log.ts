// The log: one JSON line for each event. Events hold names and ids only; redaction is the
// second net under them.

import { pino } from 'pino'
import type { LogLevel } from './configuration.ts'

/** What the process logs with. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, text: string): void
  warn(fields: Readonly<Record<string, unknown>>, text: string): void
  error(fields: Readonly<Record<string, unknown>>, text: string): void
}

const hidden = ['code', 'token', 'secret', 'cookie', 'authorization', 'credential', 'password', 'email', 'to', 'identifier']

/** Creates the log. */
export function createLog(level: LogLevel): Log {
  return pino({
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label) => ({ level: label }) },
    redact: { paths: hidden.filter((name) => name !== 'code').flatMap((name) => [name, `*.${name}`]), remove: true },
  })
}
