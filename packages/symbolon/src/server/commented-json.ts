// JSON with comments (`//` and `/* */`), for a configuration that explains itself.

import { readJsonObject } from '@symbolon/protocol'

/** Reads one object; `undefined` for anything else. Comments inside texts are text. */
export function readCommentedJson(text: string): Readonly<Record<string, unknown>> | undefined {
  const plain = text.replace(/"(?:[^"\\\n]|\\.)*"|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, (match) => (match.startsWith('"') ? match : ' '))
  return readJsonObject(plain.replace(/,(\s*[}\]])/g, '$1'))
}
