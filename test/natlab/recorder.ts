/**
 * Every packet that leaves a namespace by a device, as tcpdump saw it, told apart by content: what the tunnel itself sends
 * (WireGuard, disco, STUN; TCP to server and relays), what a host says to its link (ARP, neighbours, multicast groups), and
 * the rest. Needs tcpdump. A mark is a raw frame, which no route and no firewall of the kernel sees: what left before it has
 * been recorded.
 *
 *   capture file   24 bytes of head, then records: seconds u32, fraction u32, length u32, length on the wire u32, bytes
 */
import { existsSync, readFileSync } from 'node:fs'
import { canonicalIp } from '../../main/engine/base/ip.ts'
import { Child, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { program } from './programs.ts'

export interface Packet {
  readonly proto: 'tcp' | 'udp' | 'icmp' | 'refusal' | 'link' | 'mark' | 'other'
  readonly from: string
  readonly to: string
  readonly fromPort: number
  readonly toPort: number
  /** Of UDP and of marks: the first bytes. */
  readonly payload: Buffer
  /** Wall clock, and the whole packet's length. */
  readonly atMs: number
  readonly bytes: number
  /** Of TCP: a connection that is only closed or acknowledged carries nothing. */
  readonly isEmpty: boolean
}

/** EtherType of marks. */
const MARK = 0x88b5

const WIREGUARD_TYPES = [1, 2, 3, 4]
const DISCO = Buffer.from('TS💬')
const SYN = 2
const STUN_COOKIE = 0x2112a442

export class Recorder {
  readonly #file: string
  readonly #prefix: readonly string[]
  readonly #device: string
  readonly #child: Child
  #marks = 0

  /** Records what leaves by `device` where `prefix` runs commands. */
  constructor(file: string, prefix: readonly string[], device = 'eth0') {
    this.#file = file
    this.#prefix = prefix
    this.#device = device
    const args = ['-i', device, '-Q', 'out', '-n', '-U', '--immediate-mode', '-s', '128', '-Z', 'root', '-w', file]
    this.#child = new Child({ name: 'tcpdump', command: 'tcpdump', args, prefix })
  }

  async start(): Promise<void> {
    await waitFor('tcpdump to listen', () => {
      this.#child.assertRunning()
      return this.#child.log.includes('listening on') && existsSync(this.#file)
    }, { withinMs: 30_000 })
  }

  /** A place in the record: everything that left up to now is before it. Answers how many packets that are. */
  async mark(): Promise<number> {
    const word = `mark ${++this.#marks}.`
    const traffic = await program('natlab-traffic')
    return waitFor('the mark to be recorded', async () => {
      await runOk(traffic, ['frame', this.#device, word], { prefix: this.#prefix })
      const at = this.#read().findLastIndex((packet) => packet.proto === 'mark' && packet.payload.toString('latin1').startsWith(word))
      return at < 0 ? undefined : at + 1
    }, { withinMs: 30_000 })
  }

  /** What left after a mark up to now, marks left out. */
  async since(mark: number): Promise<Packet[]> {
    const end = await this.mark()
    return this.#read().slice(mark, end).filter(({ proto }) => proto !== 'mark')
  }

  async stop(): Promise<void> {
    await this.#child.stop()
  }

  #read(): Packet[] {
    const bytes = readFileSync(this.#file)
    const packets: Packet[] = []
    for (let at = 24; at + 16 <= bytes.length; ) {
      const length = bytes.readUInt32LE(at + 8)
      if (at + 16 + length > bytes.length) break
      const atMs = bytes.readUInt32LE(at) * 1000 + bytes.readUInt32LE(at + 4) / 1000
      packets.push({ ...packetOf(bytes.subarray(at + 16, at + 16 + length)), atMs, bytes: bytes.readUInt32LE(at + 12) })
      at += 16 + length
    }
    return packets
  }
}

/** What the tunnel's own socket sends: WireGuard, disco or STUN. */
export function isTunnelled({ proto, payload }: Packet): boolean {
  if (proto !== 'udp' || payload.length < 8) return false
  const isWireguard = WIREGUARD_TYPES.includes(payload.readUInt32LE(0))
  return isWireguard || payload.subarray(0, DISCO.length).equals(DISCO) || payload.readUInt32BE(4) === STUN_COOKIE
}

/** A packet in one line, for people. */
export function words({ proto, from, fromPort, to, toPort }: Packet): string {
  return `${proto} ${from}${fromPort > 0 ? ` port ${fromPort}` : ''} → ${to}${toPort > 0 ? ` port ${toPort}` : ''}`
}

type Content = Omit<Packet, 'atMs' | 'bytes'>

const NOTHING: Content = { proto: 'other', from: '', to: '', fromPort: 0, toPort: 0, payload: Buffer.alloc(0), isEmpty: false }

/** The packet in an Ethernet frame. */
function packetOf(frame: Buffer): Content {
  const kind = frame.readUInt16BE(12)
  const ip = frame.subarray(14)
  const headBytes = ((ip[0] ?? 0) & 15) * 4
  if (kind === MARK) return { ...NOTHING, proto: 'mark', payload: ip }
  if (kind === 0x0806) return { ...NOTHING, proto: 'link' }
  if (kind === 0x0800) return transport(ip[9] ?? 0, text4(ip, 12), text4(ip, 16), ip.subarray(headBytes), ip.readUInt16BE(2) - headBytes)
  if (kind !== 0x86dd) return NOTHING
  // Hop-by-hop options come before the multicast reports of hosts alone.
  const hasOptions = ip[6] === 0
  return transport(hasOptions ? ip[40] ?? 0 : ip[6] ?? 0, text6(ip, 8), text6(ip, 24), ip.subarray(hasOptions ? 40 + ((ip[41] ?? 0) + 1) * 8 : 40), ip.readUInt16BE(4))
}

/** `length`: of the transport's header and what it carries, as sent. */
function transport(number: number, from: string, to: string, body: Buffer, length: number): Content {
  const base = { ...NOTHING, from, to }
  if (number === 2) return { ...base, proto: 'link' }
  if (number === 58 && [133, 134, 135, 136, 143].includes(body[0] ?? 0)) return { ...base, proto: 'link' }
  // The kernel's "nobody is here" for what came in: a host without a daemon says it to the tunnel's packets.
  if ((number === 1 && body[0] === 3) || (number === 58 && body[0] === 1)) return { ...base, proto: 'refusal' }
  if (number === 1 || number === 58) return { ...base, proto: 'icmp' }
  if ((number !== 6 && number !== 17) || body.length < 8) return base
  const isEmpty = number === 6 && length === ((body[12] ?? 0) >> 4) * 4 && ((body[13] ?? 0) & SYN) === 0
  return { ...base, isEmpty, proto: number === 6 ? 'tcp' : 'udp', fromPort: body.readUInt16BE(0), toPort: body.readUInt16BE(2), payload: number === 17 ? body.subarray(8) : base.payload }
}

function text4(bytes: Buffer, at: number): string {
  return bytes.subarray(at, at + 4).join('.')
}

function text6(bytes: Buffer, at: number): string {
  return canonicalIp(Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(at + i * 2).toString(16)).join(':')) ?? ''
}
