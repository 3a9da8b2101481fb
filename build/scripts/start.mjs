/**
 * `npm start`: opens the app for a real server.
 *
 *   Electron is here   its window, with an engine of its own
 *   else               an engine in this terminal (unless one runs already), and its window in the browser
 *   no browser either  the window's address, printed
 *
 * Flags go on to the app, or to `bowline web`. What was started here ends with this process.
 */
import { spawn, spawnSync } from 'node:child_process'
import { appArgs, findElectron } from './electron.mjs'
import { freshen, node } from './fresh.mjs'
import { root } from './sources.mjs'

const NO_ENGINE = 3
const READY_WITHIN_MS = 20_000
const bowline = `${root}build/scripts/bowline.mjs`
const flags = process.argv.slice(2)
const socket = flags.filter((flag) => flag.startsWith('--socket='))

if (!freshen()) process.exit(1)
const electron = findElectron()
process.exit(electron ? await run(electron, appArgs(...flags)) : await inBrowser())

/** Runs a program to its end, passing signals on; its exit code. */
function run(program, args) {
  const child = spawn(program, args, { stdio: 'inherit', cwd: root })
  const pass = (signal) => child.kill(signal)
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, pass)
  return new Promise((done) => {
    child.on('error', (error) => {
      console.error(`${program} could not be started: ${error.message}`)
      done(1)
    })
    child.on('exit', (code, signal) => done(code ?? (signal === 'SIGINT' ? 130 : 143)))
  })
}

/** Whether an engine answers at the usual socket: bowline's own exit code. */
function engineRuns() {
  return spawnSync(node, [bowline, 'status', ...socket], { stdio: 'ignore', cwd: root }).status !== NO_ENGINE
}

async function inBrowser() {
  let engine
  if (socket.length === 0 && !engineRuns()) {
    console.log('Starting an engine in this terminal; it ends with this command.')
    engine = spawn(node, [bowline, 'daemon'], { stdio: ['ignore', 'ignore', 'inherit'], cwd: root })
    process.on('exit', () => engine.kill())
    const endMs = Date.now() + READY_WITHIN_MS
    while (!engineRuns()) {
      if (engine.exitCode !== null || Date.now() > endMs) {
        console.error('The engine did not start: see above.')
        return 1
      }
      await new Promise((again) => setTimeout(again, 200))
    }
  }
  const code = await run(node, [bowline, 'web', ...flags])
  if (engine && engine.exitCode === null) {
    const ended = new Promise((done) => engine.on('exit', done))
    engine.kill()
    await ended
  }
  return code
}
