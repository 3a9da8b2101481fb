import { createServer, type AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { KnownHosts } from '../../../main/engine/io/known-hosts.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { Resolver, type Lookup } from '../../../main/engine/io/resolve.ts'
import { Store } from '../../../main/engine/io/store.ts'
import { HandClock } from '../../sim/clock.ts'
import { dial, plainWorld } from '../../support/plain-world.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

const closers: (() => unknown)[] = []
afterEach(() => {
  for (const close of closers.splice(0)) close()
})

const never: Lookup = () => new Promise(() => {})
const failing = (code: string): Lookup => () => Promise.reject(Object.assign(new Error(code), { code }))
const answering = (...addresses: string[]): Lookup => () => Promise.resolve(addresses.map((address) => ({ address })))

async function greeter(): Promise<number> {
  const server = createServer((socket) => void socket.on('error', () => {}).end('hello'))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closers.push(() => server.close())
  return (server.address() as AddressInfo).port
}

test('families take turns, the first one first', async () => {
  const resolver = new Resolver({ lookup: answering('::1', '::2', '127.0.0.1') })
  expect(await resolver.addresses('h.example')).toEqual(['::1', '127.0.0.1', '::2'])
  expect(await resolver.addresses('192.0.2.7')).toEqual(['192.0.2.7'])
})

test('remembered addresses stand in for a DNS that fails or is silent, and are not needed when it answers', async () => {
  const remembered = (): string[] => ['192.0.2.1', '2001:db8::1']
  expect(await new Resolver({ lookup: failing('EAI_AGAIN'), remembered }).addresses('h.example')).toEqual(['192.0.2.1', '2001:db8::1'])
  expect(await new Resolver({ lookup: failing('EAI_AGAIN'), remembered }).addresses('h.example', 6)).toEqual(['2001:db8::1'])
  expect(await new Resolver({ lookup: never, remembered, patienceMs: 1, limitMs: 20 }).addresses('h.example')).toEqual(['192.0.2.1', '2001:db8::1'])
  expect(await new Resolver({ lookup: answering('192.0.2.9'), remembered }).addresses('h.example')).toEqual(['192.0.2.9'])
})

test.each([['ENOTFOUND', 'dns-no-such-name'], ['ENODATA', 'dns-no-such-name'], ['EAI_AGAIN', 'dns-failed'], ['ESERVFAIL', 'dns-failed']])('%s is told as %s', async (code, told) => {
  await expect(new Resolver({ lookup: failing(code) }).addresses('h.example')).rejects.toMatchObject({ code: told, message: expect.stringContaining('h.example') as unknown })
})

test('a DNS without an answer is given up after a while', async () => {
  await expect(new Resolver({ lookup: never, limitMs: 10 }).addresses('h.example')).rejects.toMatchObject({ code: 'dns-failed' })
})

test('one lookup a name is under way, whoever asks', async () => {
  let asked = 0
  let answer: (found: { address: string }[]) => void = () => {}
  const resolver = new Resolver({ lookup: () => new Promise((resolve) => (asked++, (answer = resolve))), limitMs: 10_000 })
  const both = Promise.all([resolver.addresses('H.example'), resolver.addresses('h.example')])
  answer([{ address: '192.0.2.1' }])
  expect(await both).toEqual([['192.0.2.1'], ['192.0.2.1']])
  expect(asked).toBe(1)
})

test('a connection is made to a remembered address while DNS is silent, and one address that is dead does not hold up the next', async () => {
  const port = await greeter()
  const resolver = new Resolver({ lookup: never, remembered: () => ['192.0.2.1', '127.0.0.1'], patienceMs: 1 })
  const socket = await dial({ host: 'h.example', port, timeoutMs: 15_000 }, { ...plainWorld, resolver })
  expect(socket.remoteAddress).toBe('127.0.0.1')
  socket.destroy()
})

test('when neither DNS nor a remembered address helps, DNS is what is told', async () => {
  const port = await greeter()
  closers.splice(0).forEach((close) => close())
  const resolver = new Resolver({ lookup: failing('EAI_AGAIN'), remembered: () => ['127.0.0.1'] })
  await expect(dial({ host: 'h.example', port, timeoutMs: 15_000 }, { ...plainWorld, resolver })).rejects.toMatchObject({ code: 'dns-failed' })
})

test('what is remembered of hosts is bounded, kept, and read as nothing when it is rubbish', () => {
  const store = new MemoryStore()
  const known = new KnownHosts(store, () => 5)
  for (let i = 0; i < 100; i++) known.noteAddress(`h${i}.example`, '192.0.2.1')
  for (let i = 0; i < 9; i++) known.noteAddress('H99.example', `192.0.2.${i}`)
  known.noteAddress('192.0.2.5', '192.0.2.5')
  known.noteAddress('name.example', 'rubbish')
  known.noteServerKey('https://h99.example', new Uint8Array(32).fill(7))
  const again = new KnownHosts(store, () => 5)
  expect(again.addressesOf('h0.example')).toEqual([])
  expect(again.addressesOf('h99.example')).toEqual(['192.0.2.8', '192.0.2.7', '192.0.2.6', '192.0.2.5'])
  expect(again.addressesOf('name.example')).toEqual([])
  expect(again.serverKey('https://h99.example')).toEqual(new Uint8Array(32).fill(7))
  for (const text of ['', '{', '[]', 'null', '{"version":2,"hosts":{}}', '{"version":1,"hosts":{"a":null,"b":{"addresses":[5,"x"],"key":"zz"}}}']) {
    store.save('known-hosts', text)
    expect(new KnownHosts(store, () => 5).addressesOf('b')).toEqual([])
  }
})

test('what is forgotten of a host is gone from both generations on the disk at once', () => {
  const dir = makeTempDir('known')
  try {
    const store = new Store({ dir, clock: new HandClock() })
    const known = new KnownHosts(store, () => 5)
    known.noteServerKey('https://hs.example', new Uint8Array(32).fill(7))
    known.noteAddress('hs.example', '192.0.2.1')
    known.noteAddress('other.example', '192.0.2.2')
    store.flush()
    known.noteAddress('other.example', '192.0.2.3')
    store.flush()
    known.forget('https://hs.example', 'HS.example')
    const kept = store.peek('known-hosts')
    expect(kept.length).toBe(2)
    for (const text of kept) {
      expect(text).toContain('other.example')
      expect(text).not.toContain('hs.example')
    }
  } finally {
    removeTempDir(dir)
  }
})
