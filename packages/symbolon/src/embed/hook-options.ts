// The options of hooks.

import { z } from 'zod'
import type { HookOptions } from '#core'
import { within } from './durations.ts'

const ran = <K extends keyof HookOptions>() =>
  z.custom<NonNullable<HookOptions[K]>['run']>((value) => typeof value === 'function', 'must be a function')

/** One that decides: it refuses when it fails, unless told otherwise. */
const deciding = <K extends 'beforeUserCreated' | 'beforeEmailChanged'>() =>
  z
    .strictObject({
      run: ran<K>(),
      budget: within('1ms', '10s').default(2000),
      onFailure: z.enum(['deny', 'defer', 'degrade']).default('defer'),
    })
    .optional()

export const hooks = z.strictObject({
  beforeUserCreated: deciding<'beforeUserCreated'>(),
  beforeEmailChanged: deciding<'beforeEmailChanged'>(),
  afterSignIn: z
    .strictObject({
      run: ran<'afterSignIn'>(),
      budget: within('1ms', '60s').default(10_000),
      onFailure: z.literal('degrade', "must be 'degrade': the sign-in is committed by then").default('degrade'),
    })
    .optional(),
  beforeMessage: z
    .strictObject({
      run: ran<'beforeMessage'>(),
      budget: within('1ms', '10s').default(2000),
      onFailure: z.enum(['deny', 'degrade'], "must be 'deny' or 'degrade': who asked was answered before").default('deny'),
    })
    .optional(),
})
