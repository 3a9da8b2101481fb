import { createContext, runInContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatIp, parsePrefix, prefixContains } from '../../../../main/engine/base/ip.ts'
import { pacText } from '../../../../main/engine/core/pac/pac.ts'
import type { PacWants } from '../../../../main/engine/core/pac/pac.ts'

const WANTS: PacWants = {
  http: { ip: '127.0.0.1', port: 1056 },
  socks5: { ip: '127.0.0.1', port: 1055 },
  domains: ['tail.example.com', 'Corp.Internal.', '10.in-addr.arpa', 'bad name"; alert(1); "'],
  networks: ['100.64.0.0/10', 'fd7a:115c:a1e0::/48', '10.0.3.0/24', 'nonsense'],
  everything: false,
  direct: [],
}
const CHAIN = 'PROXY 127.0.0.1:1056; SOCKS5 127.0.0.1:1055'

/** Runs the file as a browser does: nothing of Node is there, and nothing that would look a name up. */
function ask(wants: PacWants): (host: string) => string {
  const context = createContext(Object.create(null) as object)
  runInContext(pacText(wants), context, { timeout: 1000 })
  return (host) => runInContext(`FindProxyForURL(${JSON.stringify(`https://${host}/`)}, ${JSON.stringify(host)})`, context, { timeout: 1000 }) as string
}

describe('without an exit node', () => {
  const find = ask(WANTS)
  test.each([
    ['db.tail.example.com', CHAIN],
    ['DB.Tail.Example.Com.', CHAIN],
    ['tail.example.com', CHAIN],
    ['xtail.example.com', 'DIRECT'],
    ['tail.example.com.evil.org', 'DIRECT'],
    ['wiki.corp.internal', CHAIN],
    ['db', `${CHAIN}; DIRECT`],
    ['example.org', 'DIRECT'],
    ['100.64.0.1', CHAIN],
    ['100.127.255.255', CHAIN],
    ['100.128.0.1', 'DIRECT'],
    ['100.100.100.100', CHAIN],
    ['10.0.3.9', CHAIN],
    ['10.0.4.9', 'DIRECT'],
    ['192.168.1.1', 'DIRECT'],
    ['fd7a:115c:a1e0::53', CHAIN],
    ['[fd7a:115c:a1e0:ab12::1]', CHAIN],
    ['fd7a:115c:a1e1::1', 'DIRECT'],
    ['2001:db8::1', 'DIRECT'],
    ['localhost', 'DIRECT'],
    ['app.localhost', 'DIRECT'],
    ['127.0.0.1', 'DIRECT'],
    ['127.9.9.9', 'DIRECT'],
    ['::1', 'DIRECT'],
    ['[::1]', 'DIRECT'],
    ['1.2.3.4.5', 'DIRECT'],
    ['999.64.0.1', 'DIRECT'],
    ['', `${CHAIN}; DIRECT`],
  ])('%s → %s', (host, expected) => {
    expect(find(host)).toBe(expected)
  })
})

describe('with an exit node', () => {
  const find = ask({ ...WANTS, everything: true, direct: ['192.168.1.0/24', 'fe80::/10'] })
  test.each([
    ['example.org', CHAIN],
    ['8.8.8.8', CHAIN],
    ['2001:db8::1', CHAIN],
    ['printer', CHAIN],
    ['192.168.1.1', 'DIRECT'],
    ['192.168.2.1', CHAIN],
    ['127.0.0.1', 'DIRECT'],
    ['localhost', 'DIRECT'],
  ])('%s → %s, and nothing slips past the proxies', (host, expected) => {
    expect(find(host)).toBe(expected)
  })
})

test('a network that cannot be written as a prefix and a name that could steer the program are left out', () => {
  const text = pacText(WANTS)
  expect(text).not.toContain('alert')
  expect(text).not.toContain('nonsense')
  expect(Buffer.byteLength(text)).toBe(text.length)
})

test('without a SOCKS5 proxy only the HTTP proxy is named, and an IPv6 one in brackets', () => {
  const find = ask({ ...WANTS, http: { ip: '::1', port: 8080 }, socks5: undefined })
  expect(find('100.64.0.1')).toBe('PROXY [::1]:8080')
})

test('ten thousand networks and domains stay within what the proxy serves', () => {
  const many = Array.from({ length: 10_000 }, (_, i) => i)
  const text = pacText({ ...WANTS, domains: many.map((i) => `zone-${i}.${'x'.repeat(200)}`), networks: many.flatMap((i) => [`10.${i >> 8}.${i & 255}.0/24`, `fd7a::${i.toString(16)}/128`]) })
  expect(text.length).toBeLessThan(64 * 1024)
})

test('the file judges addresses as prefixes do', () => {
  const networks = ['100.64.0.0/10', '10.1.2.0/23', '0.0.0.0/1', 'fd7a:115c:a1e0::/48', '2001:db8::/33', '64:ff9b::/96']
  const find = ask({ ...WANTS, networks })
  const address = fc.oneof(fc.uint8Array({ minLength: 4, maxLength: 4 }), fc.uint8Array({ minLength: 16, maxLength: 16 }), fc.constantFrom('0a010300', '20010db8000000000000000000000001', '0064ff9b000000000000000001020304').map((hex) => Uint8Array.from(Buffer.from(hex, 'hex'))))
  fc.assert(
    fc.property(address, (bytes) => {
      const ip = formatIp(bytes)
      const isLoopback = bytes.length === 4 ? bytes[0] === 127 : ip === '::1'
      const inside = networks.some((prefix) => prefixContains(parsePrefix(prefix)!, ip))
      return (find(ip) === CHAIN) === (inside && !isLoopback)
    }),
    { numRuns: 500 },
  )
})

test('no host makes the file fail', () => {
  const find = ask(WANTS)
  fc.assert(fc.property(fc.string(), (host) => typeof find(host) === 'string'), { numRuns: 500 })
})
