import { describe, expect, test } from 'vitest'
import { otherVpns, rangeNetwork } from '../../../../main/engine/core/plan/other-vpns.ts'
import type { SystemFacts, SystemInterface, SystemRoute } from '../../../../main/engine/core/plan/system-facts.ts'

const one = (name: string, ip: string, prefix = 24): SystemInterface => ({ name, ip, prefix, internal: false })
const ETH = one('eth0', '192.168.1.5')
const system = (interfaces: readonly SystemInterface[], ...defaultRoutes: SystemRoute[]): SystemFacts => ({ interfaces, defaultRoutes })
const byEth: SystemRoute = { interface: 'eth0', gateway: '192.168.1.1' }
const OWN = ['100.64.0.1', 'fd7a:115c:a1e0::1']

describe('other VPNs', () => {
  test.each([
    ['tailscale0', '100.101.2.3', 'Tailscale', true],
    ['wg0', '10.8.0.2', 'WireGuard', false],
    ['nordlynx', '10.5.0.2', 'NordVPN', false],
    ['wg0-mullvad', '10.64.1.2', 'Mullvad', false],
    ['CloudflareWARP', '172.16.0.2', 'Cloudflare WARP', false],
    ['cscotun0', '10.9.0.2', 'Cisco Secure Client', false],
    ['Cisco AnyConnect Secure Mobility Client Connection', '10.9.0.2', 'Cisco Secure Client', false],
    ['gpd0', '10.9.0.2', 'GlobalProtect', false],
    ['ztabcdefgh', '10.147.17.2', 'ZeroTier', false],
    ['wt0', '100.90.1.2', 'NetBird', true],
    ['OpenVPN TAP-Windows6', '10.8.0.6', 'OpenVPN', false],
  ])('%s is told as %s', (name, ip, product, hasRange) => {
    expect(otherVpns(system([ETH, one(name, ip, 32)], byEth), OWN)).toEqual([{ product, interface: name, carriesAll: false, hasRange }])
  })

  test('a name that many make is told by what it does', () => {
    const utun = one('utun4', '10.2.0.2')
    expect(otherVpns(system([ETH, utun], byEth), OWN)).toEqual([])
    expect(otherVpns(system([ETH, utun], { interface: 'utun4' }), OWN)).toMatchObject([{ product: 'another VPN', carriesAll: true }])
    expect(otherVpns(system([ETH, one('utun4', '100.101.2.3', 32)], byEth), OWN)).toMatchObject([{ product: 'Tailscale', hasRange: true }])
    expect(otherVpns(system([ETH, one('tun0', '10.8.0.2')], { interface: 'tun0', gateway: '10.8.0.1' }), OWN)).toMatchObject([{ product: 'another VPN' }])
  })

  test.each([
    ['an idle tunnel of macOS', one('utun0', 'fe80::1', 64)],
    ['a VPN without an address', one('wg0', 'fe80::2', 64)],
    ['a dial-up line', one('ppp0', '203.0.113.5', 32)],
    ['a bridge of containers', one('docker0', '172.17.0.1', 16)],
    ['our own tunnel', one('utun9', '100.64.0.1', 32)],
    ['a network card called after something', one('wlp3s0', '192.168.7.2')],
  ])('%s is none', (_name, idle) => {
    expect(otherVpns(system([ETH, idle], byEth, { interface: 'ppp0' }), OWN)).toEqual([])
  })
})

describe('a network with the range of the devices', () => {
  test.each([
    ['by an address here', system([one('eth0', '100.72.3.4', 22)]), { interface: 'eth0', text: '100.72.0.0/22' }],
    ['by the gateway alone', system([one('wwan0', '203.0.113.9', 32)], { interface: 'wwan0', gateway: '100.72.0.1' }), { interface: 'wwan0', text: '100.72.0.1' }],
    ['not: another Tailscale', system([one('tailscale0', '100.72.3.4', 32)]), undefined],
    ['not: our own tunnel', system([one('bowline0', '100.64.0.1', 10)]), undefined],
    ['not: what Chrome OS has inside', system([one('eth0', '100.115.92.200', 23)]), undefined],
    ['not: a home network', system([ETH], byEth), undefined],
  ])('%s', (_name, facts, found) => {
    expect(rangeNetwork(facts, OWN)).toEqual(found)
  })
})
