/**
 * Bundles the command line and the engine into dist/bowline.mjs, one file that runs on Node 20.18 and newer.
 * The native add-on stays outside and is loaded by path.
 */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { rolldown } from 'rolldown'
import { newestSourceMs, root } from './sources.mjs'

const startedMs = Date.now()
const bundle = await rolldown({
  input: { bowline: `${root}main/cli/bowline.ts` },
  platform: 'node',
  external: [/^node:/, 'electron', /\.node$/],
  logLevel: 'warn',
})
mkdirSync(`${root}dist`, { recursive: true })
const { output } = await bundle.write({
  dir: `${root}dist`,
  format: 'esm',
  entryFileNames: '[name].mjs',
  chunkFileNames: 'chunk-[name]-[hash].mjs',
  sourcemap: false,
  minify: false,
})
await bundle.close()
writeFileSync(`${root}dist/.stamp`, '')
const stamp = Math.max(startedMs, newestSourceMs(`${root}main`)) / 1000
utimesSync(`${root}dist/.stamp`, stamp, stamp)
const bytes = output.reduce((sum, part) => sum + (part.type === 'chunk' ? part.code.length : 0), 0)
console.log(`bundled ${output.length} file(s), ${(bytes / 1024).toFixed(0)} KiB, in ${Date.now() - startedMs} ms`)
