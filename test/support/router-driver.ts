/**
 * A program that holds the Linux router of a network namespace: one request a line on standard input, one answer a line on standard
 * output, and a line for each disturbance. Bundled and started by test/natlab/router-lab.ts.
 *
 *   { id, call, args } → { id, value } | { id, code, message }        { disturbed: { code, text } }
 */
import { createInterface } from 'node:readline'
import type { MachineRoutes } from '../../main/engine/core/plan/machine.ts'
import { makeLog } from '../../main/engine/base/log.ts'
import { EngineError } from '../../main/engine/base/errors.ts'
import { SystemClock } from '../../main/engine/io/clock.ts'
import { loadNative } from '../../main/engine/io/native.ts'
import { runProgram } from '../../main/engine/io/run-program.ts'
import { LinuxMachineLock } from '../../main/engine/os/linux/machine-lock.ts'
import { LinuxRouter } from '../../main/engine/os/linux/routes.ts'

const [runtimeDir] = process.argv.slice(2) as [string]
const native = loadNative()
const router = new LinuxRouter({
  run: runProgram, clock: new SystemClock(), log: makeLog('debug', (line) => process.stderr.write(`${line}\n`)), runtimeDir,
  ...(native.watchPolicy ? { watchKernel: native.watchPolicy } : {}),
})
const lock = new LinuxMachineLock({ lockFile: native.lockFile, runtimeDir })
const nameLock = new LinuxMachineLock({ lockFile: undefined, runtimeDir })
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)
router.onDisturbed((disturbed) => say({ disturbed }))

const calls: Record<string, (arg: unknown) => unknown> = {
  set: (want) => router.set(want as MachineRoutes),
  close: (hold) => router.close(hold as boolean),
  cleanUp: (options) => router.cleanUp((options ?? {}) as { hold?: boolean }),
  isHolding: () => router.isHolding(),
  obstacle: () => router.obstacle(),
  dropped: () => router.dropped(),
  lock: () => lock.take(),
  unlock: () => lock.release(),
  lockName: () => nameLock.take(),
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, call, arg } = JSON.parse(line) as { id: number; call: string; arg: unknown }
  Promise.resolve().then(() => calls[call]!(arg)).then(
    (value) => say({ id, value: value ?? null }),
    (error: unknown) => say({ id, code: error instanceof EngineError ? error.code : 'unexpected', message: String(error) }),
  )
}).on('close', () => process.exit(0))
say({ ready: true })
