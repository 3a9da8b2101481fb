/**
 * Starts the demo on a Node that reads TypeScript: the one from node_modules, else this one when it is new enough.
 * Signals are passed on, and the demo ends with its starter, so that nothing stays behind however this process ends.
 */
import { spawn } from 'node:child_process'
import { appArgs, findElectron } from './electron.mjs'
import { freshen, node } from './fresh.mjs'
import { root } from './sources.mjs'

if (node === process.execPath && !process.features.typescript) {
  console.error('The demo needs the Node of the development dependencies. Run: npm install')
  process.exit(1)
}

const flags = process.argv.slice(2)
if (!flags.some((flag) => flag === '--no-window' || flag === '--help')) {
  if (!freshen()) process.exit(1)
  const electron = flags.includes('--browser') ? undefined : findElectron()
  if (electron) flags.push(`--app=${JSON.stringify([electron, ...appArgs()])}`)
}
const child = spawn(node, ['--disable-warning=ExperimentalWarning', `${root}test/sim/demo/main.ts`, ...flags], {
  stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  cwd: root,
})
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
child.on('error', (error) => {
  console.error(`The demo could not be started: ${error.message}`)
  process.exit(1)
})
child.on('exit', (code, signal) => process.exit(code ?? (signal === 'SIGINT' ? 130 : 1)))
