/**
 * What `npm install` does after fetching packages: builds the native add-on, the bundles and the window, so that the next
 * command just works. A missing Rust toolchain is said in one line and does not fail the install: types, pure tests and
 * the window need no add-on.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { buildWindow, node } from './fresh.mjs'
import { root } from './sources.mjs'

/** Runs one script of this folder and returns whether it went well. */
function step(script, ...args) {
  const { status } = spawnSync(node, [`${root}build/scripts/${script}`, ...args], { stdio: 'inherit', cwd: root })
  return status === 0
}

if (!existsSync(`${root}node_modules/rolldown`)) {
  console.log('Only runtime packages are installed: nothing to build.')
  process.exit(0)
}
const native = step('build-native.mjs', ...process.argv.slice(2))
const js = step('build-js.mjs')
if (!js || !buildWindow()) process.exit(1)
if (!native) console.log('Go on without the native add-on: the engine cannot carry packets until `npm run build:native` succeeds.')
