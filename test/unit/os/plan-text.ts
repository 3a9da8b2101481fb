/**
 * Plans as text, a line each command, and a system that writes down what it is asked to start.
 */
import type { Command, CommandEnd, PlannedProgram, RunCommand } from '../../../main/engine/os/commands.ts'
import type { MachineDns, MachineRoutes } from '../../../main/engine/core/plan/machine.ts'

/** "program words" for each; "?" in front of what may fail, its input behind "<". */
export function planText(commands: readonly Command[]): string[] {
  return commands.flatMap(({ program, words, input, mayFail }) => [`${mayFail === true ? '? ' : ''}${[program, ...words].join(' ')}`, ...(input === undefined ? [] : input.trimEnd().split('\n').map((line) => `< ${line}`))])
}

/** Remembers what was started; `answer` says how it ends, well and silent unless it says otherwise. */
export class FakeSystem {
  readonly started: string[] = []
  answer: (line: string) => Partial<CommandEnd> | undefined = () => undefined

  readonly run: RunCommand = (program: PlannedProgram, words, options) => {
    const line = [program, ...words].join(' ')
    this.started.push(line, ...(options?.input === undefined ? [] : options.input.trimEnd().split('\n').map((one) => `< ${one}`)))
    return Promise.resolve({ code: 0, out: '', err: '', ...this.answer(line) })
  }

  /** What was started since the last call. */
  take(): string[] {
    return this.started.splice(0)
  }
}

export const DIRECT: MachineRoutes = {
  device: 'utun4', mtu: 1280, addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'], routes: ['100.100.100.100/32', '100.64.0.2/32', 'fd7a:115c:a1e0::/48', '10.20.0.0/16'], bypass: [], internet: 'direct',
  allowLan: false, guardNames: false, forward: undefined, netfilter: 'on', udpPort: 41641, guardRange: true,
}

export const EXIT: MachineRoutes = { ...DIRECT, routes: [...DIRECT.routes, '192.168.1.0/24', '0.0.0.0/0', '::/0'], internet: 'exit', guardNames: true }

export const SPLIT: MachineDns = { device: 'utun4', servers: ['100.100.100.100', 'fd7a:115c:a1e0::53'], matchDomains: ['lab.internal', 'corp.example'], searchDomains: ['lab.internal'], all: false, exclusive: false }

export const ALL: MachineDns = { ...SPLIT, all: true, exclusive: true }
