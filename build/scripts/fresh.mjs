/**
 * Builds into dist/ what is missing or older than its sources: the bundles, the window. Says so in one line each.
 */
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { programIsFresh, root, windowIsFresh } from './sources.mjs'

const local = `${root}node_modules/.bin/node`

/** The Node to run TypeScript with: the one of the development dependencies where it is there. */
export const node = existsSync(local) ? local : process.execPath

/** Runs one step of the build; its output is shown when it fails. */
function step(what, args) {
  console.log(`Building ${what} …`)
  // Vite keeps compiled code of its own in the system's temporary folder.
  const env = { ...process.env, NODE_DISABLE_COMPILE_CACHE: '1' }
  const { status, stdout, stderr } = spawnSync(node, args, { cwd: root, encoding: 'utf8', env })
  if (status !== 0) console.error(`${stdout}${stderr}\nBuilding ${what} failed.`)
  return status === 0
}

/** Builds the window in any case. */
export function buildWindow() {
  return step('the window', [`${root}node_modules/vite/bin/vite.js`, 'build', '-c', `${root}build/vite.config.ts`, '--logLevel', 'warn'])
}

/** Makes dist/ as new as the sources; false when that failed. */
export function freshen() {
  const program = programIsFresh() || step('the program', [`${root}build/scripts/build-js.mjs`])
  return program && (windowIsFresh() || buildWindow())
}
