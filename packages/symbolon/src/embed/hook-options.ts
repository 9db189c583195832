// The options of hooks. Those that decide refuse when they fail, unless told otherwise.

import { z } from 'zod'
import type { HookOptions } from '#core'
import { within } from './durations.ts'

const ran = <K extends keyof HookOptions>() =>
  z.custom<NonNullable<HookOptions[K]>['run']>((value) => typeof value === 'function', 'must be a function')

export const hooks = z.strictObject({
  beforeUserCreated: z
    .strictObject({
      run: ran<'beforeUserCreated'>(),
      budget: within('1ms', '10s').default(2000),
      onFailure: z.enum(['deny', 'defer', 'degrade']).default('defer'),
    })
    .optional(),
  beforeEmailChanged: z
    .strictObject({
      run: ran<'beforeEmailChanged'>(),
      budget: within('1ms', '10s').default(2000),
      onFailure: z.enum(['deny', 'defer', 'degrade']).default('defer'),
    })
    .optional(),
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
