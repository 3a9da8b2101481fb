/**
 * Bundles into dist/: bowline.mjs (command line and engine, Node 20.18 and newer), main.cjs and preload.cjs (the app),
 * engine.mjs (what the app starts). The native add-on stays outside and is loaded by path.
 */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { rolldown } from 'rolldown'
import { newestProgramMs, root } from './sources.mjs'

const startedMs = Date.now()
const sourcesMs = newestProgramMs()

/** Writes one bundle and answers its size in bytes. */
async function bundle(input, file, format) {
  const made = await rolldown({ input: `${root}${input}`, platform: 'node', external: [/^node:/, 'electron', /\.node$/], logLevel: 'warn' })
  const { output } = await made.write({ file: `${root}dist/${file}`, format, codeSplitting: false, sourcemap: false, minify: false })
  await made.close()
  return output.reduce((sum, part) => sum + (part.type === 'chunk' ? part.code.length : 0), 0)
}

mkdirSync(`${root}dist`, { recursive: true })
const sizes = [
  await bundle('main/cli/bowline.ts', 'bowline.mjs', 'esm'),
  await bundle('main/index.ts', 'main.cjs', 'cjs'),
  await bundle('preload/index.ts', 'preload.cjs', 'cjs'),
]
writeFileSync(`${root}dist/engine.mjs`, "import { main } from './bowline.mjs'\nprocess.exitCode = await main(['daemon', ...process.argv.slice(2)])\n")
writeFileSync(`${root}dist/.stamp`, '')
// What was written during the build is newer than the build.
const stamp = Math.ceil(sourcesMs) / 1000
utimesSync(`${root}dist/.stamp`, stamp, stamp)
console.log(`bundled ${sizes.length} files, ${(sizes.reduce((a, b) => a + b, 0) / 1024).toFixed(0)} KiB, in ${Date.now() - startedMs} ms`)
