import { describe, expect, it } from 'vitest'
import type { ReachPage, ThisNetwork } from '../../preload/contract.ts'
import { networkFacts, networkVerdict, relayRows } from '../../renderer/state/diagnose-network.ts'
import { rungLines, verdictLines } from '../../renderer/state/diagnose-reach.ts'

const report = (over: Partial<ThisNetwork['Report']> = {}): ThisNetwork['Report'] => ({
  Now: '2026-05-01T12:00:00Z', UDP: true, IPv6: false, IPv4: true, IPv6CanSend: false, IPv4CanSend: true, OSHasIPv6: true, ICMPv4: false, MappingVariesByDestIP: false, UPnP: null, PMP: null, PCP: null,
  PreferredDERP: 2, RegionLatency: { 1: 40e6, 2: 21e6 }, RegionV4Latency: {}, RegionV6Latency: {}, GlobalV4Counters: null, GlobalV6Counters: null, GlobalV4: '203.0.113.7:41641', GlobalV6: '', CaptivePortal: null, ...over,
})
const network = (over: Partial<ThisNetwork['Report']> = {}): ThisNetwork => ({ Report: report(over), Steps: [], Relays: [{ Region: 2, Code: 'fra', Name: 'Frankfurt' }] })

describe('this network', () => {
  it.each([
    ['Direct paths should work here.', {}],
    ['Direct paths may work here.', { MappingVariesByDestIP: null }],
    ['Direct paths will often fail here.', { MappingVariesByDestIP: true }],
    ['No direct paths here.', { UDP: false }],
    ['Nothing answers here.', { UDP: false, RegionLatency: {} }],
    ['This network holds everything back until you sign in to it.', { CaptivePortal: true }],
  ] as const)('%s', (title, over) => {
    expect(networkVerdict(network(over)).title).toBe(title)
  })

  it('calls what nobody looked at not known, and paints none of it good', () => {
    const unknown = networkFacts(network({ MappingVariesByDestIP: null })).filter(({ what }) => ['nat', 'mapping', 'page', 'proxy', 'vpn', 'clock'].includes(what))
    expect(unknown.map(({ mark, words }) => [mark, words])).toEqual(Array(6).fill(['unknown', 'Not known']))
  })

  it('has the nearest relay first and marks home', () => {
    expect(relayRows(network()).map(({ code, latencyMs, isHome }) => [code, latencyMs, isHome])).toEqual([['fra', 21, true], ['1', 40, false]])
  })
})

const reached = (over: Partial<ReachPage>): ReachPage => ({ Version: 1, Target: 'nas:22', Host: 'nas', Port: 22, Started: '', Rungs: [], ...over })

describe('the ladder in words', () => {
  it('names the device and the port, and what to do', () => {
    const page = reached({ Device: { ID: 'n', Key: 'k', Name: 'nas', IsItself: true }, Verdict: { Code: 'policy', Rung: 'port', Text: '', More: '' } })
    expect(verdictLines(page)).toEqual({ title: "nas is up, but your network's rules do not let you reach port 22.", means: 'nas itself said so, and it answers otherwise. Only an admin can change this.', tone: 'bad' })
  })

  it('shows names without what could turn them round', () => {
    const page = reached({ Device: { ID: 'n', Key: 'k', Name: 'sa\u202en', IsItself: true }, Verdict: { Code: 'no-answer', Text: '', More: '' }, Rungs: [{ Name: 'device', State: 'passed', Value: 'sa\u202en' }] })
    expect(`${verdictLines(page).title} ${rungLines(page)[0]!.value}`).not.toContain('\u202e')
  })

  it('says the path and the reason of the port in the language of states', () => {
    const lines = rungLines(reached({ Rungs: [{ Name: 'path', State: 'passed', Value: 'relay fra', LatencyMs: 38 }, { Name: 'port', State: 'failed', Value: 'acl' }] }))
    expect(lines.map(({ words, value }) => [words, value])).toEqual([['Path: Relayed, fra', '38 ms'], ['Port 22 not reached', 'refused by rules']])
  })
})
