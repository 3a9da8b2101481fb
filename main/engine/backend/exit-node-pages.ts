/**
 * What people see of exit nodes and do about them: the page with its readers, and the actions that come from it. An action is
 * refused whole, in words for a person, and never leaves less protected than before: a device that cannot be an exit node is
 * not chosen.
 */
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { canonicalIp } from '../base/ip.ts'
import { exitFault } from '../core/plan/egress.ts'
import { addressesOf, magicDnsSuffix, shortName } from '../core/plan/names.ts'
import { isCalled } from '../core/netmap/find-node.ts'
import type { NetMap } from '../core/netmap/types.ts'
import type { Node } from '../core/tailcfg/types.ts'
import type { ExitNodeAction, ExitNodeRow, ExitNodesPage } from '../../localapi/exit-nodes.ts'
import type { Extras } from '../../localapi/extras.ts'
import type { MaskedPrefs } from '../../localapi/types.ts'
import { egressNow, wantsExitNode } from './egress-now.ts'
import type { ExitNodeFlow } from './exit-nodes.ts'
import type { ExitProofs } from './exit-proofs.ts'
import { exitNodesPage } from './exit-nodes-page.ts'
import { serverNowMs } from './map-flow.ts'
import type { Model } from './model.ts'
import { PageReaders } from './page-readers.ts'
import type { PathViews } from './path-views.ts'

const PAUSE_SEC = 600
const MAX_PAUSE_SEC = 8 * 3600
const MAX_READERS = 32
const SETTLE_MS = 50
const FAILURES: readonly unknown[] = ['block', 'next', 'direct']

export interface ExitNodePagesDeps {
  readonly env: Env
  readonly model: Model
  readonly flow: ExitNodeFlow
  readonly proofs: ExitProofs
  readonly pathViews: PathViews
  /** This device as an exit node for others. */
  readonly offer: () => ExitNodesPage['Offer']
  readonly editPrefs: (mask: MaskedPrefs) => unknown
  readonly editExtras: (change: Partial<Extras>) => unknown
}

export class ExitNodePages {
  readonly #deps: ExitNodePagesDeps
  readonly #readers: PageReaders<ExitNodesPage>
  #version: number
  #shown = ''
  #cancelTell: (() => void) | undefined

  constructor(deps: ExitNodePagesDeps) {
    this.#deps = deps
    this.#version = Math.floor(deps.env.clock.wallMs())
    this.#readers = new PageReaders(deps.env.clock, MAX_READERS, () => this.#page())
    deps.flow.onChange(() => {
      deps.proofs.handleEgress(egressNow(deps.model))
      this.refresh()
    })
    deps.proofs.onChange(() => this.refresh())
  }

  /** Something that the page shows may have changed; what comes of it within a moment is told at once. */
  refresh(): void {
    if (this.#readers.isEmpty) return
    this.#cancelTell ??= this.#deps.env.clock.after(SETTLE_MS, () => {
      this.#cancelTell = undefined
      // Another answer may have shown the change already.
      this.#isNews()
      this.#readers.tell(this.#version)
    })
  }

  /** The page at once when its version is not `after`, else when it changes or after 30 s. Somebody looks: rows are kept fresh for a while. */
  next(after: number | undefined): { readonly page: Promise<ExitNodesPage>; readonly cancel: () => void } {
    this.#deps.flow.look()
    this.#isNews()
    if (after === undefined || after !== this.#version) return { page: Promise.resolve(this.#page()), cancel: () => {} }
    return this.#readers.wait(after)
  }

  /** Devices that could be one, with what is known against each. */
  rows(): readonly ExitNodeRow[] {
    return this.#body().Nodes
  }

  /** Does what a person asks and answers the page after it. Throws EngineError('bad-argument' | 'not-found' | 'bad-prefs'). */
  act(body: unknown): ExitNodesPage {
    const action = readAction(body)
    const { flow, proofs, editPrefs, model } = this.#deps
    switch (action.Do) {
      case 'use':
        this.#use(action)
        break
      case 'clear':
        editPrefs({ ExitNodeID: '', ExitNodeIDSet: true, ExitNodeIP: '', ExitNodeIPSet: true, AutoExitNode: '', AutoExitNodeSet: true })
        break
      case 'pause':
        if (!wantsExitNode(model.saved.prefs)) throw new EngineError('not-found', 'No exit node is chosen, so there is nothing to pause.')
        flow.pause((action.Seconds ?? PAUSE_SEC) * 1000, 'paused by you, for this network')
        break
      case 'resume':
        flow.resume('asked by a person')
        break
      case 'check':
        flow.measureAll()
        proofs.check()
    }
    this.#isNews()
    return this.#page()
  }

  /** Lets every reader go. */
  stop(): void {
    this.#cancelTell?.()
    this.#readers.stop()
  }

  #use({ Node: text, AllowLAN, Failure }: Extract<ExitNodeAction, { Do: 'use' }>): void {
    const { model, env, editPrefs, editExtras } = this.#deps
    const lan: MaskedPrefs = AllowLAN === undefined ? {} : { ExitNodeAllowLANAccess: AllowLAN, ExitNodeAllowLANAccessSet: true }
    const isAuto = text === 'auto' || text === 'auto:any'
    const id = isAuto ? '' : idOf(text, model.netMap, (node) => exitFault(node, serverNowMs(env.clock, model)))
    if (Failure !== undefined) editExtras({ ExitNodeFailure: Failure })
    editPrefs({ ...lan, ExitNodeID: id, ExitNodeIDSet: true, ExitNodeIP: '', ExitNodeIPSet: true, AutoExitNode: isAuto ? 'any' : '', AutoExitNodeSet: true })
  }

  /** Whether the page says something else than last time; then its version is the next. */
  #isNews(): boolean {
    const shown = JSON.stringify(this.#body())
    if (shown === this.#shown) return false
    this.#shown = shown
    this.#version++
    return true
  }

  #page(): ExitNodesPage {
    return { Version: this.#version, ...this.#body() }
  }

  #body(): Omit<ExitNodesPage, 'Version'> {
    const { env, model, flow, pathViews, proofs, offer } = this.#deps
    return exitNodesPage({
      model,
      egress: egressNow(model),
      sinceWallMs: flow.sinceWallMs,
      nowMs: serverNowMs(env.clock, model),
      ranked: flow.machine.ranked(),
      isDead: (id) => flow.machine.lifeOf(id).isDead,
      paths: (nodes) => pathViews.rowsOf(nodes),
      proofs: proofs.all(),
      offer: offer(),
    })
  }
}

/** The stable ID of the device that a person means: by ID, address, full or short name. Throws when it cannot be an exit node. */
function idOf(text: string, netMap: NetMap | undefined, faultOf: (node: Node) => string | undefined): string {
  if (!netMap) throw new EngineError('not-found', 'The list of devices is not there yet. Connect first, or give the device with: bowline set --exit-node=ADDRESS')
  const suffix = magicDnsSuffix(netMap.self)
  const ip = canonicalIp(text)
  const means = (node: Node): boolean => node.StableID === text || (ip !== undefined && addressesOf(node).includes(ip)) || isCalled(node, text, suffix)
  if (means(netMap.self)) throw new EngineError('bad-prefs', 'This device cannot be its own exit node. Choose another device.')
  const found = [...netMap.peers.values()].filter(means)
  const quoted = JSON.stringify(text.slice(0, 80))
  if (found.length === 0) throw new EngineError('not-found', `No device of this network is called ${quoted} or has that address. See: bowline exit-node list`)
  if (found.length > 1) throw new EngineError('bad-prefs', `Several devices are called ${quoted}. Give the address.`)
  const fault = faultOf(found[0]!)
  if (fault !== undefined) throw new EngineError('bad-prefs', `${shortName(found[0]!, suffix)} cannot be used: it ${fault}.`)
  return found[0]!.StableID
}

function readAction(body: unknown): ExitNodeAction {
  const { Do, Node: node, AllowLAN, Failure, Seconds } = (typeof body === 'object' && body !== null && !Array.isArray(body) ? body : {}) as Readonly<Record<string, unknown>>
  if (Do === 'use') {
    if (typeof node !== 'string' || node === '') throw new EngineError('bad-argument', 'Name a device: its name, its address, or auto.')
    if (AllowLAN !== undefined && typeof AllowLAN !== 'boolean') throw new EngineError('bad-argument', 'AllowLAN is true or false.')
    if (Failure !== undefined && !FAILURES.includes(Failure)) throw new EngineError('bad-argument', 'Failure is one of block, next, direct.')
    return { Do, Node: node, ...(AllowLAN === undefined ? {} : { AllowLAN }), ...(Failure === undefined ? {} : { Failure: Failure as 'block' }) }
  }
  if (Do === 'pause') {
    const isTime = Seconds === undefined || (typeof Seconds === 'number' && Seconds >= 1 && Seconds <= MAX_PAUSE_SEC)
    if (!isTime) throw new EngineError('bad-argument', `A pause lasts from one second to ${MAX_PAUSE_SEC / 3600} hours (Seconds: 1 to ${MAX_PAUSE_SEC}).`)
    return { Do, ...(Seconds === undefined ? {} : { Seconds: Seconds as number }) }
  }
  if (Do === 'clear' || Do === 'resume' || Do === 'check') return { Do }
  throw new EngineError('bad-argument', 'Do is one of use, clear, pause, resume, check.')
}
