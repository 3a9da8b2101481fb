import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { HostPort } from '../../../main/engine/io/host-keeper.ts'
import { HostProxies, proxiesOf } from '../../../main/engine/io/host-proxies.ts'
import { ProxyRules } from '../../../main/engine/io/proxy-rules.ts'

/** A host that answers what it is told to, or nothing. */
class Host implements HostPort {
  readonly asked: string[] = []
  answer: string | undefined
  #listener: ((event: { readonly data: unknown }) => void) | undefined

  constructor(answer: string | undefined) {
    this.answer = answer
  }

  postMessage(message: unknown): void {
    const { id, url } = message as { id: number; url: string }
    this.asked.push(url)
    if (this.answer !== undefined) this.say({ kind: 'proxy', id, answer: this.answer })
  }

  say(data: unknown): void {
    queueMicrotask(() => this.#listener?.({ data }))
  }

  on(_event: 'message', listener: (event: { readonly data: unknown }) => void): void {
    this.#listener = listener
  }
}

const target = { host: 'hs.example.com', port: 443, tls: true }
const names = (proxies: readonly { readonly name: string }[]): string[] => proxies.map(({ name }) => name)

describe('what a PAC file answers', () => {
  it.each([
    ['DIRECT', []],
    ['', []],
    ['PROXY proxy:3128', ['http://proxy:3128']],
    ['HTTPS s:443; SOCKS5 t:1080; PROXY u:8080', ['https://s:443', 'socks5://t:1080', 'http://u:8080']],
    ['PROXY a:1; DIRECT; PROXY b:2', ['http://a:1']],
    ['SOCKS old:1080; proxy [::1]:3128;', ['http://[::1]:3128']],
    ['PROXY; PROXY a b; QUIC q:443; nonsense', []],
  ])('%s', (answer, expected) => {
    expect(names(proxiesOf(answer))).toEqual(expected)
  })

  it('is never more than five, and never a fault', () => {
    expect(proxiesOf(Array.from({ length: 500 }, (_, i) => `PROXY p${i}:1`).join(';'))).toHaveLength(5)
    fc.assert(fc.property(fc.string(), (text) => {
      proxiesOf(text)
    }))
  })
})

describe('proxies that the host names', () => {
  it('are asked for once a place and minute, and again after a change of networks', async () => {
    const host = new Host('PROXY proxy:3128')
    let nowMs = 0
    const proxies = new HostProxies(host, () => nowMs)
    expect(names(await proxies.proxiesFor(target))).toEqual(['http://proxy:3128'])
    await proxies.proxiesFor(target)
    await proxies.proxiesFor({ host: '2001:db8::1', port: 80, tls: false })
    expect(host.asked).toEqual(['https://hs.example.com:443/', 'http://[2001:db8::1]:80/'])
    host.answer = 'DIRECT'
    proxies.forget()
    expect(await proxies.proxiesFor(target)).toEqual([])
    nowMs = 61_000
    host.answer = 'PROXY other:1'
    expect(names(await proxies.proxiesFor(target))).toEqual(['http://other:1'])
  })

  it('are none when the host is silent, and are asked for again then', async () => {
    const host = new Host(undefined)
    const proxies = new HostProxies(host, () => 0, 5)
    expect(await proxies.proxiesFor(target)).toEqual([])
    host.answer = 'PROXY proxy:3128'
    expect(names(await proxies.proxiesFor(target))).toEqual(['http://proxy:3128'])
  })

  it('keep their head when the host talks nonsense', async () => {
    const host = new Host(undefined)
    const proxies = new HostProxies(host, () => 0, 5)
    const asked = proxies.proxiesFor(target)
    for (const data of [null, 7, {}, { kind: 'proxy' }, { kind: 'proxy', id: 1, answer: 7 }, { kind: 'proxy', id: 99, answer: 'PROXY a:1' }, { kind: 'power' }]) host.say(data)
    expect(await asked).toEqual([])
  })

  it('are never taken for this computer, for what NO_PROXY excepts, or when they are our own', () => {
    const rules = new ProxyRules({ NO_PROXY: 'corp.example' })
    const [named, own] = proxiesOf('PROXY proxy:3128; PROXY 127.0.0.1:1055')
    rules.setOwn([{ ip: '127.0.0.1', port: 1055 }])
    expect(names(rules.allowed([named!, own!], target))).toEqual(['http://proxy:3128'])
    expect(rules.allowed([named!], { ...target, host: '127.0.0.1' })).toEqual([])
    expect(rules.allowed([named!], { ...target, host: 'hs.corp.example' })).toEqual([])
  })
})
