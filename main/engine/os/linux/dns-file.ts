/**
 * Names by /etc/resolv.conf itself: ours in force, others' noticed.
 *
 *   in force → another wrote (names-rewritten): its text is what is ours to put back, and ours is put again
 *            → the sixth time within a minute (names-two-owners): nothing is written for half a minute, then once, and so on
 *
 * Where NetworkManager has the file, ours is behind a link that it leaves alone, and the computer's own resolvers are in the file that it
 * goes on writing for itself.
 */
import { statSync } from 'node:fs'
import { dirname } from 'node:path'
import { EngineError } from '../../base/errors.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import type { NamesDeps, NamesFacts, NamesWay, OwnNames, Problem } from './dns-ports.ts'
import { isStub } from './dns-mode.ts'
import { NamesWatch } from './names-watch.ts'
import { OUR_MARK, ownerOf, parseResolvConf, resolvConfText, withoutUs } from './resolv-conf.ts'
import type { ResolvConf } from './resolv-conf.ts'
import { ResolvFile, resolvPaths } from './resolv-file.ts'

const FIGHT_WINDOW_MS = 60_000
const FIGHT_LIMIT = 5
const FIGHT_PAUSE_MS = 30_000
const NOTE = 'What was here before is kept in resolv.pre-bowline-backup.conf and put back.'

export class FileNames implements NamesWay {
  readonly #deps: NamesDeps
  readonly #facts: NamesFacts
  readonly #file: ResolvFile
  readonly #watch: NamesWatch
  readonly #byNetworkManager: boolean
  #want: MachineDns | undefined
  #text = ''
  #own: OwnNames & { readonly options: readonly string[] } = { servers: [], search: [], options: [] }
  /** When others wrote, within the window. */
  #rewritten: number[] = []
  #endPause: (() => void) | undefined

  constructor(deps: NamesDeps, facts: NamesFacts, byNetworkManager: boolean) {
    this.#deps = deps
    this.#facts = facts
    this.#byNetworkManager = byNetworkManager
    this.#file = new ResolvFile(resolvPaths(deps.root), byNetworkManager)
    this.#watch = new NamesWatch(deps.env, () => this.#look())
  }

  put(want: MachineDns): Promise<readonly Problem[]> {
    this.#want = want
    this.#own = this.#readOwn()
    if (this.#endPause) return Promise.resolve([this.#fight()])
    try {
      this.#write()
    } catch (error) {
      this.#want = undefined
      return Promise.reject(error as Error)
    }
    this.#follow()
    return Promise.resolve([])
  }

  takeBack(): Promise<void> {
    this.#watch.stop()
    this.#endPause?.()
    this.#endPause = undefined
    this.#want = undefined
    this.#rewritten = []
    const was = this.#byNetworkManager ? this.#keptKind() : undefined
    try {
      this.#file.restore()
      // NetworkManager's own text went on changing while it was kept.
      if (was === 'file') this.#freshen()
    } catch (error) {
      return Promise.reject(error as Error)
    }
    return Promise.resolve()
  }

  own(): OwnNames {
    return this.#own
  }

  #write(): void {
    const want = this.#want!
    this.#text = textFor(want, this.#own)
    this.#file.put(this.#text)
  }

  #follow(): void {
    const { root = '' } = this.#deps
    const { conf } = this.#file.paths
    const kept = this.#file.kept()
    const leadsTo = kept === undefined ? undefined : this.#file.look(kept).link
    this.#watch.start([dirname(conf), conf, ...(leadsTo === undefined ? [] : [dirname(leadsTo)]), `${root}/run/systemd/resolve`, ...(this.#byNetworkManager ? [`${root}/run/NetworkManager`] : [])])
  }

  #look(): void {
    if (this.#want === undefined || this.#endPause) return
    if (this.#file.holds(this.#text)) {
      const before = JSON.stringify(this.#own)
      this.#own = this.#readOwn()
      if (JSON.stringify(this.#own) === before) return
      this.#tryWrite()
      this.#facts.onOwn()
      return
    }
    this.#rewrittenByOthers()
  }

  #rewrittenByOthers(): void {
    const nowMs = this.#deps.env.clock.nowMs()
    this.#rewritten = [...this.#rewritten.filter((atMs) => nowMs - atMs < FIGHT_WINDOW_MS), nowMs]
    const who = this.#whoWrote()
    const before = JSON.stringify(this.#own)
    const now = this.#file.look()
    if (!this.#file.isOurs() && (now.text !== undefined || now.link !== undefined)) this.#own = this.#readOwn()
    const isFight = this.#rewritten.length > FIGHT_LIMIT
    this.#deps.env.journal.add({ part: 'names', kind: 'rewritten', why: `${who} wrote resolv.conf while names are ours`, times: this.#rewritten.length, again: !isFight })
    if (isFight) {
      this.#pause()
      this.#facts.onDisturbed(this.#fight())
    } else if (this.#tryWrite()) {
      this.#follow()
      this.#facts.onDisturbed({ code: 'names-rewritten', text: `${who} wrote /etc/resolv.conf; Bowline put its own back, and will leave ${who === 'Another program' ? 'that one' : "that program's"} in the end.` })
    }
    if (JSON.stringify(this.#own) !== before) this.#facts.onOwn()
  }

  #pause(): void {
    this.#endPause = this.#deps.env.clock.after(FIGHT_PAUSE_MS, () => {
      this.#endPause = undefined
      if (this.#want === undefined) return
      if (this.#file.holds(this.#text)) this.#rewritten = []
      else this.#tryWrite()
      this.#watch.nudge()
    })
  }

  #tryWrite(): boolean {
    try {
      this.#write()
      return true
    } catch (error) {
      this.#facts.onDisturbed({ code: 'names-failed', text: error instanceof EngineError ? error.message : 'resolv.conf cannot be written.' })
      return false
    }
  }

  #fight(): Problem {
    return { code: 'names-two-owners', text: `${this.#whoWrote()} keeps writing /etc/resolv.conf; names of the network work only while it does not.` }
  }

  #whoWrote(): string {
    const owner = ownerOf(this.#file.look().text ?? '')
    return owner === '' || owner === 'bowline' ? 'Another program' : owner
  }

  #readOwn(): OwnNames & { readonly options: readonly string[] } {
    return ownOf(this.#textBefore(), this.#deps.root)
  }

  /** What would be in force without us. */
  #textBefore(): string | undefined {
    const { root = '' } = this.#deps
    if (this.#byNetworkManager) {
      const theirs = this.#file.look(`${root}/run/NetworkManager/resolv.conf`).text
      if (theirs !== undefined) return theirs
    }
    if (!this.#file.isOurs()) return this.#file.look().text
    const kept = this.#file.kept()
    return kept === undefined ? undefined : this.#file.look(kept).text
  }

  #keptKind(): 'file' | 'link' | undefined {
    const kept = this.#file.kept()
    return kept === undefined || !this.#file.isOurs() ? undefined : this.#file.look(kept).link === undefined ? 'file' : 'link'
  }

  #freshen(): void {
    const { root = '' } = this.#deps
    const theirs = `${root}/run/NetworkManager/resolv.conf`
    const { text } = this.#file.look(theirs)
    const { conf } = this.#file.paths
    if (text === undefined || ownerOf(text) !== 'NetworkManager') return
    if (statSync(theirs).mtimeMs > statSync(conf).mtimeMs) this.#file.replace(text)
  }
}

/** The computer's own resolvers by a text of resolv.conf; where that asks resolved's stub, those that resolved asks. */
export function ownOf(text: string | undefined, root = ''): OwnNames & { readonly options: readonly string[] } {
  if (text === undefined || text.startsWith(OUR_MARK)) return { servers: [], search: [], options: [] }
  const file = new ResolvFile(resolvPaths(root))
  const foreign = ownerOf(text) === 'tailscaled' ? file.look(`${root}/etc/resolv.pre-tailscale-backup.conf`).text : text
  const conf = withoutUs(parseResolvConf(foreign ?? ''))
  if (!conf.servers.some(isStub)) return conf
  // Its stub reads resolv.conf when that is not its own, and would send our questions back to us.
  const behind = withoutUs(parseResolvConf(file.look(`${root}/run/systemd/resolve/resolv.conf`).text ?? ''))
  return { ...conf, servers: [...new Set(conf.servers.flatMap((server) => (isStub(server) ? behind.servers : [server])))], search: conf.search.length > 0 ? conf.search : behind.search }
}

/** Our text. With an exit node nobody's local names can be asked for, and whoever answers cannot vouch for signatures. */
export function textFor(want: MachineDns, own: OwnNames & Pick<ResolvConf, 'options'>): string {
  const search = want.exclusive ? want.searchDomains : [...want.searchDomains, ...own.search]
  const options = want.exclusive ? own.options.filter((option) => option !== 'trust-ad') : own.options
  return resolvConfText({ servers: want.servers, search, options }, NOTE)
}
