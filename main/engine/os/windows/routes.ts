/**
 * Carries out what routes-plan says on Windows. Never run here: driven by a fake system in tests alone.
 *
 * There is nothing that keeps traffic in (see routes-plan): with an exit node that is a problem which is told, and a wish without a tunnel
 * device is refused, since this could not hold it.
 */
import { EngineError } from '../../base/errors.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { runAll, runLoosely, type RunCommand } from '../commands.ts'
import type { Problem } from '../darwin/routes.ts'
import { isPlainPrefix } from '../prefixes.ts'
import { layWindows, planWindowsRoutes, windowsRulesRemoval, type WindowsLaid } from './routes-plan.ts'

export interface WindowsRouterDeps {
  readonly run: RunCommand
  /** Number of the interface of that name; undefined: there is none. */
  readonly indexOf: (device: string) => number | undefined
  readonly attached: () => readonly string[]
}

export interface WindowsRouterOutcome {
  readonly problems: readonly Problem[]
  readonly firewall: 'none'
  readonly forwarding: 'none' | 'engine'
}

export class WindowsRouter {
  readonly #deps: WindowsRouterDeps
  #laid: WindowsLaid | undefined
  #queue: Promise<unknown> = Promise.resolve()

  constructor(deps: WindowsRouterDeps) {
    this.#deps = deps
  }

  /** Rejects with EngineError: 'bad-argument', 'not-found' (no device), 'not-supported' (to keep traffic in), 'access-denied', 'io'. */
  set(want: MachineRoutes): Promise<WindowsRouterOutcome> {
    return this.#inTurn(async () => {
      const { run, indexOf, attached } = this.#deps
      if (want.device === '') throw new EngineError('not-supported', 'Without its tunnel device nothing can be kept in on Windows.')
      if ([...want.addresses, ...want.routes].some((prefix) => !isPlainPrefix(prefix))) throw new EngineError('bad-argument', 'addresses and prefixes of a wish for the computer have to be in canonical text')
      const index = indexOf(want.device)
      if (index === undefined || !Number.isInteger(index) || index <= 0) throw new EngineError('not-found', `There is no interface ${want.device}.`)
      const [before, after] = [this.#laid, layWindows(want, index, attached())]
      try {
        await runAll(run, planWindowsRoutes(before, after))
      } catch (error) {
        await runLoosely(run, planWindowsRoutes(after, before))
        throw error
      }
      this.#laid = after
      return { problems: problemsOf(want), firewall: 'none', forwarding: want.forward === undefined ? 'none' : 'engine' }
    })
  }

  /** There is nothing that could hold. */
  close(_hold: boolean): Promise<void> {
    return this.#inTurn(async () => {
      await runLoosely(this.#deps.run, planWindowsRoutes(this.#laid, undefined))
      this.#laid = undefined
    })
  }

  /** Nothing is watched on this system. */
  onDisturbed(): void {}

  /** Rules of the firewall are all that an engine which died leaves; true when there were some. */
  cleanUp(): Promise<boolean> {
    return this.#inTurn(async () => {
      let had = false
      for (const { program, words } of windowsRulesRemoval) had = (await this.#deps.run(program, words)).code === 0 || had
      return had
    })
  }

  /** A refusal comes with the first command. */
  obstacle(): Promise<Problem | undefined> {
    return Promise.resolve(undefined)
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(call, call)
    this.#queue = turn.catch(() => {})
    return turn
  }
}

function problemsOf(want: MachineRoutes): readonly Problem[] {
  return [
    ...(want.internet === 'direct' ? [] : [{ code: 'guard-missing', text: 'Nothing keeps traffic in on Windows when the tunnel is away: packets may leave beside it then.' }]),
    ...(want.forward === undefined ? [] : [{ code: 'forwarding-by-engine', text: 'The engine passes packets on by itself; Windows is not asked to.' }]),
  ]
}
