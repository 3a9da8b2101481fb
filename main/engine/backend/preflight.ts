/**
 * Looks at servers before joining (bowline/preflight), each a run of its own so that a window and a command do not disturb each other,
 * and joining by a link (bowline/join): what the person was shown is what is done, and the key that signed the link is remembered.
 *
 *   join-keys.json   { "version": 1, "keys": [{ "fingerprint", "server", "org", "atMs" }] }
 */
import type { Env } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { printable } from '../base/printable.ts'
import type { JoinLink } from '../core/join/link.ts'
import { otherVpns, rangeNetwork } from '../core/plan/other-vpns.ts'
import type { JoinLinkPage, JoinResult, PreflightPage, PreflightRequest, PreflightStep, PreflightStepName } from '../../localapi/preflight.ts'
import type { MaskedPrefs } from '../../localapi/types.ts'
import type { Model } from './model.ts'
import { PageReaders } from './page-readers.ts'
import type { StorePort } from './ports.ts'
import type { LocalFacts, PreflightWorld, TrustedPem } from './preflight-ports.ts'
import { PreflightRun } from './preflight-run.ts'
import { readTarget, type Target } from './preflight-target.ts'

const MAX_RUNS = 6
const MAX_READERS = 16
const MAX_KEYS = 64
const FILE = 'join-keys'

export interface PreflightDeps {
  readonly env: Env
  readonly world: PreflightWorld
  readonly model: Model
  readonly store: StorePort
  readonly ephemeral?: boolean
  readonly editPrefs: (mask: MaskedPrefs) => void
}

interface JoinKey {
  readonly fingerprint: string
  readonly server: string
  readonly org: string
  readonly atMs: number
}

interface Entry {
  readonly id: string
  readonly target: Target
  readonly run: PreflightRun | undefined
  readonly readers: PageReaders<PreflightPage>
  version: number
}

export class Preflights {
  readonly #deps: PreflightDeps
  readonly #runs = new Map<string, Entry>()
  #keys: readonly JoinKey[] | undefined
  #count = 0

  constructor(deps: PreflightDeps) {
    this.#deps = deps
  }

  /** Begins a run; the oldest of too many is ended. Throws EngineError('bad-argument'). */
  begin(body: unknown): PreflightPage {
    const { Target: text, Quick: quick = false, Instead: instead } = (typeof body === 'object' && body !== null ? body : {}) as Partial<PreflightRequest>
    if (typeof text !== 'string' || typeof quick !== 'boolean') throw new EngineError('bad-argument', 'preflight wants a JSON object with Target, the address of a server or a join link')
    if (typeof instead === 'string') this.#end(instead)
    for (const id of [...this.#runs.keys()].slice(0, Math.max(0, this.#runs.size - MAX_RUNS + 1))) this.#end(id)
    const { clock } = this.#deps.env
    const target = readTarget(text, clock.wallMs())
    // No two engine lives share a name, so that a reader that outlives one is told.
    const id = `p${Math.floor(clock.wallMs()).toString(36)}-${++this.#count}`
    const entry: Entry = { id, target, run: this.#runOf(target, quick, id), readers: new PageReaders(clock, MAX_READERS, () => this.#page(entry)), version: 1 }
    this.#runs.set(id, entry)
    if (entry.run) void this.#follow(entry, entry.run)
    return this.#page(entry)
  }

  /** The page at once when its version is not `after`, else when it changes. Throws EngineError('not-found'). */
  next(id: string, after: number | undefined): { readonly page: Promise<PreflightPage>; readonly cancel: () => void } {
    const entry = this.#entry(id)
    if (after !== entry.version || entry.run?.isDone !== false) return { page: Promise.resolve(this.#page(entry)), cancel: () => {} }
    return entry.readers.wait(after)
  }

  /** Trusts and sets what the link of a run asks for; signing in is then asked for as ever. Throws EngineError. */
  join(body: unknown): JoinResult {
    const { Run: id } = (typeof body === 'object' && body !== null ? body : {}) as { Run?: unknown }
    const { target, run } = this.#entry(typeof id === 'string' ? id : '')
    const { env, model, world, editPrefs } = this.#deps
    if (target.kind !== 'server' || !target.link || !run) throw new EngineError('bad-argument', 'that run was not of a join link')
    const { link, server } = target
    if (link.untilMs <= env.clock.wallMs()) throw new EngineError('bad-argument', 'the join link is no longer good. Ask for a new one')
    const isPinned = run.findings.get('certificate')?.code === 'certificate-pinned'
    if (link.pins.length > 0 && !isPinned) throw new EngineError('bad-argument', 'the server does not show the certificate that the link names, so it is not joined')
    if (model.saved.nodeKey !== undefined) throw new EngineError('bad-argument', 'this device is signed in. Add an account first (bowline login does so by itself)')
    // First what a device policy may refuse: nothing is trusted for a server that is not joined.
    editPrefs(prefsOf(link))
    const trusted = run.pinned === undefined ? [] : world.trust.add(run.pinned, server)
    this.#remember(link)
    const why = `a person joined by a link of "${printable(link.org, 60)}", signed by the key ${link.fingerprint.slice(0, 16)}…`
    env.journal.add({ part: 'join', kind: 'joined', why, server, fingerprint: link.fingerprint })
    env.log.info(`join link taken (${server})`)
    return { Server: server, Trusted: trusted.map((one) => one.fingerprint) }
  }

  stop(): void {
    for (const id of this.#runs.keys()) this.#end(id)
  }

  #entry(id: string): Entry {
    const entry = this.#runs.get(id)
    if (!entry) throw new EngineError('not-found', 'that look at a server is over. Begin another one')
    return entry
  }

  #end(id: string): void {
    const entry = this.#runs.get(id)
    this.#runs.delete(id)
    entry?.run?.stop()
    entry?.readers.stop()
  }

  #runOf(target: Target, quick: boolean, id: string): PreflightRun | undefined {
    if (target.kind === 'fault') return undefined
    const { env, world } = this.#deps
    return new PreflightRun({
      env, world, server: target.server, pins: target.link?.pins ?? [], quick, local: () => this.#local(),
      onFinding: () => {
        const entry = this.#runs.get(id)
        if (entry) entry.readers.tell(++entry.version)
      },
    })
  }

  async #follow(entry: Entry, run: PreflightRun): Promise<void> {
    const { env } = this.#deps
    try {
      await run.run()
    } catch (error) {
      env.log.error('a look at a server failed', { error: errorText(error) })
      return this.#end(entry.id)
    }
    entry.readers.tell(++entry.version)
    if (!this.#runs.has(entry.id)) return
    const bad = [...run.findings].filter(([, found]) => found.state === 'bad').map(([step, found]) => `${step} (${found.code})`)
    env.journal.add({ part: 'join', kind: 'preflight', why: bad.length === 0 ? 'nothing stands in the way' : `in the way: ${bad.join(', ')}`, server: entry.target.kind === 'server' ? entry.target.server : '' })
  }

  #page({ id, version, target, run }: Entry): PreflightPage {
    if (target.kind === 'fault') return { Run: id, Version: version, State: 'done', Server: '', Fault: { Code: target.code, Text: target.text, Detail: target.detail }, Steps: [] }
    const shown = run?.findings.get('certificate')?.fix?.kind === 'trust-certificate' ? this.#deps.world.trust.list(target.server).shown : []
    return {
      Run: id, Version: version, State: run?.isDone === true ? 'done' : 'running', Server: target.server,
      ...(target.link ? { Link: this.#linkPage(target.link) } : {}),
      Steps: (run?.steps ?? []).map((step) => stepPage(step, run)),
      ...(shown.length === 0 ? {} : { Shown: shown.map(certificatePage) }),
    }
  }

  #linkPage(link: JoinLink): JoinLinkPage {
    const same = this.#knownKeys().find((one) => one.fingerprint === link.fingerprint && one.server === link.server)
    const other = this.#knownKeys().some((one) => one.server === link.server)
    return {
      Server: link.server, Org: link.org, Contact: link.contact, SignIn: link.signIn, Pins: link.pins, Settings: link.settings, Until: new Date(link.untilMs).toISOString(),
      SignedBy: { Fingerprint: link.fingerprint, Known: same ? 'known' : other ? 'other-key' : 'new', ...(same ? { Since: new Date(same.atMs).toISOString() } : {}) },
    }
  }

  #knownKeys(): readonly JoinKey[] {
    this.#keys ??= this.#deps.store.load(FILE, parseKeys)?.value ?? []
    return this.#keys
  }

  #remember({ fingerprint, server, org }: JoinLink): void {
    const others = this.#knownKeys().filter((one) => one.fingerprint !== fingerprint || one.server !== server)
    const kept = this.#knownKeys().find((one) => one.fingerprint === fingerprint && one.server === server)
    this.#keys = [kept ?? { fingerprint, server, org, atMs: Math.floor(this.#deps.env.clock.wallMs()) }, ...others].slice(0, MAX_KEYS)
    this.#deps.store.save(FILE, `${JSON.stringify({ version: 1, keys: this.#keys })}\n`)
  }

  #local(): LocalFacts {
    const { model: { system }, ephemeral } = this.#deps
    return { vpns: otherVpns(system, []), range: rangeNetwork(system, []), keys: keysOf(this.#deps.model, ephemeral === true) }
  }
}

function keysOf({ closedWhy, plainWhy, isSealed }: Model, ephemeral: boolean): LocalFacts['keys'] {
  if (closedWhy !== undefined) return { kind: 'closed', why: closedWhy }
  if (ephemeral) return { kind: 'memory' }
  return isSealed ? { kind: 'sealed' } : { kind: 'file', why: plainWhy ?? 'it was asked for so' }
}

function stepPage(step: PreflightStepName, run: PreflightRun | undefined): PreflightStep {
  const found = run?.findings.get(step)
  if (!found) return { Step: step, State: 'waiting', Needed: false, Code: 'waiting', Args: {}, Text: '' }
  return { Step: step, State: found.state, Needed: found.needed, Code: found.code, Args: found.args, Text: found.text, ...(found.fix ? { Fix: { Kind: found.fix.kind, Text: found.fix.text } } : {}) }
}

function certificatePage({ subject, issuer, fingerprint, fromMs, toMs, isAuthority }: TrustedPem): NonNullable<PreflightPage['Shown']>[number] {
  return { Subject: printable(subject, 120), Issuer: printable(issuer, 120), Fingerprint: fingerprint, NotBefore: new Date(fromMs).toISOString(), NotAfter: new Date(toMs).toISOString(), IsAuthority: isAuthority }
}

function prefsOf({ server, settings: { routes, names, exitNode, shields } }: JoinLink): MaskedPrefs {
  const auto = exitNode === 'auto'
  const ip = exitNode === undefined || auto || exitNode === 'none' ? '' : exitNode
  return {
    ControlURL: server, ControlURLSet: true, WantRunning: true, WantRunningSet: true,
    ...(routes === undefined ? {} : { RouteAll: routes, RouteAllSet: true }),
    ...(names === undefined ? {} : { CorpDNS: names, CorpDNSSet: true }),
    ...(shields === undefined ? {} : { ShieldsUp: shields, ShieldsUpSet: true }),
    ...(exitNode === undefined ? {} : { AutoExitNode: auto ? 'any' : '', AutoExitNodeSet: true, ExitNodeIP: ip, ExitNodeIPSet: true, ExitNodeID: '', ExitNodeIDSet: true }),
  }
}

function parseKeys(text: string): readonly JoinKey[] | undefined {
  const { version, keys } = JSON.parse(text) as { version?: unknown; keys?: unknown }
  if (version !== 1 || !Array.isArray(keys)) return undefined
  const isKey = (one: unknown): one is JoinKey => {
    const { fingerprint, server, org, atMs } = (one ?? {}) as Record<string, unknown>
    return typeof fingerprint === 'string' && typeof server === 'string' && typeof org === 'string' && typeof atMs === 'number'
  }
  return keys.every(isKey) ? keys.slice(0, MAX_KEYS) : undefined
}
