/**
 * Builds the whole-computer mode: which parts this system has for it, and how it is asked for.
 */
import type { Backend } from './backend/backend.ts'
import type { Env } from './base/env.ts'
import { EngineError } from './base/errors.ts'
import { makeLog } from './base/log.ts'
import type { Dataplane } from './dataplane/dataplane.ts'
import { Tun } from './dataplane/tun.ts'
import { Machine } from './features/machine/machine.ts'
import type { MachineDeps } from './features/machine/machine.ts'
import type { MachineStorePort } from './features/machine/machine-store.ts'
import type { MachineParts } from './features/machine/steps.ts'
import type { Health } from './health/health.ts'
import { SystemClock } from './io/clock.ts'
import { loadNative } from './io/native.ts'
import type { NativeBinding } from './io/native.ts'
import { systemRandom } from './io/random.ts'
import { findProgram, runProgram } from './io/run-program.ts'
import type { Wires } from './io/wires.ts'
import type { InterfaceAddress, NetworkState } from './netmon/ports.ts'
import { LinuxDns } from './os/linux/dns.ts'
import { LinuxMachineLock } from './os/linux/machine-lock.ts'
import { DEVICE, LinuxRouter } from './os/linux/routes.ts'
import { WITHOUT_TUN } from '../localapi/daemon-options.ts'
import type { DaemonOptions } from '../localapi/daemon-options.ts'
import type { MachineWhy } from '../localapi/machine.ts'

const RUNTIME_DIR = '/run/bowline'

export interface MachineWorld {
  readonly options: DaemonOptions
  readonly env: Env
  readonly store: MachineStorePort
  readonly backend: Backend
  readonly health: Health
  readonly udpPort: () => number
  readonly flushNames: () => void
}

/** The mode, with the parts that this system has for it. */
export function makeMachine({ options, env, store, backend, health, udpPort, flushNames }: MachineWorld, parts: MachineDeps['parts']): Machine {
  const { tun } = options
  return new Machine({
    env, store, udpPort, parts, warnings: health,
    view: () => backend.views.machine(),
    isService: options.service !== undefined,
    device: tun === undefined || tun === WITHOUT_TUN ? DEVICE : tun,
    startedAs: tun === undefined ? undefined : tun === WITHOUT_TUN ? 'apps' : 'whole',
    emit: (part) => backend.sendNotify(part),
    onForm: () => backend.pushWants(),
    onOwnNames: flushNames,
  })
}

/** What this system has for taking the whole computer, or why it cannot be taken. */
export function machineParts({ env, dataplane, wires, native, busAddress }: { readonly env: Env; readonly native: Pick<NativeBinding, 'lockFile' | 'watchPolicy'>; readonly dataplane: Dataplane; readonly wires: Wires; readonly busAddress: string | undefined }): MachineParts | MachineWhy {
  if (process.platform !== 'linux') return { Code: 'not-linux', Text: 'The whole computer can be taken on Linux alone.' }
  return {
    tun: new Tun(dataplane), ...systemParts(env, busAddress, native.watchPolicy), lock: new LinuxMachineLock({ lockFile: native.lockFile, runtimeDir: RUNTIME_DIR }),
    setMark: (mark) => wires.steer(mark === 0 ? undefined : { mark }),
  }
}

/**
 * Takes away what engines that died left on this computer; `hold`: not what keeps traffic in. Needs no engine. Answers whether there was
 * something. Rejects with EngineError, 'already-running' while an engine has the computer.
 */
export async function cleanUpComputer({ hold, busAddress, log }: { readonly hold: boolean; readonly busAddress?: string | undefined; readonly log: (line: string) => void }): Promise<boolean> {
  if (process.platform !== 'linux') return false
  const env: Env = { clock: new SystemClock(), random: systemRandom, log: makeLog('warn', log), journal: { add: () => {} } }
  const lock = new LinuxMachineLock({ lockFile: loadNative().lockFile, runtimeDir: RUNTIME_DIR })
  const taken = await lock.take()
  if (taken) throw new EngineError(taken.code === 'other-engine' ? 'already-running' : 'access-denied', taken.text)
  try {
    const { router, dns } = systemParts(env, busAddress)
    const hadNames = await dns.cleanUp()
    return (await router.cleanUp({ hold })) || hadNames
  } finally {
    lock.release()
  }
}

/** `busAddress`: of the system bus, where it is not at its usual place. */
function systemParts(env: Env, busAddress: string | undefined, watchKernel?: NativeBinding['watchPolicy']): { readonly router: LinuxRouter; readonly dns: LinuxDns } {
  const router = new LinuxRouter({ run: runProgram, clock: env.clock, log: env.log.part('router'), runtimeDir: RUNTIME_DIR, ...(watchKernel ? { watchKernel } : {}) })
  return { router, dns: new LinuxDns({ env, run: runProgram, findResolvconf: () => findProgram('resolvconf'), ...(busAddress === undefined ? {} : { busAddress }) }) }
}

/** Without our own tunnel device: it is no network that this computer is on, and no way out. */
export function withoutDevice(state: NetworkState, device: string, build: (interfaces: readonly InterfaceAddress[], routes: Pick<NetworkState, 'defaultRoute4' | 'defaultRoute6'>) => NetworkState): NetworkState {
  const isOurs = (name: string | undefined): boolean => name === device
  if (device === '' || (!state.interfaces.some(({ name }) => isOurs(name)) && !isOurs(state.defaultRoute4?.interface) && !isOurs(state.defaultRoute6?.interface))) return state
  return build(state.interfaces.filter(({ name }) => !isOurs(name)), {
    ...(state.defaultRoute4 && !isOurs(state.defaultRoute4.interface) ? { defaultRoute4: state.defaultRoute4 } : {}),
    ...(state.defaultRoute6 && !isOurs(state.defaultRoute6.interface) ? { defaultRoute6: state.defaultRoute6 } : {}),
  })
}
