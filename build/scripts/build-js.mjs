/**
 * Bundles into dist/: bowline.mjs (the command line, Node 20.18 and newer) with bowline-*.mjs beside it for what only some
 * commands need (the engine, the web host), main.cjs and preload.cjs (the app), engine.mjs (what the app starts). A command
 * that only asks the running engine thus loads in a fraction of the time. The native add-on stays outside and is loaded by path.
 * dist/icons has what the running app shows in the tray.
 */
import { cpSync, mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { parse } from 'node:path'
import { rolldown } from 'rolldown'
import { newestProgramMs, root } from './sources.mjs'

const startedMs = Date.now()
const sourcesMs = newestProgramMs()

/**
 * `import … from 'node:http'` makes Node evaluate all that the module exports, its whole fetch and WebSocket among them: half of the
 * start of a command. Asked for as a builtin, it does not.
 */
const plainHttp = {
  name: 'plain-http',
  renderChunk: (code) => code.replace(/^import \{([^}]+)\} from "node:http";$/gm, (_, names) => `const {${names.replace(/ as /g, ': ')}} = process.getBuiltinModule("node:http");`),
}

/** Writes one bundle and answers its size in bytes. */
async function bundle(input, file, format) {
  const made = await rolldown({ input: `${root}${input}`, platform: 'node', resolve: { mainFields: ['module', 'main'] }, external: [/^node:/, 'electron', /\.node$/], logLevel: 'warn', plugins: format === 'esm' ? [plainHttp] : [] })
  const parts = format === 'esm' ? { dir: `${root}dist`, entryFileNames: file, chunkFileNames: `${parse(file).name}-[name].mjs` } : { file: `${root}dist/${file}`, codeSplitting: false }
  const { output } = await made.write({ ...parts, format, sourcemap: false, minify: false })
  await made.close()
  return output.reduce((sum, part) => sum + (part.type === 'chunk' ? part.code.length : 0), 0)
}

mkdirSync(`${root}dist`, { recursive: true })
for (const name of readdirSync(`${root}dist`)) if (/^bowline-.*\.mjs$/.test(name)) rmSync(`${root}dist/${name}`)
const sizes = [
  await bundle('main/cli/bowline.ts', 'bowline.mjs', 'esm'),
  await bundle('main/index.ts', 'main.cjs', 'cjs'),
  await bundle('preload/index.ts', 'preload.cjs', 'cjs'),
]
cpSync(`${root}main/app/icons`, `${root}dist/icons`, { recursive: true })
writeFileSync(`${root}dist/engine.mjs`, "import { main } from './bowline.mjs'\nprocess.exitCode = await main(['daemon', ...process.argv.slice(2)])\n// The port to the app holds the process; what was said last must get through it first.\nsetTimeout(() => process.exit(), 200).unref()\n")
writeFileSync(`${root}dist/.stamp`, '')
// What was written during the build is newer than the build.
const stamp = Math.ceil(sourcesMs) / 1000
utimesSync(`${root}dist/.stamp`, stamp, stamp)
console.log(`bundled ${sizes.length} files, ${(sizes.reduce((a, b) => a + b, 0) / 1024).toFixed(0)} KiB, in ${Date.now() - startedMs} ms`)
