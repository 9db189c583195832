// The one act that a step-up can be bound to: its kind, a sentence that the person reads before they confirm, and its
// parameters, all of which the person sees. Two acts are the same only if their written form is.

import type { Action } from '../model.ts'

/** The one written form of an act: parameters in order of their names. */
export function actionText({ type, text, parameters }: Action): string {
  const sorted = Object.entries(parameters).sort(([a], [b]) => (a < b ? -1 : 1))
  return JSON.stringify([type, text, sorted])
}

/** Reads the written form. */
export function actionOf(text: string): Action {
  const [type, sentence, parameters] = JSON.parse(text) as [string, string, [string, string][]]
  return { type, text: sentence, parameters: Object.fromEntries(parameters) }
}

/** What orders, hides or breaks other letters, or is shown as nothing; but for the choice between a sign's text and picture. */
const controls = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]|(?![\ufe0e\ufe0f])\p{Default_Ignorable_Code_Point}/u
const isText = (value: string, most: number) => value.length >= 1 && value.length <= most && !controls.test(value)

/** Whether an act can be asked for: bounded, and nothing in it that could be shown as something else. */
export function isAction({ type, text, parameters }: Action): boolean {
  const entries = Object.entries(parameters)
  return (
    /^[a-z][a-z0-9_.:-]{0,59}$/.test(type) &&
    isText(text, 200) &&
    entries.length <= 10 &&
    entries.every(([name, value]) => /^[A-Za-z][\w.-]{0,39}$/.test(name) && isText(value, 200))
  )
}
