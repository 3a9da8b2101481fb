import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { isExcepted, parseProxy, ProxyRules } from '../../../main/engine/io/proxy-rules.ts'

const byTls = { host: 'hs.example.com', port: 443, tls: true }
const plain = { host: 'hs.example.com', port: 80, tls: false }

describe('which proxy a connection takes', () => {
  test('is set for TLS and for plain apart, and for what is left', () => {
    const env = { HTTPS_PROXY: 'http://s:1', HTTP_PROXY: 'http://p:2' }
    expect(new ProxyRules(env).proxyFor(byTls)?.name).toBe('http://s:1')
    expect(new ProxyRules(env).proxyFor(plain)?.name).toBe('http://p:2')
    expect(new ProxyRules({ HTTPS_PROXY: 'http://s:1' }).proxyFor(plain)).toBeUndefined()
    expect(new ProxyRules({ HTTPS_PROXY: 'http://s:1', ALL_PROXY: 'socks5://a:3' }).proxyFor(plain)?.name).toBe('socks5://a:3')
    expect(new ProxyRules({}).proxyFor(byTls)).toBeUndefined()
  })

  test('is read in upper case before lower case, and an empty text is none', () => {
    expect(new ProxyRules({ HTTPS_PROXY: 'http://upper:1', https_proxy: 'http://lower:1' }).proxyFor(byTls)?.host).toBe('upper')
    expect(new ProxyRules({ HTTPS_PROXY: ' ', https_proxy: 'http://lower:1' }).proxyFor(byTls)?.host).toBe('lower')
  })

  test('is never asked for this computer itself', () => {
    const rules = new ProxyRules({ ALL_PROXY: 'http://p:1' })
    for (const host of ['localhost', 'LOCALHOST', '127.0.0.1', '127.8.8.8', '::1']) expect(rules.proxyFor({ ...byTls, host }), host).toBeUndefined()
    expect(rules.proxyFor({ ...byTls, host: '10.0.0.1' })).toBeDefined()
  })

  test('is not our own way into the tailnet', () => {
    const rules = new ProxyRules({ ALL_PROXY: 'socks5://localhost:1055' })
    expect(rules.proxyFor(byTls)).toBeDefined()
    rules.setOwn([{ ip: '127.0.0.1', port: 1055 }])
    expect(rules.proxyFor(byTls)).toBeUndefined()
  })

  test('that cannot be understood is told by the name of the setting, without what was set', () => {
    for (const text of ['ftp://user:secret@p:1', 'http://', 'http://user:secret@p:99999', 'http://%zz:secret@p:1']) {
      expect(() => new ProxyRules({ https_proxy: text }).proxyFor(byTls), text).toThrow(/^the environment variable https_proxy names no proxy(?!.*secret)/)
    }
  })
})

test('a proxy is read with its kind, its port, and user and password decoded; its name holds neither', () => {
  expect(parseProxy('proxy.lan:3128')).toMatchObject({ kind: 'http', host: 'proxy.lan', port: 3128, user: undefined, name: 'http://proxy.lan:3128' })
  expect(parseProxy('https://[::1]')).toMatchObject({ kind: 'https', host: '::1', port: 443, name: 'https://[::1]:443' })
  expect(parseProxy('socks5h://u@p')).toMatchObject({ kind: 'socks5', port: 1080, user: 'u', password: '' })
  expect(parseProxy('http://an%40a:p%3Aw%2F%20@p:1')).toMatchObject({ user: 'an@a', password: 'p:w/ ', name: 'http://p:1' })
})

test.each([
  ['*', 'a.example', 443, true],
  ['example.com', 'example.com', 443, true], ['example.com', 'hs.example.com', 443, true], ['example.com', 'badexample.com', 443, false],
  ['.example.com', 'example.com', 443, false], ['.example.com', 'hs.example.com', 443, true], ['*.example.com', 'a.b.example.com', 443, true],
  ['EXAMPLE.com', 'hs.Example.COM.', 443, true], ['example.com:8080', 'example.com', 8080, true], ['example.com:8080', 'example.com', 443, false],
  ['10.0.0.0/8', '10.1.2.3', 443, true], ['10.0.0.0/8', '11.1.2.3', 443, false], ['10.0.0.0/8', '10.example.com', 443, false],
  ['fd00::/8', 'fd00::5', 443, true], ['192.0.2.1', '192.0.2.1', 443, true], ['192.0.2.1:80', '192.0.2.1', 443, false], ['[2001:db8::1]:443', '2001:db8::1', 443, true],
  ['2001:db8:0::1', '2001:db8::1', 443, true], [' a , ,b.example ', 'b.example', 443, true], ['', 'a', 443, false], ['0.2.1', '192.0.2.1', 443, false],
])('NO_PROXY=%s for %s:%i is %s', (noProxy, host, port, isIt) => {
  expect(isExcepted(noProxy, host, port)).toBe(isIt)
})

test('no setting, however odd, throws anything but its own error', () => {
  fc.assert(fc.property(fc.string(), fc.string(), fc.string(), (proxy, noProxy, host) => {
    try {
      new ProxyRules({ ALL_PROXY: proxy, NO_PROXY: noProxy }).proxyFor({ ...byTls, host })
    } catch (error) {
      expect(error).toMatchObject({ code: 'proxy-bad-setting' })
    }
  }))
})
