/**
 * What is possible between two sites at all: both sides try everything they can know of each other, again and again, on a
 * network of their own, and a path counts when a question and its answer both got through. No knowledge of the client's rules.
 */
import type { AddrPort } from '../../../main/engine/base/ip.ts'
import { formatAddrPort, parseAddrPort } from '../../../main/engine/base/ip.ts'
import { HandClock, seededRandom } from '../clock.ts'
import { Network } from './network.ts'
import type { Host, SiteKind } from './network.ts'

const MIRRORS = ['203.0.113.2', '203.0.113.3'] as const
const ROUNDS = 12
const ROUND_MS = 100

/** Whether a pair of sites has any two-way path over UDP. */
export function canBeDirect(a: SiteKind, b: SiteKind): boolean {
  const clock = new HandClock()
  const network = new Network(clock, seededRandom(7))
  for (const ip of MIRRORS) network.servers.set(ip, (from) => new TextEncoder().encode(`mirror ${formatAddrPort(from)}`))
  const [one, other] = [network.addHost('a', a, 41641), network.addHost('b', b, 41641)]
  const known = new Map<Host, Map<string, AddrPort>>([[one, new Map()], [other, new Map()]])
  let met = false
  for (const host of [one, other]) {
    const peer = host === one ? other : one
    const learn = (at: Host, addr: AddrPort): unknown => known.get(at)!.set(formatAddrPort(addr), addr)
    learn(peer, host.addr)
    host.receive = (from, bytes) => {
      const [word, value] = new TextDecoder().decode(bytes).split(' ')
      if (word === 'mirror') learn(peer, parseAddrPort(value!)!)
      if (word === 'answer') met = true
      if (word !== 'question') return
      learn(host, from)
      network.send(host, from, new TextEncoder().encode('answer'))
    }
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const host of [one, other]) {
      for (const ip of MIRRORS) network.send(host, { ip, port: 3478 }, new Uint8Array(1))
      for (const addr of known.get(host)!.values()) network.send(host, addr, new TextEncoder().encode('question'))
    }
    clock.advance(ROUND_MS)
  }
  return met
}
