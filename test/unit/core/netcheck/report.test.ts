import { describe, expect, it } from 'vitest'
import type { NetcheckReport } from '../../../../main/engine/core/netcheck/report.ts'
import { differsMaterially, toNetcheckJson, toNetInfo } from '../../../../main/engine/core/netcheck/report.ts'
import { readVectors } from '../../../vectors/read.ts'

const report: NetcheckReport = {
  wallMs: Date.UTC(2026, 0, 2, 3, 4, 5), udp: true, ipv4: true, ipv6: false, ipv4CanSend: true, ipv6CanSend: false, osHasIpv6: true, icmpV4: undefined,
  mappingVariesByDestIp: undefined, upnp: false, pmp: false, pcp: false, captivePortal: undefined, preferredDerp: 999,
  regionLatencyMs: new Map([[999, 0.200298]]), regionV4LatencyMs: new Map([[999, 0.200298]]), regionV6LatencyMs: new Map(), httpsLatencyMs: new Map(),
  globalV4: { ip: '127.0.0.1', port: 41641 }, globalV6: undefined, globalV4Counters: new Map([['127.0.0.1:41641', 1]]), globalV6Counters: new Map(),
}

describe('what control is told', () => {
  it('has the fields, names and units of the stock client', () => {
    const { Node } = readVectors<{ Node: { Hostinfo: { NetInfo: object } } }>('mapresponse/02-initial-one-peer.json')
    expect(toNetInfo(report)).toEqual(Node.Hostinfo.NetInfo)
  })

  it('leaves out what is not known and says whether a port is mapped', () => {
    expect(toNetInfo({ ...report, upnp: undefined, pmp: undefined, pcp: undefined, regionV4LatencyMs: new Map() }, true)).toEqual({
      WorkingIPv6: false, OSHasIPv6: true, WorkingUDP: true, WorkingICMPv4: false, HavePortMap: true, PreferredDERP: 999,
    })
    expect(toNetInfo({ ...report, mappingVariesByDestIp: true, icmpV4: true }).MappingVariesByDestIP).toBe(true)
  })

  it('is news unless only latencies differ', () => {
    const info = toNetInfo(report)
    expect(differsMaterially(info, toNetInfo({ ...report, regionV4LatencyMs: new Map([[999, 7]]) }))).toBe(false)
    for (const change of [{ preferredDerp: 2 }, { mappingVariesByDestIp: false }, { upnp: true }, { ipv6: true }]) expect(differsMaterially(info, toNetInfo({ ...report, ...change }))).toBe(true)
  })
})

describe('the report as JSON', () => {
  it('has the names, units and empty values of the official command', () => {
    expect(toNetcheckJson(report)).toEqual({
      Now: '2026-01-02T03:04:05.000Z', UDP: true, IPv6: false, IPv4: true, IPv6CanSend: false, IPv4CanSend: true, OSHasIPv6: true, ICMPv4: false,
      MappingVariesByDestIP: null, UPnP: false, PMP: false, PCP: false, PreferredDERP: 999,
      RegionLatency: { 999: 200_298 }, RegionV4Latency: { 999: 200_298 }, RegionV6Latency: {},
      GlobalV4Counters: { '127.0.0.1:41641': 1 }, GlobalV6Counters: null, GlobalV4: '127.0.0.1:41641', GlobalV6: '', CaptivePortal: null,
    })
  })

  it('tells what the router gave, and why', () => {
    expect(toNetcheckJson({ ...report, portMapping: { external: { ip: '203.0.113.9', port: 5 }, why: 'w' } }).PortMapping).toEqual({ Address: '203.0.113.9:5', Why: 'w' })
    expect(toNetcheckJson({ ...report, portMapping: { external: undefined, why: 'w' } }).PortMapping).toEqual({ Address: '', Why: 'w' })
  })

  it('tells apart what was measured by HTTPS', () => {
    expect(toNetcheckJson({ ...report, udp: false, httpsLatencyMs: new Map([[1, 5]]), captivePortal: true })).toMatchObject({ HTTPSLatency: { 1: 5_000_000 }, CaptivePortal: true })
  })
})
