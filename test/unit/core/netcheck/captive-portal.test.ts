import { describe, expect, it } from 'vitest'
import { isFromPortal, portalTargets } from '../../../../main/engine/core/netcheck/captive-portal.ts'
import type { DerpMap, DerpNode, DerpRegion } from '../../../../main/engine/core/tailcfg/types.ts'

const node = (region: number, more: Partial<DerpNode> = {}): DerpNode => ({ Name: `${region}a`, RegionID: region, HostName: `r${region}.example`, IPv4: `203.0.113.${region}`, CanPort80: true, ...more })
const region = (id: number, more: Partial<DerpRegion> = {}, ...nodes: DerpNode[]): DerpRegion => ({ RegionID: id, RegionCode: '', RegionName: '', Nodes: nodes.length > 0 ? nodes : [node(id)], ...more })
const map = (...regions: DerpRegion[]): DerpMap => ({ Regions: Object.fromEntries(regions.map((one) => [one.RegionID, one])) })
const urls = (from: DerpMap, home = 0, server = 'hs.example'): string[] => portalTargets(from, home, server).map((one) => one.url)

describe('whom to ask about a portal', () => {
  it('is relays by address that serve plain HTTP, those of home first, five at most', () => {
    expect(urls(map(region(1), region(2)), 2)).toEqual(['http://203.0.113.2/generate_204', 'http://203.0.113.1/generate_204'])
    expect(urls(map(...Array.from({ length: 9 }, (_, i) => region(i + 1))))).toHaveLength(5)
  })

  it('is nobody whom the map does not offer', () => {
    expect(urls(map(region(1, {}, node(1, { CanPort80: false })), region(2, { Avoid: true }), region(3, { NoMeasureNoHome: true }), region(4, {}, node(4, { IPv4: 'none' }), node(4, { IPv4: '' }), node(4, { IPv4: '::1' }))))).toEqual([])
  })

  it('is the makers of the stock client only for those who use their server', () => {
    expect(urls(map(), 0, 'controlplane.tailscale.com')).toEqual(['http://controlplane.tailscale.com/generate_204', 'http://login.tailscale.com/generate_204'])
    expect(urls(map(), 0, 'nottailscale.com')).toEqual([])
  })
})

describe('an answer', () => {
  const [relay] = portalTargets(map(region(1)), 0, '')
  it.each([
    ['the relay itself', { status: 204, headers: { 'x-tailscale-response': 'response ts_203.0.113.1' } }, false],
    ['a portal that says 204 too', { status: 204, headers: {} }, true],
    ['a portal that repeats another challenge', { status: 204, headers: { 'x-tailscale-response': 'response ts_203.0.113.2' } }, true],
    ['a redirect', { status: 302, headers: { location: 'http://portal.example/' } }, true],
    ['a page', { status: 200, headers: {} }, true],
  ])('comes from %s', (_name, answer, isPortal) => {
    expect(isFromPortal(relay!, answer)).toBe(isPortal)
  })
})
