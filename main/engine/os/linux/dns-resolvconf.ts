/**
 * Names by the program resolvconf, of which there are two.
 *
 *   openresolv   takes a record of ours as the only one that counts (-x)
 *   Debian's     mixes what all records say, so that others are asked when we are late: its file is made ours alone, whenever it wrote it
 *
 * Records lie in /run: what an engine that died left there is taken away at the next start, and gone with the next boot in any case.
 */
import { existsSync, readdirSync } from 'node:fs'
import { EngineError } from '../../base/errors.ts'
import type { MachineDns } from '../../core/plan/machine.ts'
import { ownOf, textFor } from './dns-file.ts'
import type { NamesDeps, NamesFacts, NamesWay, OwnNames, Problem } from './dns-ports.ts'
import { NamesWatch } from './names-watch.ts'
import { parseResolvConf } from './resolv-conf.ts'
import { ResolvFile, resolvPaths } from './resolv-file.ts'

export type ResolvconfKind = 'resolvconf' | 'openresolv'

/** Debian's sorts what begins with tun before networks. */
const RECORD: Readonly<Record<ResolvconfKind, string>> = { resolvconf: 'tun-bowline.inet', openresolv: 'bowline' }
const DEBIAN_RECORDS = '/run/resolvconf/interface'
const OPENRESOLV_RECORDS = ['/run/resolvconf/interfaces', '/run/resolvconf/keys']
const MAX_RECORDS = 64
const FIGHT_WINDOW_MS = 60_000
const FIGHT_LIMIT = 5
const FIGHT_PAUSE_MS = 30_000

export class ResolvconfNames implements NamesWay {
  readonly #deps: NamesDeps
  readonly #facts: NamesFacts
  readonly #kind: ResolvconfKind
  readonly #watch: NamesWatch
  #want: MachineDns | undefined
  #own: OwnNames & { readonly options: readonly string[] } = { servers: [], search: [], options: [] }
  #isLooking = false
  #written: number[] = []

  constructor(deps: NamesDeps, facts: NamesFacts, kind: ResolvconfKind) {
    this.#deps = deps
    this.#facts = facts
    this.#kind = kind
    this.#watch = new NamesWatch(deps.env, () => void this.#look())
  }

  async put(want: MachineDns): Promise<readonly Problem[]> {
    this.#want = want
    try {
      this.#own = await this.#readOwn()
      await this.#write()
    } catch (error) {
      this.#want = undefined
      throw error
    }
    const { root = '' } = this.#deps
    this.#watch.start([DEBIAN_RECORDS, ...OPENRESOLV_RECORDS, '/run/resolvconf', '/etc'].map((path) => root + path))
    return []
  }

  async takeBack(): Promise<void> {
    this.#watch.stop()
    this.#want = undefined
    await dropRecord(this.#deps, this.#kind)
  }

  own(): OwnNames {
    return this.#own
  }

  async #write(): Promise<void> {
    const text = textFor(this.#want!, this.#own)
    const words = this.#kind === 'openresolv' ? ['-m', '0', '-x', '-a', RECORD.openresolv] : ['-a', RECORD.resolvconf]
    await this.#run(words, text)
    if (this.#kind === 'resolvconf') this.#mixed().replace(text)
    if (!this.#isInForce()) throw new EngineError('io', 'The program resolvconf took our names, but /etc/resolv.conf does not have them.')
  }

  /** The file that Debian's makes, to which resolv.conf is a link. */
  #mixed(): ResolvFile {
    return new ResolvFile({ ...resolvPaths(this.#deps.root), conf: `${this.#deps.root ?? ''}/run/resolvconf/resolv.conf` })
  }

  /** Nobody but us is asked. */
  #isInForce(): boolean {
    const { servers } = parseResolvConf(new ResolvFile(resolvPaths(this.#deps.root)).look().text ?? '')
    return servers.length > 0 && servers.every((server) => this.#want?.servers.includes(server))
  }

  async #look(): Promise<void> {
    if (this.#want === undefined || this.#isLooking) return
    this.#isLooking = true
    try {
      const before = JSON.stringify(this.#own)
      const own = await this.#readOwn()
      if (this.#want === undefined) return
      this.#own = own
      const isOther = JSON.stringify(own) !== before
      const isInForce = this.#isInForce()
      if (!isInForce || isOther) await this.#writeAgain(isInForce)
      if (isOther) this.#facts.onOwn()
    } catch (error) {
      this.#facts.onDisturbed({ code: 'names-failed', text: error instanceof EngineError ? error.message : 'resolvconf does not take our names.' })
    } finally {
      this.#isLooking = false
    }
  }

  async #writeAgain(wasInForce: boolean): Promise<void> {
    const nowMs = this.#deps.env.clock.nowMs()
    this.#written = this.#written.filter((atMs) => nowMs - atMs < FIGHT_WINDOW_MS)
    const last = this.#written.at(-1)
    if (this.#written.length >= FIGHT_LIMIT && last !== undefined && nowMs - last < FIGHT_PAUSE_MS) {
      this.#facts.onDisturbed({ code: 'names-two-owners', text: 'Another program keeps writing /etc/resolv.conf; names of the network work only while it does not.' })
      return
    }
    this.#written.push(nowMs)
    await this.#write()
    this.#deps.env.journal.add({ part: 'names', kind: 'set-again', why: wasInForce ? "the computer's own resolvers changed" : 'resolvconf wrote resolv.conf anew' })
  }

  async #readOwn(): Promise<OwnNames & { readonly options: readonly string[] }> {
    const { root = '' } = this.#deps
    const text = this.#kind === 'resolvconf' ? readRecords(root) : await this.#listOthers()
    const { options } = parseResolvConf(new ResolvFile(resolvPaths(root)).look().text ?? '')
    const own = ownOf(text, root)
    return { ...own, options: [...new Set([...own.options, ...options])] }
  }

  /** Everybody's but ours, as openresolv would mix it. */
  async #listOthers(): Promise<string> {
    const names = (await this.#run(['-i'])).trim().split(/\s+/).filter((name) => /^[\w][\w.@:+-]{0,80}$/.test(name) && name !== RECORD.openresolv).slice(0, MAX_RECORDS)
    return names.length === 0 ? '' : joined(await this.#run(['-l', ...names]))
  }

  async #run(words: readonly string[], input?: string): Promise<string> {
    const end = await this.#deps.run('resolvconf', words, input === undefined ? {} : { input })
    // Without any record it lists none, and fails.
    if (end.code !== 0 && words[0] !== '-i' && words[0] !== '-l') throw new EngineError('io', `resolvconf failed (${end.code ?? 'ended by a signal'}).`)
    return end.out
  }
}

/** Search lists of several records are one. */
function joined(text: string): string {
  const search = text.split('\n').flatMap((line) => (/^\s*(search|domain)\s/.test(line) ? line.trim().split(/\s+/).slice(1) : []))
  return `${text}\n${search.length > 0 ? `search ${[...new Set(search)].join(' ')}\n` : ''}`
}

function readRecords(root: string): string {
  const folder = root + DEBIAN_RECORDS
  const names = existsSync(folder) ? readdirSync(folder) : []
  const file = new ResolvFile(resolvPaths(root))
  const chosen = names.filter((name) => name !== RECORD.resolvconf).toSorted().slice(0, MAX_RECORDS)
  return joined(chosen.map((name) => file.look(`${folder}/${name}`).text ?? '').join('\n'))
}

/** Takes our record away, whoever left it; answers whether there was one. Rejects as the program's runner does. */
export async function dropRecord(deps: NamesDeps, kind: ResolvconfKind): Promise<boolean> {
  const root = deps.root ?? ''
  const places = kind === 'resolvconf' ? [DEBIAN_RECORDS] : OPENRESOLV_RECORDS
  const isThere = places.some((folder) => existsSync(`${root}${folder}/${RECORD[kind]}`))
  if (!isThere) return false
  await deps.run('resolvconf', kind === 'openresolv' ? ['-f', '-d', RECORD.openresolv] : ['-d', RECORD.resolvconf])
  return true
}
