// The public handler on a core under test, without a process around it.

import type { HttpHandler } from '#http'
import { createHttp } from '../../src/http/app.ts'
import { issuer, type Setting } from './service.ts'

/** Creates it. */
export const handlerOf = ({ core, ports }: Pick<Setting, 'core' | 'ports'>): HttpHandler =>
  createHttp({ issuer, dev: true, core, crypto: ports.crypto, brand: {}, ready: () => true, observe: ports.observe, foreign: 0 })
