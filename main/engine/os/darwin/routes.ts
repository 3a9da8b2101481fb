/**
 * Carries out what routes-plan and pf-plan say on macOS. Never run here: driven by a fake system in tests alone.
 *
 *   set     guard (with an exit node) → addresses and routes → guard away (without one)
 *   fails   what was done of this call is taken back; what keeps traffic in stays
 *   close   routes, then the guard unless it is to hold
 *
 * Packets of peers for other machines are passed on by the engine itself: the system is not asked to forward. What others undo is not
 * watched here; whatever changes the network has the wish put on anew.
 */
import { EngineError } from '../../base/errors.ts'
import type { MachineRoutes } from '../../core/plan/machine.ts'
import { faultOf, runAll, runLoosely, type RunCommand } from '../commands.ts'
import { isPlainPrefix } from '../prefixes.ts'
import { ANCHOR, macGuard, pfToken, planMacGuard } from './pf-plan.ts'
import { layMac, planMacRoutes, type MacFacts, type MacLaid } from './routes-plan.ts'

export interface Problem {
  readonly code: string
  readonly text: string
}

export interface MacRouterDeps {
  readonly run: RunCommand
  readonly facts: () => MacFacts
  /** Group that the engine runs under and nobody else does, where there is one. */
  readonly group: string | undefined
  /** Of the process: 0 may. */
  readonly uid: () => number | undefined
}

export interface MacRouterOutcome {
  readonly problems: readonly Problem[]
  readonly firewall: 'none' | 'pf'
  readonly forwarding: 'none' | 'engine'
}

const DEVICE = /^utun\d{1,4}$/

export class MacRouter {
  readonly #deps: MacRouterDeps
  #laid: MacLaid | undefined
  #guard: string | undefined
  #token: string | undefined
  #queue: Promise<unknown> = Promise.resolve()

  constructor(deps: MacRouterDeps) {
    this.#deps = deps
  }

  /** Rejects with EngineError: 'bad-argument', 'access-denied', 'not-found', 'io'. */
  set(want: MachineRoutes): Promise<MacRouterOutcome> {
    return this.#inTurn(async () => {
      refuse(want)
      const { run, group, facts } = this.#deps
      const guard = macGuard(want, group)
      if (guard !== undefined) await this.#setGuard(guard)
      const [before, after] = [this.#laid, layMac(want, facts())]
      try {
        await runAll(run, planMacRoutes(before, after))
      } catch (error) {
        await runLoosely(run, planMacRoutes(after, before))
        throw error
      }
      this.#laid = after
      if (guard === undefined) await this.#setGuard(undefined)
      return { problems: problemsOf(want, group), firewall: guard === undefined ? 'none' : 'pf', forwarding: want.forward === undefined ? 'none' : 'engine' }
    })
  }

  /** `hold`: the guard stays. */
  close(hold: boolean): Promise<void> {
    return this.#inTurn(async () => {
      await runLoosely(this.#deps.run, planMacRoutes(this.#laid, undefined))
      this.#laid = undefined
      if (!hold) await this.#setGuard(undefined)
    })
  }

  /** Nothing is watched on this system. */
  onDisturbed(): void {}

  /** Takes away the guard of an engine that died; its device and routes went with it. True when there was one. */
  cleanUp(): Promise<boolean> {
    return this.#inTurn(async () => {
      const { code, out } = await this.#deps.run('pfctl', ['-q', '-a', ANCHOR, '-s', 'rules'])
      if (code !== 0 || out.trim() === '') return false
      await runLoosely(this.#deps.run, planMacGuard(out, undefined))
      return true
    })
  }

  obstacle(): Promise<Problem | undefined> {
    const may = this.#deps.uid() === 0
    return Promise.resolve(may ? undefined : { code: 'no-rights', text: 'The engine may not change the routes of this computer: it has to run as a service.' })
  }

  async #setGuard(next: string | undefined): Promise<void> {
    const { run } = this.#deps
    await runAll(run, planMacGuard(this.#guard, next))
    this.#guard = next
    if (next !== undefined && this.#token === undefined) {
      const end = await run('pfctl', ['-E'])
      // Rules of a filter that is off keep nothing in.
      if (end.code !== 0) throw faultOf('pfctl', end)
      this.#token = pfToken(`${end.out}\n${end.err}`)
    } else if (next === undefined && this.#token !== undefined) {
      await runLoosely(run, [{ program: 'pfctl', words: ['-X', this.#token] }])
      this.#token = undefined
    }
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(call, call)
    this.#queue = turn.catch(() => {})
    return turn
  }
}

/** Words of commands are canonical texts alone. */
function refuse(want: MachineRoutes): void {
  if (want.device === '' && want.internet === 'direct') throw new EngineError('bad-argument', 'there is no tunnel device')
  if (want.device !== '' && !DEVICE.test(want.device)) throw new EngineError('bad-argument', 'a tunnel device of macOS is called utun and a number')
  const odd = [...want.addresses, ...want.routes, ...want.bypass].find((prefix) => !isPlainPrefix(prefix))
  if (odd !== undefined) throw new EngineError('bad-argument', 'addresses and prefixes of a wish for the computer have to be in canonical text')
}

function problemsOf(want: MachineRoutes, group: string | undefined): readonly Problem[] {
  const isIn = want.internet !== 'direct'
  return [
    ...(isIn && group === undefined ? [{ code: 'guard-weak', text: 'What keeps traffic in lets programs of the system (root) pass: the engine runs under no group of its own.' }] : []),
    ...(want.forward === undefined ? [] : [{ code: 'forwarding-by-engine', text: 'The engine passes packets on by itself; macOS is not asked to.' }]),
  ]
}
