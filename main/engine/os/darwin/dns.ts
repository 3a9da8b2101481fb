/**
 * Carries out what dns-plan says on macOS. Never run here: driven by a fake system in tests alone.
 *
 * The computer's own resolvers are asked of the system before each change and every half minute while names are ours: those of its
 * interfaces stay listed whatever has the names.
 */
import type { Clock } from '../../base/env.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import { runAll, runLoosely, type Command, type RunCommand } from '../commands.ts'
import { macResolverFiles, macStoreHas, macStoreQuery, macStoreRemoval, macStoreScript, OURS, readScutilDns } from './dns-plan.ts'
import type { Problem } from './routes.ts'

const LOOK_MS = 30_000
const FLUSH: readonly Command[] = [{ program: 'dscacheutil', words: ['-flushcache'], mayFail: true }, { program: 'killall', words: ['-HUP', 'mDNSResponder'], mayFail: true }]

/** The folder of resolver files. */
export interface ResolverFolder {
  /** What is there, by name; [] where there is no folder. */
  list(): readonly string[]
  /** undefined: not there. Of what is no plain file: ''. */
  read(name: string): string | undefined
  /** Whole or not at all; makes the folder. */
  write(name: string, text: string): void
  remove(name: string): void
}

export interface MacDnsDeps {
  readonly run: RunCommand
  readonly folder: ResolverFolder
  readonly clock: Clock
}

export interface MacDnsOutcome {
  readonly problems: readonly Problem[]
  readonly through: 'none' | 'system'
}

type Own = { readonly servers: readonly string[]; readonly search: readonly string[] }

export class MacDns {
  readonly #deps: MacDnsDeps
  #want: MachineDns | undefined
  #own: Own = { servers: [], search: [] }
  #tellOwn: (() => void) | undefined
  #stopLook: (() => void) | undefined
  #queue: Promise<unknown> = Promise.resolve()

  constructor(deps: MacDnsDeps) {
    this.#deps = deps
  }

  /** undefined = as before us. Rejects with EngineError. */
  set(want: MachineDns | undefined): Promise<MacDnsOutcome> {
    return this.#inTurn(async () => {
      const { run } = this.#deps
      await this.#look()
      const before = this.#want
      const foreign = this.#writeFiles(want)
      const script = macStoreScript(before, want)
      try {
        if (script !== undefined) await runAll(run, [{ program: 'scutil', words: [], input: script }])
      } catch (error) {
        this.#writeFiles(before)
        throw error
      }
      this.#want = want
      await runLoosely(run, FLUSH)
      this.#watch(want !== undefined)
      return { problems: foreign.map(othersFile), through: want === undefined ? 'none' : 'system' }
    })
  }

  async close(): Promise<void> {
    await this.set(undefined)
  }

  own(): Own {
    return this.#own
  }

  /** Nothing is watched on this system. */
  onDisturbed(): void {}

  onOwnChanged(call: () => void): void {
    this.#tellOwn = call
  }

  /** Removes files and the entry of an engine that died; true when there were some. */
  cleanUp(): Promise<boolean> {
    return this.#inTurn(async () => {
      const { run, folder } = this.#deps
      const ours = folder.list().filter((name) => folder.read(name)?.startsWith(OURS) === true)
      for (const name of ours) folder.remove(name)
      const { out } = await run('scutil', [], { input: macStoreQuery })
      const had = macStoreHas(out)
      if (had) await runLoosely(run, [{ program: 'scutil', words: [], input: macStoreRemoval }])
      if (had || ours.length > 0) await runLoosely(run, FLUSH)
      return had || ours.length > 0
    })
  }

  /** Names of files that are somebody else's and stay so. */
  #writeFiles(want: MachineDns | undefined): readonly string[] {
    const { folder } = this.#deps
    const files = macResolverFiles(want)
    for (const name of folder.list()) if (!files.has(name) && folder.read(name)?.startsWith(OURS) === true) folder.remove(name)
    const foreign: string[] = []
    for (const [name, text] of files) {
      const there = folder.read(name)
      if (there !== undefined && !there.startsWith(OURS)) foreign.push(name)
      else if (there !== text) folder.write(name, text)
    }
    return foreign
  }

  async #look(): Promise<void> {
    const found = await this.#deps.run('scutil', ['--dns']).catch(() => undefined)
    if (found?.code !== 0) return
    const own = readScutilDns(found.out)
    const isOther = JSON.stringify(own) !== JSON.stringify(this.#own)
    // Between two networks there are none for a moment; the last ones are better than nobody.
    if (!isOther || own.servers.length === 0) return
    this.#own = own
    this.#tellOwn?.()
  }

  #watch(isOn: boolean): void {
    this.#stopLook?.()
    this.#stopLook = undefined
    if (!isOn) return
    this.#stopLook = this.#deps.clock.after(LOOK_MS, () => {
      void this.#inTurn(() => this.#look()).finally(() => this.#stopLook && this.#watch(true))
    })
  }

  #inTurn<T>(call: () => Promise<T>): Promise<T> {
    const turn = this.#queue.then(call, call)
    this.#queue = turn.catch(() => {})
    return turn
  }
}

function othersFile(name: string): Problem {
  return { code: 'names-two-owners', text: `Names below ${name} are asked of whom /etc/resolver/${name} says, which somebody else made.` }
}
