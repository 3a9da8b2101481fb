import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parsePrefix, prefixContains } from '../../../../main/engine/base/ip.ts'
import { apartFromEachOther, guardOf, nftRules } from '../../../../main/engine/os/linux/firewall-plan.ts'
import { EXIT, FORWARD, PLAIN } from './wishes.ts'

const ALONE = { attached: ['192.168.1.0/24'], internal: [], apart: undefined }

/** Lines of one chain. */
function chain(text: string, name: string): string[] | undefined {
  const found = new RegExp(`\\tchain ${name} \\{\\n([\\s\\S]*?)\\n\\t\\}`).exec(text)?.[1]
  return found?.split('\n').slice(1).map((line) => line.trim())
}

test('the whole table for a plain wish', () => {
  expect(nftRules(PLAIN, ALONE)).toMatchInlineSnapshot(`
    "add table inet bowline
    delete table inet bowline
    table inet bowline {
    	counter spoofed {
    	}
    	counter held {
    	}
    	chain back {
    		type filter hook prerouting priority mangle; policy accept;
    		ct state established,related ct mark & 0x00ff0000 == 0x00080000 meta mark set meta mark & 0xff00ffff | 0x00080000
    	}
    	chain save {
    		type filter hook output priority mangle; policy accept;
    		ct state new meta mark & 0x00ff0000 == 0x00080000 ct mark set meta mark & 0x00ff0000
    	}
    	chain input {
    		type filter hook input priority filter; policy accept;
    		iifname { "lo", "bowline0" } accept
    		udp dport 41641 accept
    		ct mark & 0x00ff0000 == 0x00080000 accept
    		ip saddr { 100.115.92.0/23 } accept
    		ip saddr { 100.64.0.0/10 } counter name "spoofed" drop
    		ip6 saddr { fd7a:115c:a1e0::/48 } counter name "spoofed" drop
    		ip daddr { 100.64.0.1/32 } counter name "spoofed" drop
    		ip6 daddr { fd7a:115c:a1e0::1/128 } counter name "spoofed" drop
    	}
    	chain clamp {
    		type filter hook forward priority mangle; policy accept;
    		iifname "bowline0" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    		oifname "bowline0" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu
    	}
    	chain forward {
    		type filter hook forward priority filter; policy accept;
    		iifname "bowline0" accept
    		oifname "bowline0" ip saddr { 100.115.92.0/23 } accept
    		oifname "bowline0" ip saddr { 100.64.0.0/10 } counter name "spoofed" drop
    		oifname "bowline0" ip6 saddr { fd7a:115c:a1e0::/48 } counter name "spoofed" drop
    		oifname "bowline0" accept
    	}
    }
    "
  `)
})

test('with an exit node only the tunnel, this computer, our own mark, DHCP, neighbours and allowed networks are let out', () => {
  expect(chain(nftRules(EXIT, ALONE), 'output')).toEqual([
    'oifname { "lo", "bowline0" } accept',
    'meta mark & 0x00ff0000 == 0x00080000 accept',
    'udp sport 68 udp dport 67 accept',
    'ip6 daddr { fe80::/10, ff02::/16 } udp sport 546 udp dport 547 accept',
    'icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert, mld-listener-report, mld-listener-done, mld2-listener-report } accept',
    'ip protocol igmp accept',
    'ip daddr { 224.0.0.0/4, 169.254.0.0/16, 192.168.1.0/24, 255.255.255.255/32 } accept',
    'ip6 daddr { fe80::/10, ff02::/16, 2001:db8:1::/64 } accept',
    'counter name "held" drop',
  ])
  expect(chain(nftRules(PLAIN, ALONE), 'output')).toBeUndefined()
  for (const internet of ['exit', 'blocked'] as const) {
    const text = nftRules({ ...EXIT, internet, bypass: [], allowLan: false }, ALONE)
    expect(chain(text, 'output')!.filter((line) => line.includes('daddr'))).toEqual(['ip6 daddr { fe80::/10, ff02::/16 } udp sport 546 udp dport 547 accept'])
    expect(chain(text, 'forward')!.at(-1)).toBe('counter name "held" drop')
  }
})

test('while names are asked of the engine alone, questions do not go to allowed networks either', () => {
  const text = nftRules({ ...EXIT, guardNames: true }, ALONE)
  for (const name of ['output', 'forward']) {
    const lines = chain(text, name)!
    const at = lines.indexOf('meta l4proto { tcp, udp } th dport { 53, 853 } counter name "held" drop')
    expect(at).toBeGreaterThan(0)
    expect(lines.findIndex((line) => /^ip daddr .*192\.168/.test(line))).toBeGreaterThan(at)
  }
})

test('what is passed on is marked, hidden and stateful as asked for, and other interfaces stay apart', () => {
  const text = nftRules({ ...PLAIN, forward: FORWARD }, { ...ALONE, apart: ['eth0', 'wlan0'] })
  expect(chain(text, 'forward')!.slice(0, 2)).toEqual(['iifname "bowline0" meta mark set meta mark & 0xff00ffff | 0x00040000 accept', 'oifname "bowline0" ct state != { established, related } drop'])
  expect(chain(text, 'forward')!.at(-1)).toBe('iifname { "eth0", "wlan0" } oifname { "eth0", "wlan0" } drop')
  expect(chain(text, 'hide')).toEqual(['meta mark & 0x00ff0000 == 0x00040000 masquerade'])
  expect(chain(nftRules({ ...PLAIN, forward: { ...FORWARD, sourceNat: false } }, ALONE), 'hide')).toBeUndefined()
})

test('without a guard nobody is dropped for an address', () => {
  const text = nftRules({ ...PLAIN, guardRange: false }, ALONE)
  expect([...chain(text, 'input')!, ...chain(text, 'forward')!].filter((line) => line.includes('drop'))).toEqual([])
})

test('where the provider uses the range, only known devices are closed, and what is attached stays open', () => {
  const want = { ...PLAIN, routes: [...PLAIN.routes, '10.0.0.0/8'] }
  expect(guardOf(want, { ...ALONE, attached: ['100.70.0.0/16', '10.0.0.0/24'] })).toEqual({
    closedHosts: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128', '100.100.100.100/32', '100.64.0.2/32'], open: ['100.115.92.0/23', '100.70.0.0/16'], closed: ['fd7a:115c:a1e0::/48', 'fd7a:115c:a1e0::/48'],
  })
  expect(guardOf({ ...PLAIN, routes: ['100.64.0.0/10'] }, { ...ALONE, attached: ['100.70.1.2/32'] })).toMatchObject({ open: ['100.115.92.0/23', '100.70.1.2/32'], closed: ['fd7a:115c:a1e0::/48', '100.64.0.0/10'] })
  // Containers of ChromeOS are no provider.
  expect(guardOf(PLAIN, { ...ALONE, attached: ['100.115.92.0/24'] }).closed).toEqual(['100.64.0.0/10', 'fd7a:115c:a1e0::/48'])
})

test('no router opens the range of IPv6 by saying that it is on the link', () => {
  expect(guardOf(PLAIN, { ...ALONE, attached: ['fd7a:115c:a1e0::/64'] })).toEqual({ closed: ['100.64.0.0/10', 'fd7a:115c:a1e0::/48'], open: ['100.115.92.0/23'], closedHosts: [] })
})

test('prefixes of a set never overlap, and none that was given is left out', () => {
  const prefix = fc.tuple(fc.nat(3), fc.nat(255), fc.integer({ min: 8, max: 32 })).map(([a, b, bits]) => `10.${a}.${b}.0/${bits}`)
  fc.assert(fc.property(fc.array(prefix, { maxLength: 20 }), (list) => {
    const apart = apartFromEachOther(list).map((text) => parsePrefix(text)!)
    apart.forEach((one, i) => apart.forEach((other, j) => expect(i !== j && one.bits <= other.bits && prefixContains(one, other.ip)).toBe(false)))
    for (const text of list) expect(apart.some((one) => one.bits <= parsePrefix(text)!.bits && prefixContains(one, parsePrefix(text)!.ip))).toBe(true)
  }))
})
