/**
 * The proxies of this engine: where they listen, what their PAC file says, and the page about both.
 *
 * Without flags there is one listener for both languages, on this computer alone, at a port that is found once and kept,
 * so that what was set up for it goes on working. Another program that has that port is stepped around for this run.
 */
import type { Env } from '../base/env.ts'
import { EngineError } from '../base/errors.ts'
import { formatAddrPort, isLoopbackIp, TAILSCALE_RANGES } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import { pacText } from '../core/pac/pac.ts'
import { magicDnsSuffix, trimDot } from '../core/plan/names.ts'
import { localNetworks } from '../core/plan/system-facts.ts'
import type { ProxiesPage } from '../../localapi/forwards.ts'
import { egressNow } from './egress-now.ts'
import type { Model } from './model.ts'
import type { DataplanePort, StorePort } from './ports.ts'

const LOOPBACK = '127.0.0.1'
/** The port that people know from the stock daemon's manual, and its neighbours for further engines of this computer. */
const FIRST_PORTS: readonly number[] = [1055, 1056, 1057, 1058, 1059]

const WORDS = {
  Mode: 'Apps only: programs that use the proxies or a forward reach the network; everything else goes as without Bowline. No admin rights are needed.',
  Upgrade: 'For every program of this computer: bowline machine whole. It needs admin rights once: bowline service install.',
}

const WHOLE = {
  Mode: 'Whole computer: every program reaches the network. The proxies and forwards go on beside it.',
  Upgrade: 'Back to programs alone: bowline machine apps.',
}

export interface ProxyWishes {
  readonly socks5: AddrPort | undefined
  readonly http: AddrPort | undefined
  /** Nobody named or refused a proxy: one for both. */
  readonly isDefault: boolean
}

export class Proxies {
  readonly #deps: { env: Env; model: Model; dataplane: DataplanePort; store: StorePort }
  #socks5: AddrPort | undefined
  #http: AddrPort | undefined
  #why: string | undefined
  #pac: string | undefined
  #way: string | undefined
  /** Networks that this machine is on. */
  #near: readonly string[] = []
  #seen: readonly unknown[] = []

  constructor(deps: { env: Env; model: Model; dataplane: DataplanePort; store: StorePort }) {
    this.#deps = deps
  }

  /** Opens what is wished for; throws EngineError when a named one cannot be. */
  open({ socks5, http, isDefault }: ProxyWishes): { readonly socks5: AddrPort | undefined; readonly http: AddrPort | undefined } {
    const { dataplane, env } = this.#deps
    const isOne = socks5 && http && socks5.port !== 0 && formatAddrPort(socks5) === formatAddrPort(http)
    if (isDefault) this.#socks5 = this.#http = this.#openKept()
    else if (isOne) this.#socks5 = this.#http = dataplane.listenProxy('both', socks5)
    else {
      this.#socks5 = socks5 && dataplane.listenProxy('socks5', socks5)
      this.#http = http && dataplane.listenProxy('http', http)
    }
    for (const [kind, at] of [['socks5', this.#socks5], ['http', this.#http]] as const) {
      if (at && !isLoopbackIp(at.ip)) env.log.warn(`the ${kind} proxy listens beyond this computer: whoever reaches it gets into the network`, { at: formatAddrPort(at) })
    }
    this.#tellPac()
    return { socks5: this.#socks5, http: this.#http }
  }

  /**
   * Takes in what the network is now. Another way to the internet than before ends what was let past the tunnel, and what
   * was decided for datagrams.
   */
  sync(): void {
    const { model, dataplane } = this.#deps
    const { plan, netMap, saved, system, life } = model
    const seen = [plan, netMap, saved.prefs, system, life]
    if (seen.every((one, i) => one === this.#seen[i])) return
    this.#seen = seen
    const egress = egressNow(model)
    const way = `${egress.kind} ${egress.kind === 'direct' ? '' : egress.id} ${saved.prefs.ExitNodeAllowLANAccess}`
    const near = localNetworks(system).map(({ prefix }) => prefix)
    // What went past an exit node to a network that this machine has left may belong to anybody by now.
    const isLeft = egress.kind !== 'direct' && this.#near.some((prefix) => !near.includes(prefix))
    if (isLeft || (this.#way !== undefined && way !== this.#way)) dataplane.forgetDecisions()
    this.#way = way
    this.#near = near
    this.#tellPac()
  }

  #tellPac(): void {
    const pac = this.#http && this.#text(this.#http)
    if (pac === this.#pac) return
    this.#pac = pac
    this.#deps.dataplane.setPac(pac)
    this.#deps.env.journal.add({ part: 'proxy', kind: 'pac', why: 'the network, its routes or the exit node changed' })
  }

  /** Where they listen, each port once. */
  ports(): readonly number[] {
    return [...new Set([this.#socks5, this.#http].flatMap((at) => at?.port ?? []))]
  }

  /** `isWhole`: the whole computer is on the network. */
  page(isWhole = false): ProxiesPage {
    return {
      Mode: isWhole ? 'whole-computer' : 'apps',
      Words: isWhole ? WHOLE : WORDS,
      ...(this.#socks5 ? { Socks5: formatAddrPort(this.#socks5) } : {}),
      ...(this.#http ? { Http: formatAddrPort(this.#http), PacUrl: `http://${formatAddrPort(this.#http)}/proxy.pac` } : {}),
      ...(this.#why === undefined ? {} : { Why: this.#why }),
    }
  }

  /** On the port of last time, else on the first one that is free; undefined when there is none, which ends nothing. */
  #openKept(): AddrPort | undefined {
    const { store, env } = this.#deps
    const kept = store.load('proxies', parsePort)?.value
    for (const port of [...(kept === undefined ? [] : [kept]), ...FIRST_PORTS, 0]) {
      const at = this.#tryListen(port)
      if (!at) continue
      if (kept === undefined) store.saveLater('proxies', () => JSON.stringify({ port: at.port }))
      else if (at.port !== kept) this.#why = `Port ${kept}, where the proxies were before, is in use by another program. They are back there when it is free and Bowline starts again.`
      env.journal.add({ part: 'proxy', kind: 'listening', why: this.#why ?? (kept === undefined ? 'the first free port, kept from now on' : 'the port of last time'), port: at.port })
      if (this.#why !== undefined) env.log.warn(this.#why)
      return at
    }
    this.#why = 'No port of this computer could be had for the proxies.'
    env.journal.add({ part: 'proxy', kind: 'not-listening', why: this.#why })
    return undefined
  }

  #tryListen(port: number): AddrPort | undefined {
    try {
      return this.#deps.dataplane.listenProxy('both', { ip: LOOPBACK, port })
    } catch (error) {
      if (error instanceof EngineError) return undefined
      throw error
    }
  }

  #text(http: AddrPort): string {
    const { netMap, plan, saved, system } = this.#deps.model
    const routes = plan.dataplane.peers.flatMap((peer) => peer.routes).filter((prefix) => !/\/(0|32|128)$/.test(prefix))
    const records = (netMap?.dns.ExtraRecords ?? []).map((record) => record.Name)
    return pacText({
      http, socks5: this.#socks5,
      domains: netMap ? [magicDnsSuffix(netMap.self), ...Object.keys(netMap.dns.Routes ?? {}), ...records].map(trimDot) : [],
      networks: [...TAILSCALE_RANGES, ...routes],
      everything: egressNow(this.#deps.model).kind !== 'direct',
      direct: saved.prefs.ExitNodeAllowLANAccess ? localNetworks(system).map(({ prefix }) => prefix) : [],
    })
  }
}

function parsePort(text: string): number | undefined {
  const { port } = JSON.parse(text) as { port?: unknown }
  return typeof port === 'number' && Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}
