/**
 * The reason for a path, rule by rule: what evidence each needs, which goes before which, and that no evidence at all makes
 * it say what it does not know.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalIp, parsePrefix } from '../../../../../main/engine/base/ip.ts'
import type { MachineEvidence, OwnReport, OwnSide, PathEvidence, PeerSide } from '../../../../../main/engine/core/path/reason/evidence.ts'
import { explainPath } from '../../../../../main/engine/core/path/reason/explain.ts'
import type { CandidateView } from '../../../../../main/engine/core/path/types.ts'
import { RULES } from '../../../../../main/engine/core/path/reason/rules.ts'

const RELAY = { kind: 'relay', region: 1 } as const
const DIRECT = { kind: 'direct', addr: { ip: '203.0.113.7', port: 41641 } } as const
const PEER_RELAY = { kind: 'peer-relay', addr: { ip: '203.0.113.9', port: 40000 }, vni: 5 } as const

function candidate(ip: string, more: Partial<CandidateView> = {}): CandidateView {
  return { addr: { ip, port: 41641 }, sources: ['map'], lastPingAgoMs: 900, lastPongAgoMs: undefined, pingedUsAgoMs: undefined, latencyMs: undefined, unanswered: 9, isBest: false, carries: 'unknown', ...more }
}

/** Four addresses tried for long, all silent. */
const SILENT = ['203.0.113.7', '198.51.100.3', '192.168.7.2', '2001:db8::7'].map((ip) => candidate(ip))

function machine(more: Partial<MachineEvidence> = {}): MachineEvidence {
  return { path: RELAY, noDirect: undefined, latencyMs: undefined, candidates: SILENT, answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false, ...more }
}

const report = (more: Partial<OwnReport> = {}): OwnReport => ({
  udp: true, ipv4: true, ipv6: true, ipv4CanSend: true, ipv6CanSend: true, osHasIpv6: true, mappingVariesByDestIp: false, captivePortal: undefined, upnp: undefined, pmp: undefined, pcp: undefined, globalV4: { ip: '192.0.2.1', port: 5 }, ...more,
})
const own = (more: Partial<OwnSide> = {}, seen: Partial<OwnReport> = {}): OwnSide => ({ report: report(seen), networks: [parsePrefix('192.168.1.0/24')!], relay: { isInMap: true, isConnected: true }, ...more })
const peer = (more: Partial<PeerSide> = {}): PeerSide => ({
  online: true, heardSince: false, netInfo: { WorkingUDP: true, MappingVariesByDestIP: false }, endpoints: SILENT.map((one) => one.addr), ...more,
})
const evidence = (m: Partial<MachineEvidence> = {}, p: Partial<PeerSide> = {}, o: Partial<OwnSide> = {}, r: Partial<OwnReport> = {}): PathEvidence => ({ machine: machine(m), peer: peer(p), own: own(o, r) })

const HARD = { netInfo: { WorkingUDP: true, MappingVariesByDestIP: true } }
const AT_REST: Partial<MachineEvidence> = { isActive: false, candidates: SILENT.map((one) => ({ ...one, unanswered: 0, lastPingAgoMs: undefined })) }

const TABLE: readonly (readonly [rule: string, sentence: string, evidence: PathEvidence])[] = [
  ['direct', 'direct: answered in 12 ms over the internet', evidence({ path: DIRECT, latencyMs: 12 })],
  ['direct', 'direct: answered in 12 ms over the internet (IPv6)', evidence({ path: { kind: 'direct', addr: { ip: '2001:db8::7', port: 1 } }, latencyMs: 12.4 })],
  ['direct', 'direct: answered in 0.6 ms on the local network', evidence({ path: { kind: 'direct', addr: { ip: '192.168.1.7', port: 1 } }, latencyMs: 0.61 })],
  ['direct', 'direct: answered in 1.2 s on this machine', evidence({ path: { kind: 'direct', addr: { ip: '127.0.0.1', port: 1 } }, latencyMs: 1200 })],
  ['direct', 'direct: it answers over the internet', { machine: machine({ path: DIRECT }) }],
  ['narrow-direct', 'direct: narrow path, full-size packets do not get through, and there is no relay to take them', evidence({ path: DIRECT, candidates: [candidate('203.0.113.7', { isBest: true, carries: 'small' })] })],
  ['fixed-address', 'direct: it speaks WireGuard alone, at the address that the server names', evidence({ path: DIRECT, noDirect: 'fixed' })],
  ['unproven', 'both ways: no reply to 2 pings on the direct path', evidence({ path: { ...DIRECT, kind: 'both', region: 1 }, misses: 2 })],
  ['unproven', 'both ways: the direct path is not proven at present', evidence({ path: { ...DIRECT, kind: 'both', region: 1 } })],
  ['unproven', 'both ways: the direct path answers, and is being tried with full-size packets', evidence({ path: { ...DIRECT, kind: 'both', region: 1 }, answered: 1, candidates: [candidate('203.0.113.7', { isBest: true })] })],
  ['unproven', 'both ways: the direct path has rested and is not proven again yet', evidence({ path: { ...DIRECT, kind: 'both', region: 1 }, isActive: false })],
  ['unproven', 'both ways: no reply to 1 ping on the way through peer relay nas', evidence({ path: { ...PEER_RELAY, kind: 'both', region: 1 }, misses: 1 }, { relayDevice: 'nas' })],
  ['offline-at-rest', 'not tried: it is offline, as the server says', evidence({ path: { ...DIRECT, kind: 'both', region: 1 }, isActive: false }, { online: false })],
  ['not-connected', 'unknown: this device is not connected', evidence({ path: { kind: 'none' }, noDirect: 'not-connected' })],
  ['expired', 'no path: its sign-in has ended', evidence({ path: { kind: 'none' }, noDirect: 'expired' })],
  ['unreachable', 'no path: it has neither a relay nor a key for direct paths, so it cannot be reached', evidence({ path: { kind: 'none' }, noDirect: 'unreachable' })],
  ['switched-off', 'relayed: direct paths are switched off here', evidence({ noDirect: 'switched-off' })],
  ['switched-off', 'through peer relay nas: answered in 21 ms; direct paths are switched off here', evidence({ path: PEER_RELAY, latencyMs: 21, noDirect: 'switched-off' }, { relayDevice: 'nas' })],
  ['relay-not-in-map', 'no path: its relay is none of the relays that this network has', evidence({}, {}, { relay: { isInMap: false, isConnected: false } })],
  ['offline', 'relayed: it is offline, as the server says', evidence({}, { online: false })],
  ['offline', 'not tried: it is offline, as the server says', evidence(AT_REST, { online: false })],
  ['offline', 'no path: it is offline, as the server says', evidence({ path: { kind: 'none' } }, { online: false })],
  ['gone', 'relayed: its relay says that it is not connected there', evidence({ isGone: true })],
  ['no-key', 'relayed: it has no key for finding direct paths', evidence({ noDirect: 'no-disco-key' })],
  ['relay-down', 'no path just now: its relay cannot be reached from here, and no direct address has answered', evidence({}, {}, { relay: { isInMap: true, isConnected: false } })],
  ['no-traffic', 'not tried: no traffic yet, so no direct path was looked for', evidence(AT_REST)],
  ['captive-portal', 'relayed: this network wants a sign-in on its own page first', evidence({}, {}, {}, { udp: false, captivePortal: true })],
  ['own-no-udp', 'relayed: this network blocks UDP', evidence({}, {}, {}, { udp: false })],
  ['peer-no-udp', 'relayed: its network blocks UDP, as it reported', evidence({}, { netInfo: { WorkingUDP: false } })],
  ['narrow', 'relayed: narrow path, the direct one answers but loses full-size packets', evidence({ answered: 1, candidates: [candidate('203.0.113.7', { carries: 'small', lastPongAgoMs: 300 })] })],
  ['no-address', 'relayed: it named no address', evidence({ candidates: [] }, { endpoints: [] })],
  ['no-address', 'relayed: nothing can be sent to any of the 4 addresses that it named', evidence({ candidates: [] })],
  ['no-address', 'relayed: none of its addresses is known', { machine: machine({ candidates: [] }) }],
  ['other-family', 'relayed: it named only IPv6 addresses, and this network has no IPv6', evidence({ candidates: [candidate('2001:db8::7')] }, {}, {}, { ipv6: false })],
  ['other-family', 'relayed: it named only IPv4 addresses, and this network has no IPv4', evidence({ candidates: [candidate('203.0.113.7')] }, {}, {}, { ipv4: false })],
  ['trying', 'relayed: no reply yet from any of 4 addresses', evidence({ candidates: SILENT.map((one) => ({ ...one, unanswered: 2 })) })],
  ['trying', 'relayed: the direct path stopped answering; no reply yet from its only address', evidence({ candidates: [candidate('203.0.113.7', { unanswered: 1 })], lostWhy: 'the direct path stopped answering' })],
  ['trying', 'relayed: the network here changed; no reply yet from its only address', evidence({ candidates: [candidate('203.0.113.7', { unanswered: 1 })], lostWhy: 'the default route of IPv4 is now by eth0 and 192.168.1.1' })],
  ['trying', 'relayed: 4 addresses are known and none has been tried yet', evidence({ candidates: AT_REST.candidates! })],
  ['lan-silent', 'relayed: both are on one local network, but it does not answer there', evidence({ candidates: [candidate('192.0.2.1'), candidate('192.168.1.9')] })],
  ['private-only', 'relayed: it named only addresses of private networks that are not ours', evidence({ candidates: [candidate('192.168.7.2'), candidate('10.1.1.1')] })],
  ['private-only', 'relayed: it named only addresses of private networks, and none of them replied', evidence({ candidates: [candidate('192.168.7.2')] }, {}, { networks: [] })],
  ['hard-both', 'relayed: no reply from any of 4 addresses; both networks give each destination its own port', evidence({}, HARD, {}, { mappingVariesByDestIp: true })],
  ['hard-both', 'through peer relay nas: answered in 21 ms; no reply from any of 4 addresses; both networks give each destination its own port', evidence({ path: PEER_RELAY, latencyMs: 21, answered: 1 }, { ...HARD, relayDevice: 'nas' }, {}, { mappingVariesByDestIp: true })],
  ['hard-both', 'no path: its relay is not known; no reply from any of 4 addresses; both networks give each destination its own port', evidence({ path: { kind: 'none' } }, HARD, { relay: undefined }, { mappingVariesByDestIp: true })],
  ['one-way', 'relayed: its pings arrive here, but no reply to ours does', evidence({ candidates: [...SILENT, candidate('198.51.100.9', { sources: ['ping'], pingedUsAgoMs: 2000 })] })],
  ['hard-one', 'relayed: no reply from any of 4 addresses; this network gives each destination its own port, its network does not', evidence({}, {}, {}, { mappingVariesByDestIp: true })],
  ['hard-one', 'relayed: no reply from any of 4 addresses; its network gives each destination its own port, this network does not', evidence({}, HARD)],
  ['easy-both', 'relayed: no reply from any of 4 addresses, though both networks keep one port for all destinations', evidence()],
  ['unknown', 'relayed: no reply from any of 4 addresses; unknown why: this network was not measured yet', evidence({}, {}, { report: undefined })],
  ['unknown', 'relayed: no reply from any of 4 addresses; unknown why: it did not report what its network is like', evidence({}, { netInfo: undefined })],
  ['unknown', 'relayed: no reply from any of 4 addresses; unknown why: this network did not show how it gives out ports', evidence({}, {}, {}, { mappingVariesByDestIp: undefined })],
  ['unknown', 'relayed: no reply from any of 4 addresses; unknown why: its network did not show how it gives out ports', evidence({}, { netInfo: {} })],
  ['unknown', 'relayed: no reply from any of 4 addresses; unknown why: neither network showed how it gives out ports', evidence({}, { netInfo: {} }, {}, { mappingVariesByDestIp: undefined })],
  ['unknown', 'relayed: no reply from any of 4 addresses', { machine: machine() }],
  ['unknown', 'relayed: the direct path stopped answering; no reply from any of 4 addresses', { machine: machine({ lostWhy: 'the direct path stopped answering' }) }],
]

describe('the reason for a path', () => {
  it.each(TABLE)('%s: "%s"', (rule, sentence, given) => {
    expect(explainPath(given)).toMatchObject({ rule, sentence })
  })

  it('has every rule in the table above', () => {
    expect(new Set(TABLE.map(([rule]) => rule))).toEqual(new Set(RULES.map((one) => one.name)))
  })

  it('offline is not believed when a handshake came through later', () => {
    expect(explainPath(evidence({}, { online: false, heardSince: true })).rule).toBe('easy-both')
  })

  it('a family that no relay was asked over is not called missing', () => {
    expect(explainPath(evidence({ candidates: [candidate('2001:db8::7')] }, {}, {}, { ipv6: false, ipv6CanSend: false })).rule).toBe('easy-both')
    expect(explainPath(evidence({ candidates: [candidate('2001:db8::7')] }, {}, {}, { ipv6: false, ipv6CanSend: false, osHasIpv6: false })).rule).toBe('other-family')
  })

  it('port mapping is advised only where the router was asked and refused', () => {
    const steps = (seen: Partial<OwnReport>): string => JSON.stringify(explainPath(evidence({}, HARD, {}, { mappingVariesByDestIp: true, ...seen })).steps)
    expect(steps({})).not.toContain('port mapping')
    expect(steps({ upnp: false, pmp: false, pcp: false })).toContain('port mapping')
    expect(steps({ upnp: true, pmp: false, pcp: false })).not.toContain('port mapping')
  })
})

describe('which rule goes first', () => {
  const ORDER: readonly (readonly [first: string, given: PathEvidence])[] = [
    ['direct', evidence({ path: DIRECT, latencyMs: 3, isGone: true }, { online: false }, {}, { udp: false })],
    ['switched-off', evidence({ noDirect: 'switched-off' }, { online: false }, {}, { udp: false })],
    ['offline', evidence({ isGone: true }, { online: false }, {}, { udp: false })],
    ['gone', evidence({ isGone: true }, {}, {}, { udp: false })],
    ['no-traffic', evidence(AT_REST, {}, {}, { udp: false })],
    ['own-no-udp', evidence({ candidates: [] }, { netInfo: { WorkingUDP: false } }, {}, { udp: false })],
    ['peer-no-udp', evidence({ candidates: [] }, { netInfo: { WorkingUDP: false } })],
    ['trying', evidence({ candidates: [candidate('192.168.7.2', { unanswered: 1 })] }, HARD, {}, { mappingVariesByDestIp: true })],
    ['private-only', evidence({ candidates: [candidate('192.168.7.2')] }, HARD, {}, { mappingVariesByDestIp: true })],
    ['hard-both', evidence({ candidates: [...SILENT, candidate('198.51.100.9', { sources: ['ping'], pingedUsAgoMs: 2000 })] }, HARD, {}, { mappingVariesByDestIp: true })],
  ]

  it.each(ORDER)('%s decides when others would fit too', (first, given) => {
    expect(explainPath(given).rule).toBe(first)
  })
})

describe('for any evidence', () => {
  const maybe = <T>(one: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(one, { nil: undefined })
  const flag = maybe(fc.boolean())
  const ip = fc.oneof(fc.ipV4(), fc.ipV6().map((text) => canonicalIp(text) ?? '::1'), fc.constantFrom('192.168.1.9', '10.0.0.1', '127.0.0.1', 'fe80::1', '192.0.2.1'))
  const addr = fc.record({ ip, port: fc.nat(65_535) })
  const path = fc.oneof(
    fc.constant({ kind: 'none' } as const),
    fc.record({ kind: fc.constant('relay' as const), region: fc.nat(20) }),
    fc.record({ kind: fc.constant('direct' as const), addr }),
    fc.record({ kind: fc.constant('peer-relay' as const), addr, vni: fc.nat(9) }),
    fc.record({ kind: fc.constant('both' as const), addr, region: fc.nat(20) }),
  )
  const view = fc.record({
    addr, sources: fc.subarray(['map', 'call-me-maybe', 'ping']), lastPingAgoMs: maybe(fc.nat(9999)), lastPongAgoMs: maybe(fc.nat(9999)), pingedUsAgoMs: maybe(fc.nat(9999)), latencyMs: maybe(fc.double({ min: 0, max: 9999, noNaN: true })), unanswered: fc.nat(9), isBest: fc.boolean(), carries: fc.constantFrom('unknown' as const, 'small' as const, 'full-size' as const),
  })
  const any: fc.Arbitrary<PathEvidence> = fc.record({
    machine: fc.record({
      path, noDirect: maybe(fc.constantFrom('no-disco-key' as const, 'switched-off' as const, 'expired' as const, 'fixed' as const, 'unreachable' as const, 'not-connected' as const)),
      latencyMs: maybe(fc.double({ min: 0, max: 9999, noNaN: true })), candidates: fc.array(view, { maxLength: 5 }), answered: fc.nat(2), misses: fc.nat(3), isActive: fc.boolean(),
      lostWhy: maybe(fc.constantFrom('the direct path stopped answering', '1 address(es) gone, 2 new (a link event)', 'the default route of IPv4 is now by eth0 and 192.168.1.1', 'the default route of IPv6 is by wlan0 and fe80::1')), isGone: fc.boolean(),
    }),
    peer: fc.record({
      online: flag, heardSince: fc.boolean(), endpoints: fc.array(addr, { maxLength: 3 }), netInfo: maybe(fc.record({ WorkingUDP: flag, MappingVariesByDestIP: fc.option(fc.boolean()) }) as fc.Arbitrary<NonNullable<PeerSide['netInfo']>>),
      relayDevice: fc.oneof(fc.constant('nas'), fc.string(), ip),
    }),
    own: fc.record({
      report: maybe(fc.record({ udp: fc.boolean(), ipv4: fc.boolean(), ipv6: fc.boolean(), ipv4CanSend: fc.boolean(), ipv6CanSend: fc.boolean(), osHasIpv6: fc.boolean(), mappingVariesByDestIp: flag, captivePortal: flag, upnp: flag, pmp: flag, pcp: flag, globalV4: maybe(addr) })),
      networks: fc.constantFrom([], [parsePrefix('192.168.1.0/24')!]), relay: maybe(fc.record({ isInMap: fc.boolean(), isConnected: fc.boolean() })),
    }),
  })

  it('there is exactly one sentence, of a known kind, on one line and without an address', () => {
    fc.assert(fc.property(any, (given) => {
      const { sentence, steps } = explainPath(given)
      expect(sentence).toMatch(/^(direct|both ways|relayed|not tried|no path|no path just now|unknown|through (a peer relay|peer relay [\w-]+)): \S[^\n]*[^.\s]$/)
      expect(sentence).not.toMatch(/\d+\.\d+\.\d+\.\d+|[0-9a-f]*:[0-9a-f]*:|\.\s/i)
      expect(steps.length).toBeLessThanOrEqual(3)
    }), { numRuns: 2000 })
  })

  it('nothing is claimed of a network that nobody looked at', () => {
    fc.assert(fc.property(any, (given) => {
      const { own: _own, ...withoutOwn } = given
      expect(explainPath({ ...withoutOwn, own: { report: undefined, networks: [], relay: undefined } }).sentence).not.toMatch(/this network (blocks|gives|has no|wants)|both networks|that are not ours/)
      expect(explainPath({ ...given, peer: { ...given.peer!, netInfo: undefined } }).sentence).not.toMatch(/its network (blocks|gives)|both networks/)
    }), { numRuns: 2000 })
  })
})
