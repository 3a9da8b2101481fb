/**
 * Starts the demo on a Node that reads TypeScript: the one from node_modules, else this one when it is new enough.
 * Signals are passed on, and the demo ends with its starter, so that nothing stays behind however this process ends.
 */
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { root } from './sources.mjs'

const local = `${root}node_modules/.bin/node`
const node = existsSync(local) ? local : process.execPath
if (node === process.execPath && !process.features.typescript) {
  console.error('The demo needs the Node of the development dependencies. Run: npm install')
  process.exit(1)
}

const child = spawn(node, ['--disable-warning=ExperimentalWarning', `${root}test/sim/demo/main.ts`, ...process.argv.slice(2)], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  cwd: root,
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`The demo could not be started: ${error.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
