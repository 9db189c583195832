// Makes one small text of the browser's room and what it stands on, as the service serves it. Run it when either changed;
// a test says when that was forgotten.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { build } from 'esbuild'
import { root } from './bootstrap.mjs'

const file = join(root, 'packages/symbolon/src/http/pages/passkey-script.ts')

/** The script as one text. */
export async function pageScript() {
  const { outputFiles } = await build({
    entryPoints: [join(root, 'packages/symbolon/src/browser/index.ts')],
    bundle: true,
    minify: true,
    write: false,
    format: 'iife',
    target: 'es2022',
    charset: 'utf8',
    legalComments: 'none',
    banner: { js: '/* With @simplewebauthn/browser: MIT License, Copyright (c) 2020 Matthew Miller */' },
  })
  return outputFiles[0].text
}

if (import.meta.url === `file://${process.argv[1]}`) {
  const text = JSON.stringify(await pageScript())
  const licence = readFileSync(join(root, 'node_modules/@simplewebauthn/browser/LICENSE.md'), 'utf8')
  writeFileSync(
    file,
    `// Made by \`node scripts/page-script.mjs\` from the room \`browser\`; nothing here is written by hand.
// In it is @simplewebauthn/browser:
//
${licence.trim().replace(/^.*$/gm, (line) => `// ${line}`.trimEnd())}

/** The script for passkeys. */
export const passkeyScript =
  // biome-ignore lint/suspicious/noTemplateCurlyInString: the text of a script
  ${text}
`,
  )
  execFileSync('npx', ['biome', 'check', '--write', file], { stdio: 'inherit' })
}
