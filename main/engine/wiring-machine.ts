/**
 * Builds the whole-computer mode: which parts this system has for it, and how it is asked for.
 */
import type { Backend } from './backend/backend.ts'
import type { Env } from './base/env.ts'
import { Machine } from './features/machine/machine.ts'
import type { MachineDeps } from './features/machine/machine.ts'
import type { MachineStorePort } from './features/machine/machine-store.ts'
import type { MachineParts } from './features/machine/steps.ts'
import type { Health } from './health/health.ts'
import type { DaemonOptions } from '../localapi/daemon-options.ts'
import { WITHOUT_TUN } from '../localapi/daemon-options.ts'
import type { MachineWhy } from '../localapi/machine.ts'

const DEVICE = 'bowline0'

export interface MachineWorld {
  readonly options: DaemonOptions
  readonly env: Env
  readonly store: MachineStorePort
  readonly backend: Backend
  readonly health: Health
  readonly udpPort: () => number
}

export function makeMachine({ options, env, store, backend, health, udpPort }: MachineWorld): Machine {
  const { tun } = options
  return new Machine({
    env, store, udpPort, warnings: health,
    parts: partsOf(),
    view: () => backend.views.machine(),
    isService: options.service !== undefined,
    device: tun === undefined || tun === WITHOUT_TUN ? DEVICE : tun,
    startedAs: startedAs(tun),
    emit: (part) => backend.sendNotify(part),
    onForm: () => backend.pushWants(),
  })
}

function startedAs(tun: string | undefined): MachineDeps['startedAs'] {
  return tun === undefined ? undefined : tun === WITHOUT_TUN ? 'apps' : 'whole'
}

/** What this system has for taking the whole computer, or why it cannot be taken. */
function partsOf(): MachineParts | MachineWhy {
  return process.platform === 'linux' ? { Code: 'no-tun', Text: 'This engine cannot make a tunnel device.' } : { Code: 'not-linux', Text: 'The whole computer can be taken on Linux alone.' }
}
