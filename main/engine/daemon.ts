/**
 * The engine as a process: environment, signals, and the end of whoever started it.
 *
 * Ends with 0 on SIGTERM, SIGINT or SIGHUP, 1 when it cannot start or its packet thread died, and on SIGUSR2: another engine takes its
 * place, which is no person's word that traffic may leave beside an exit node. Broken invariants end the process
 * at once: whoever started it starts it again.
 */
import { Socket } from 'node:net'
import type { HostPort } from './io/host-keeper.ts'
import { EngineError, errorText } from './base/errors.ts'
import { limitYoungGeneration } from './io/memory.ts'
import { startEngine, type RunningEngine } from './wiring.ts'
import type { DaemonOptions } from '../localapi/daemon-options.ts'

export { startEngine } from './wiring.ts'
export { cleanUpComputer } from './wiring-machine.ts'

const STOP_LIMIT_MS = 4000
const REPLACED = 'another engine takes its place'

/** Runs until it is told to end; resolves with the exit code. */
export async function runDaemon(options: DaemonOptions): Promise<number> {
  process.on('uncaughtException', (error) => {
    process.stderr.write(`error: broken invariant: ${errorText(error)}\n${error instanceof Error ? (error.stack ?? '') : ''}\n`)
    process.exit(70)
  })
  goOnUnheard()
  limitYoungGeneration()
  let engine: RunningEngine
  const told = untilTold()
  const { parentPort } = process as { parentPort?: HostPort }
  try {
    engine = await startEngine({ ...options, env: process.env, ...(parentPort ? { hostPort: parentPort } : {}) })
  } catch (error) {
    process.stderr.write(`error: ${errorText(error)}${error instanceof EngineError ? ` (${error.code})` : ''}\n`)
    parentPort?.postMessage({ kind: 'start-failed', code: error instanceof EngineError ? error.code : 'failed', message: errorText(error) })
    return 1
  }
  const why = await Promise.race([told, engine.failed])
  if (why === REPLACED) engine.handleReplaced()
  const limit = setTimeout(() => process.exit(why === undefined ? 0 : 1), STOP_LIMIT_MS)
  limit.unref()
  await engine.stop()
  clearTimeout(limit)
  return why === undefined ? 0 : 1
}

/** Whoever reads the log may go: the engine stays. A command line's own way with broken streams does not hold for it. */
function goOnUnheard(): void {
  for (const stream of [process.stdout, process.stderr]) stream.removeAllListeners('error').on('error', () => {})
}

/** Resolves on SIGTERM, SIGINT, SIGHUP (its terminal went), or the end of the process that holds the other end of TS_PARENT_DEATH_FD; with REPLACED on SIGUSR2. */
function untilTold(): Promise<typeof REPLACED | undefined> {
  return new Promise((tell) => {
    const resolve = (): void => tell(undefined)
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, resolve)
    process.on('SIGUSR2', () => tell(REPLACED))
    const fd = Number(process.env['TS_PARENT_DEATH_FD'] ?? Number.NaN)
    if (!Number.isInteger(fd) || fd < 3) return
    const parent = new Socket({ fd, readable: true, writable: false })
    parent.on('error', () => resolve())
    parent.on('close', () => resolve())
    parent.resume()
    parent.unref()
  })
}
