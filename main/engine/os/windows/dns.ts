/**
 * Carries out what dns-plan says on Windows. Never run here: driven by a fake system in tests alone.
 */
import { EngineError } from '../../base/errors.ts'
import { SERVICE_IPS } from '../../base/ip.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import { runAll, runLoosely, type RunCommand } from '../commands.ts'
import type { Problem } from '../darwin/routes.ts'
import { hasPolicyRules, planWindowsNames, policyQuery, tableQuery, windowsRulesLeft, type WindowsNames } from './dns-plan.ts'

export interface WindowsDnsDeps {
  readonly run: RunCommand
  readonly indexOf: (device: string) => number | undefined
  /** The resolvers of all interfaces, ours among them. */
  readonly resolvers: () => readonly string[]
}

export interface WindowsDnsOutcome {
  readonly problems: readonly Problem[]
  readonly through: 'none' | 'system'
}

export class WindowsDns {
  readonly #deps: WindowsDnsDeps
  #laid: WindowsNames | undefined
  #queue: Promise<unknown> = Promise.resolve()

  constructor(deps: WindowsDnsDeps) {
    this.#deps = deps
  }

  /** undefined = as before us. Rejects with EngineError: 'not-found' (no device), 'access-denied', 'io'. */
  set(want: MachineDns | undefined): Promise<WindowsDnsOutcome> {
    return this.#inTurn(async () => {
      const { run, indexOf } = this.#deps
      const index = want === undefined ? undefined : indexOf(want.device)
      if (want !== undefined && (index === undefined || !Number.isInteger(index) || index <= 0)) throw new EngineError('not-found', `There is no interface ${want.device}.`)
      const before = this.#laid
      const after = want === undefined ? undefined : { index: index!, want }
      try {
        await runAll(run, planWindowsNames(before, after))
      } catch (error) {
        await runLoosely(run, planWindowsNames(after, before))
        throw error
      }
      this.#laid = after
      const isHidden = want !== undefined && hasPolicyRules((await run(policyQuery.program, policyQuery.words)).out)
      const problems = isHidden ? [{ code: 'names-two-owners', text: 'A group policy of this computer says who is asked for names, and goes before the rules of the network.' }] : []
      return { problems, through: want === undefined ? 'none' : 'system' }
    })
  }

  async close(): Promise<void> {
    await this.set(undefined)
  }

  own(): { readonly servers: readonly string[]; readonly search: readonly string[] } {
    return { servers: this.#deps.resolvers().filter((ip) => !SERVICE_IPS.includes(ip)), search: [] }
  }

  /** Nothing is watched on this system. */
  onDisturbed(): void {}

  /** They are read anew at every question. */
  onOwnChanged(): void {}

  /** Removes rules of an engine that died; true when there were some. */
  cleanUp(): Promise<boolean> {
    return this.#inTurn(async () => {
      const left = windowsRulesLeft((await this.#deps.run(tableQuery.program, tableQuery.words)).out)
      if (left.length > 0) await runLoosely(this.#deps.run, [...left, { program: 'ipconfig', words: ['/flushdns'] }])
      return left.length > 0
    })
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(call, call)
    this.#queue = turn.catch(() => {})
    return turn
  }
}
