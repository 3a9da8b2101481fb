/**
 * Port mapping: drives the machine that gets and keeps a UDP port of the router, with sockets, UPnP and a clock.
 *
 *   down   setPort, setLink, setAllowed, want          up   onMapping, onServices
 *
 * While a router is known one UDP socket to its port 5351 is open; it hears nobody else. UPnP is asked for in the background and
 * its answers come back to the machine with the number of the question, so late ones are known as such.
 */
import type { Env } from '../base/env.ts'
import { formatAddrPort } from '../base/ip.ts'
import { Mapper } from '../core/portmap/mapper.ts'
import { PCP_NONCE_BYTES } from '../core/portmap/pcp.ts'
import { PORT_MAP_SERVICES, type FoundServices, type PortMapEvent, type PortMapOutput, type PortMapService, type RouterLink } from '../core/portmap/types.ts'
import { startPump, type Pump } from '../base/pump.ts'
import type { PortMapFacts, RouterAccess, RouterSocket } from './ports.ts'
import { askUpnp, searchRouters, unmapUpnp } from './upnp.ts'

/** Where routers listen for NAT-PMP and PCP. */
const ROUTER_PORT = 5351

export interface PortMapDeps {
  readonly env: Env
  readonly access: RouterAccess
}

export interface PortMapModes {
  /** Why no router may be asked at all; undefined = one may. */
  readonly off: string | undefined
  readonly services: readonly PortMapService[]
}

const NO_ROUTER = 'there is no home router'

export class PortMap {
  readonly #env: Env
  readonly #access: RouterAccess
  readonly #machine: Mapper
  readonly #pump: Pump
  #facts: PortMapFacts | undefined
  #port = 0
  #link: RouterLink | undefined
  #modes: PortMapModes = { off: undefined, services: PORT_MAP_SERVICES }
  #socket: { readonly link: RouterLink; readonly socket: RouterSocket } | undefined
  #toldFound: FoundServices | undefined
  #endSearch: () => void = () => {}
  #unmapping = 0
  #onQuiet: (() => void) | undefined
  #probeWaiters: ((found: FoundServices | undefined) => void)[] = []

  constructor(deps: PortMapDeps) {
    this.#env = { ...deps.env, log: deps.env.log.part('portmap') }
    this.#access = deps.access
    this.#machine = new Mapper(deps.env.random.bytes(PCP_NONCE_BYTES))
    this.#pump = startPump(deps.env.clock, this.#machine, () => this.#flush())
  }

  start(facts: PortMapFacts): void {
    this.#facts = facts
  }

  /** The UDP port that peers should reach; 0 gives back what there is. */
  setPort(port: number): void {
    this.#port = port
    this.#retarget(port === 0 ? 'nobody is to reach this device' : 'the UDP port is another')
  }

  /** The router and our address towards it; undefined = none that could map ports. */
  setLink(link: RouterLink | undefined): void {
    this.#link = link
    this.#retarget(link === undefined ? NO_ROUTER : 'the network is another')
  }

  setModes(modes: PortMapModes): void {
    this.#modes = modes
    this.#retarget(modes.off ?? 'what may be asked is another')
  }

  /** Our address is being looked for. */
  want(why: string): void {
    this.#machine.handleWanted(this.#env.clock.nowMs(), why)
    this.#pump.kick()
  }

  /** What the router offers at this moment, asked once more unless that was moments ago; undefined = there is none to ask. */
  probe(why: string): Promise<FoundServices | undefined> {
    this.#machine.handleWanted(this.#env.clock.nowMs(), why, true)
    return new Promise((resolve) => {
      this.#probeWaiters.push(resolve)
      this.#pump.kick()
    })
  }

  /** What the router offers, as last asked; undefined = never asked. */
  services(): FoundServices | undefined {
    return this.#machine.found
  }

  /** Why there is a mapping or none, as the end of a sentence. */
  get why(): string {
    return this.#modes.off ?? (this.#link ? this.#machine.why : NO_ROUTER)
  }

  counters(): Record<string, number> {
    return { ...this.#machine.counters }
  }

  /** Gives the port back; resolves when the router took note, or within about a second. */
  async stop(): Promise<void> {
    this.#facts = undefined
    this.#endSearch()
    this.setPort(0)
    if (this.#isBusy()) await new Promise<void>((resolve) => (this.#onQuiet = resolve))
    this.#pump.stop()
    this.#socket?.socket.close()
    this.#socket = undefined
  }

  #retarget(why: string): void {
    const { off, services } = this.#modes
    const target = this.#port === 0 || !this.#link || off !== undefined ? undefined : { ...this.#link, port: this.#port, allowed: services }
    this.#machine.handleTarget(this.#env.clock.nowMs(), target, why)
    this.#pump.kick()
  }

  #isBusy(): boolean {
    return this.#machine.isReleasing || this.#unmapping > 0
  }

  #flush(): void {
    for (const output of this.#machine.takeOutput()) this.#carryOut(output)
    for (const event of this.#machine.takeEvents()) this.#tell(event)
    const { found } = this.#machine
    if (found && found !== this.#toldFound) this.#facts?.onServices(found)
    this.#toldFound = found
    if (!this.#machine.isProbing) for (const resolve of this.#probeWaiters.splice(0)) resolve(found)
    if (!this.#isBusy()) this.#onQuiet?.()
  }

  #carryOut(output: PortMapOutput): void {
    const { clock } = this.#env
    const then = (call: (nowMs: number) => void): void => {
      call(clock.nowMs())
      this.#pump.kick()
    }
    switch (output.kind) {
      case 'send':
        this.#socketTo(output.link).send(output.bytes)
        return
      case 'search':
        this.#endSearch()
        this.#endSearch = searchRouters(this.#env, this.#access, output.link, (places, isOver) => then((nowMs) => this.#machine.handleSearched(nowMs, output.askId, places, isOver)))
        return
      case 'upnp-map':
        void askUpnp(this.#env, this.#access, output).then((answer) => then((nowMs) => this.#machine.handleUpnp(nowMs, output, answer)))
        return
      case 'upnp-unmap':
        this.#unmapping++
        void unmapUpnp(this.#env, this.#access, output.link, output.control, output.externalPort).then(() => {
          this.#unmapping--
          this.#pump.kick()
          if (!this.#isBusy()) this.#onQuiet?.()
        })
    }
  }

  #socketTo(link: RouterLink): RouterSocket {
    const open = this.#socket
    if (open && open.link.gateway === link.gateway && open.link.selfIp === link.selfIp) return open.socket
    open?.socket.close()
    const socket = this.#access.openPort(link, ROUTER_PORT, (bytes) => {
      this.#machine.handleDatagram(this.#env.clock.nowMs(), bytes)
      this.#pump.kick()
    })
    this.#socket = { link, socket }
    return socket
  }

  #tell(event: PortMapEvent): void {
    this.#env.journal.add({ part: 'portmap', ...event })
    if (event.kind !== 'mapping') return
    const { mapping } = this.#machine
    this.#env.log.info(`port mapping → ${event.external ?? 'none'} (${event.why})`)
    this.#facts?.onMapping(mapping && formatAddrPort(mapping.external) === event.external ? mapping.external : undefined)
  }
}
