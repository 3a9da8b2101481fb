/**
 * A router in memory for the port mapping machine: it answers NAT-PMP and PCP as told, in virtual time, and keeps what was said.
 */
import { readU16, readU32, toHex, writeU16, writeU32 } from '../../../../main/engine/base/bytes.ts'
import { mapped, parseIp } from '../../../../main/engine/base/ip.ts'
import { Mapper } from '../../../../main/engine/core/portmap/mapper.ts'
import type { PortMapEvent, PortMapOutput, PortMapTarget, UpnpAnswer, UpnpPlace } from '../../../../main/engine/core/portmap/types.ts'

export const TARGET: PortMapTarget = { gateway: '192.168.1.1', selfIp: '192.168.1.20', port: 41641, allowed: ['pmp', 'pcp', 'upnp'] }
export const NONCE = new Uint8Array(12).fill(7)
export const PLACE: UpnpPlace = { port: 5000, path: '/rootDesc.xml' }
export const CONTROL = { port: 5000, path: '/ctl', type: 'urn:schemas-upnp-org:service:WANIPConnection:2' }

export interface RouterSettings {
  pmp: boolean
  pcp: boolean
  places: readonly UpnpPlace[]
  /** Of a request for a port. */
  result: number
  externalIp: string
  /** undefined = as asked. */
  externalPort: number | undefined
  lifetimeSec: number
  upnp: UpnpAnswer
  delayMs: number
  /** When it started, in the rig's time. */
  startedMs: number
}

/** The machine beside such a router. */
export class RouterRig {
  readonly machine = new Mapper(NONCE)
  readonly events: PortMapEvent[] = []
  readonly sent: PortMapOutput[] = []
  readonly router: RouterSettings = {
    pmp: true, pcp: true, places: [], result: 0, externalIp: '11.0.0.5', externalPort: undefined, lifetimeSec: 7200, delayMs: 5, startedMs: -1_000_000,
    upnp: { kind: 'mapped', control: CONTROL, external: { ip: '11.0.0.5', port: 41641 }, lifetimeSec: 7200 },
  }
  nowMs = 0
  #due: { atMs: number; run: () => void }[] = []

  /** Does something with the machine, then carries out what it wants. */
  act(call: (machine: Mapper, nowMs: number) => void): this {
    call(this.machine, this.nowMs)
    this.#drain()
    return this
  }

  /** Wants a mapping of the router in TARGET. */
  want(target: PortMapTarget = TARGET): this {
    return this.act((machine, nowMs) => {
      machine.handleTarget(nowMs, target, 'a test')
      machine.handleWanted(nowMs, 'a test')
    })
  }

  /** Lets time pass; timers and answers run in their order. */
  pass(ms: number): this {
    const endMs = this.nowMs + ms
    for (;;) {
      const timer = this.machine.nextTimeout()
      const answer = this.#due.reduce<{ atMs: number; run: () => void } | undefined>((a, b) => (a && a.atMs <= b.atMs ? a : b), undefined)
      const atMs = Math.min(timer?.atMs ?? Number.POSITIVE_INFINITY, answer?.atMs ?? Number.POSITIVE_INFINITY)
      if (atMs > endMs) break
      this.nowMs = Math.max(this.nowMs, atMs)
      if (answer && answer.atMs <= atMs) {
        this.#due = this.#due.filter((one) => one !== answer)
        answer.run()
      } else this.machine.handleTimeout(this.nowMs)
      this.#drain()
    }
    this.nowMs = endMs
    return this
  }

  get external(): string | undefined {
    const { mapping } = this.machine
    return mapping && `${mapping.external.ip}:${mapping.external.port}`
  }

  /** What was sent since the last call, in short words. */
  takeSent(): string[] {
    return this.sent.splice(0).map((output) => (output.kind === 'send' ? wordsOf(output.bytes) : output.kind))
  }

  #drain(): void {
    this.events.push(...this.machine.takeEvents())
    for (const output of this.machine.takeOutput()) {
      this.sent.push(output)
      this.#answer(output)
    }
  }

  #later(run: () => void, delayMs = this.router.delayMs): void {
    this.#due.push({ atMs: this.nowMs + delayMs, run })
  }

  #answer(output: PortMapOutput): void {
    if (output.kind === 'search') {
      this.#later(() => this.machine.handleSearched(this.nowMs, output.askId, this.router.places, this.router.places.length === 0), this.router.places.length === 0 ? 1200 : this.router.delayMs)
      if (this.router.places.length > 0) this.#later(() => this.machine.handleSearched(this.nowMs, output.askId, this.router.places, true), 1200)
    }
    if (output.kind === 'upnp-map') this.#later(() => this.machine.handleUpnp(this.nowMs, output, this.router.upnp))
    if (output.kind !== 'send') return
    const bytes = this.reply(output.bytes)
    if (bytes) this.#later(() => this.machine.handleDatagram(this.nowMs, bytes))
  }

  /** The router's answer to a datagram. */
  reply(ask: Uint8Array): Uint8Array | undefined {
    const { router } = this
    const epochSec = Math.floor((this.nowMs - router.startedMs) / 1000)
    if (ask[0] === 0 ? !router.pmp : !router.pcp) return undefined
    if (ask[0] === 0 && ask[1] === 0) return pmpAddress(router.externalIp, epochSec)
    if (ask[0] === 0) {
      const lifetime = readU32(ask, 8) === 0 ? 0 : router.lifetimeSec
      return pmpMapped(readU16(ask, 4), lifetime === 0 ? 0 : (router.externalPort ?? readU16(ask, 6)), lifetime, epochSec, router.result)
    }
    const out = new Uint8Array(ask.length)
    out.set(ask)
    out[1] = ask[1]! | 128
    out[3] = ask[1] === 0 ? 0 : router.result
    writeU32(out, 8, epochSec)
    out.fill(0, 12, 24)
    if (ask[1] === 0) return out
    writeU32(out, 4, readU32(ask, 4) === 0 ? 0 : router.lifetimeSec)
    if (router.externalPort !== undefined) writeU16(out, 42, router.externalPort)
    out.set(mapped(parseIp(router.externalIp)!), 44)
    return out
  }
}

export function pmpAddress(ip: string, epochSec: number, result = 0): Uint8Array {
  const out = new Uint8Array(12)
  out[1] = 128
  writeU16(out, 2, result)
  writeU32(out, 4, epochSec)
  out.set(parseIp(ip)!, 8)
  return out
}

export function pmpMapped(internalPort: number, externalPort: number, lifetimeSec: number, epochSec: number, result = 0): Uint8Array {
  const out = new Uint8Array(16)
  out[1] = 129
  writeU16(out, 2, result)
  writeU32(out, 4, epochSec)
  writeU16(out, 8, internalPort)
  writeU16(out, 10, externalPort)
  writeU32(out, 12, lifetimeSec)
  return out
}

function wordsOf(bytes: Uint8Array): string {
  if (bytes[0] === 0) return bytes[1] === 0 ? 'pmp address' : `pmp map ${readU16(bytes, 4)} as ${readU16(bytes, 6)} for ${readU32(bytes, 8)}`
  if (bytes[0] === 2) return bytes[1] === 0 ? 'pcp announce' : `pcp map ${readU16(bytes, 40)} as ${readU16(bytes, 42)} for ${readU32(bytes, 4)}`
  return toHex(bytes)
}
