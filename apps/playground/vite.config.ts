// Builds the playground's page from source into dist/page.
import { defineConfig } from 'vite'

export default defineConfig({
  root: 'page',
  resolve: { conditions: ['@symbolon/source', 'module', 'browser'] },
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: { outDir: '../dist/page', emptyOutDir: true, assetsInlineLimit: 0, modulePreload: { polyfill: false } },
} as never)
