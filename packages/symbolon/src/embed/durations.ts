// Durations as options say them, read into milliseconds.

import { type Duration, milliseconds, parseDuration } from '@symbolon/protocol'
import { z } from 'zod'

export const duration = z
  .string()
  .refine((text) => parseDuration(text) !== undefined, "must be a duration like '90s', '5m' or '14d'")
  .transform((text) => milliseconds(text as Duration))

/** One between two, both included. */
export const within = (least: Duration, most: Duration) =>
  duration.refine((ms) => ms >= milliseconds(least) && ms <= milliseconds(most), `must be between ${least} and ${most}`)
