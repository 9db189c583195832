// JSON with comments (`//` and `/* */`), for a configuration that explains itself.

import { readJsonObject } from '@symbolon/protocol'

const texts = '"(?:[^"\\\\\\n]|\\\\.)*"'
const comments = new RegExp(`${texts}|//[^\\n]*|/\\*[\\s\\S]*?\\*/`, 'g')
const lastCommas = new RegExp(`${texts}|,(?=\\s*[}\\]])`, 'g')
const keepTexts = (match: string) => (match.startsWith('"') ? match : ' ')

/** Reads one object; `undefined` for anything else. Comments and commas inside texts are text. */
export function readCommentedJson(text: string): Readonly<Record<string, unknown>> | undefined {
  return readJsonObject(text.replace(comments, keepTexts).replace(lastCommas, keepTexts))
}
