import { createServer, type AddressInfo, type Server } from 'node:net'
import { rootCertificates, createServer as createTlsServer } from 'node:tls'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EngineError } from '../../../main/engine/base/errors.ts'
import { dial, type DialWorld } from '../../../main/engine/io/dial.ts'
import { KnownHosts } from '../../../main/engine/io/known-hosts.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { SystemRoots } from '../../../main/engine/io/roots.ts'
import { ServerTrust } from '../../../main/engine/io/server-trust.ts'
import { plainWorld } from '../../support/plain-world.ts'
import { tlsFile, tlsPair } from '../../support/tls-files.ts'

const homeCa = tlsFile('home-ca.crt')
let store: MemoryStore
let known: KnownHosts
let current: string
let told: { kind: string; why?: string | undefined }[]
const servers: Server[] = []

const make = (roots = new SystemRoots()): ServerTrust => new ServerTrust({ roots, known, store, journal: { add: ({ kind, why }) => void told.push({ kind, why }) }, server: () => current })

beforeEach(() => {
  store = new MemoryStore()
  known = new KnownHosts(store, () => 0)
  current = 'https://hs.lab.internal'
  told = []
})
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(server: Server): Promise<number> {
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

const serving = (name: string, chain: readonly string[] = []): Promise<number> =>
  listen(createTlsServer(tlsPair(name, chain), (socket) => void socket.on('error', () => {}).end('hello')))

/** What became of a verified connection to hs.lab.internal at that port: "connected", or the code. */
async function outcome(port: number, roots: ServerTrust): Promise<string> {
  const world: DialWorld = { ...plainWorld, roots }
  try {
    const socket = await dial({ host: 'hs.lab.internal', addresses: ['127.0.0.1'], port, timeoutMs: 10_000, tls: { servername: 'hs.lab.internal', rejectUnauthorized: true } }, world)
    socket.destroy()
    return 'connected'
  } catch (error) {
    return (error as EngineError).code
  }
}

describe('a certificate that a person added', () => {
  test('makes its server trusted, and no other server', async () => {
    const port = await serving('server')
    const trust = make()
    expect(await outcome(port, trust)).toBe('cert-unknown-issuer')
    expect(trust.add(homeCa)).toMatchObject([{ subject: 'Home Lab Root', isAuthority: true }])
    expect(await outcome(port, trust)).toBe('connected')
    current = 'https://other.example'
    expect(await outcome(port, trust)).toBe('cert-unknown-issuer')
    current = 'https://hs.lab.internal:443/'
    expect(await outcome(port, trust)).toBe('connected')
    trust.remove(trust.list().certificates[0]!.fingerprint)
    expect(await outcome(port, trust)).toBe('cert-unknown-issuer')
    expect(told.map(({ kind }) => kind)).toEqual(['added', 'removed'])
  })

  test('may be the self-signed certificate itself, an intermediate, or that of the server alone', async () => {
    const cases = [['localhost', 'localhost.crt', 'cert-self-signed'], ['no-middle', 'middle.crt', 'cert-incomplete'], ['server', 'server.crt', 'cert-unknown-issuer']] as const
    for (const [name, added, before] of cases) {
      const port = await serving(name)
      const trust = make()
      expect(await outcome(port, trust), name).toBe(before)
      trust.add(tlsFile(added), 'https://hs.lab.internal')
      // The first is for localhost: what is left to refuse is its name.
      expect(await outcome(port, trust), name).toBe(name === 'localhost' ? 'cert-wrong-name' : 'connected')
      trust.remove(trust.list().certificates[0]!.fingerprint)
    }
  })

  test('does not excuse anything else', async () => {
    const trust = make()
    trust.add(homeCa)
    expect(await outcome(await serving('expired'), trust)).toBe('cert-expired')
    expect(await outcome(await serving('future'), trust)).toBe('cert-not-yet-valid')
    expect(await outcome(await serving('other-name'), trust)).toBe('cert-wrong-name')
    expect(await outcome(await serving('intercepted'), trust)).toBe('cert-intercepted')
    expect(await outcome(await serving('no-middle', ['middle']), trust)).toBe('cert-incomplete')
  })

  test('is kept over a restart, once, and found by the beginning of its fingerprint', () => {
    const trust = make()
    expect(trust.add(homeCa)).toHaveLength(1)
    expect(trust.add(homeCa + homeCa)).toHaveLength(0)
    const again = make()
    const { server, certificates } = again.list()
    expect(server).toBe('https://hs.lab.internal')
    expect(certificates).toHaveLength(1)
    const { fingerprint } = certificates[0]!
    expect(() => again.remove('AB')).toThrow('no certificate with that fingerprint')
    expect(again.remove(`sha256:${fingerprint.replaceAll(':', '').slice(0, 10).toLowerCase()}`)).toMatchObject({ fingerprint })
    expect(make().list().certificates).toEqual([])
  })

  test('can be one that the server showed, until it is trusted', async () => {
    const trust = make()
    const port = await serving('intercepted')
    await outcome(port, trust)
    expect(trust.list().shown).toMatchObject([{ subject: 'hs.lab.internal', issuer: 'FG100E Firewall CA', isAuthority: false }])
    trust.add(trust.list().shown[0]!.pem)
    expect(await outcome(port, trust)).toBe('connected')
    expect(trust.list().shown).toEqual([])
    expect(trust.list('https://elsewhere.example').shown).toEqual([])
  })

  test('is refused when it is none, when a key comes with it, or when the server has no TLS', () => {
    const trust = make()
    const refusals: readonly [string, string | undefined, RegExp][] = [
      ['rubbish', undefined, /no certificate/],
      [tlsFile('server.crt') + tlsFile('server.key'), undefined, /private key/],
      ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----', undefined, /cannot be read/],
      ['x'.repeat(300_000), undefined, /larger/],
      [homeCa, 'http://hs.lab.internal', /without TLS/],
      [homeCa, 'rubbish', /URL/],
    ]
    for (const [pem, server, why] of refusals) expect(() => trust.add(pem, server)).toThrow(why)
    expect(trust.list().certificates).toEqual([])
  })

  test('in a file that was damaged is gone, and the engine goes on', () => {
    store.save('trust', '{"version":1,"servers":{"https://a":["rubbish"]}}')
    expect(make().list().certificates).toEqual([])
  })
})

test('another issuer than the one that vouched before is told as an interception, unless a person had added it', async () => {
  const withHome = new SystemRoots({ native: () => [homeCa], platform: 'linux', read: () => undefined, list: () => [] })
  const port = await serving('localhost')
  const world = (roots: ServerTrust): DialWorld => ({ ...plainWorld, roots })
  const attempt = (of: ServerTrust, at: number): Promise<unknown> =>
    dial({ host: 'localhost', addresses: ['127.0.0.1'], port: at, timeoutMs: 10_000, tls: { servername: 'localhost', rejectUnauthorized: true } }, world(of)).then((socket) => socket.destroy(), (error: EngineError) => error.code)
  current = 'https://localhost'
  const added = make()
  added.add(homeCa)
  await attempt(added, await serving('server'))
  expect(known.vouchedBy('localhost')).toBeUndefined()
  added.remove(added.list().certificates[0]!.fingerprint)
  await attempt(make(withHome), await serving('server'))
  expect(new KnownHosts(store, () => 0).vouchedBy('LOCALHOST')).toBe('Home Lab Root')
  expect(await attempt(make(), await serving('server'))).toBe('cert-unknown-issuer')
  expect(await attempt(make(), port)).toBe('cert-intercepted')
})

describe("the machine's roots", () => {
  const files = (all: Record<string, string>) => ({ native: undefined, platform: 'linux', read: (path: string) => all[path], list: (path: string) => Object.keys(all).filter((name) => name.startsWith(`${path}/`)).map((name) => name.slice(path.length + 1)) }) as const
  const plain = (pem: string): string => pem.replace(/\s/g, '')
  const [rootA, rootB] = rootCertificates as [string, string]

  test.each(['/etc/ssl/certs/ca-certificates.crt', '/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem', '/etc/pki/tls/certs/ca-bundle.crt', '/var/lib/ca-certificates/ca-bundle.pem', '/etc/ssl/cert.pem'])('are the bundle at %s where Node cannot read the store', (path) => {
    expect(new SystemRoots(files({ [path]: `# words\n${rootA}\n${homeCa}` })).pems().map(plain)).toEqual([rootA, homeCa].map(plain))
  })

  test('are single files where there is no bundle, and places that the environment names instead of the usual', () => {
    expect(new SystemRoots(files({ '/etc/ssl/certs/a.pem': rootA, '/etc/ssl/certs/readme': 'x' })).pems().map(plain)).toEqual([rootA].map(plain))
    const all = { '/etc/ssl/certs/ca-certificates.crt': rootA, '/my/file.pem': rootB, '/my/dir/one.crt': homeCa }
    expect(new SystemRoots({ ...files(all), env: { SSL_CERT_FILE: '/my/file.pem', SSL_CERT_DIR: '/my/dir' } }).pems().map(plain)).toEqual([rootB, homeCa].map(plain))
  })

  test('are what Node reads, with the bundle, each once', () => {
    const native = (kind: 'system' | 'extra'): string[] => (kind === 'system' ? [homeCa.replaceAll('\n', '\r\n')] : [rootB])
    expect(new SystemRoots({ ...files({ '/etc/ssl/certs/ca-certificates.crt': rootA + homeCa }), native }).pems().map(plain)).toEqual([homeCa, rootB, rootA].map(plain))
  })

  test("are Node's own where the system has none, or tells a part of them only", () => {
    expect(new SystemRoots(files({})).pems()).toHaveLength(new Set(rootCertificates).size)
    expect(new SystemRoots({ platform: 'win32', native: () => [homeCa] }).pems()).toHaveLength(new Set(rootCertificates).size + 1)
  })
})

test('a server without TLS and one that is silent are no certificate faults', async () => {
  expect(await outcome(await listen(createServer((socket) => void socket.on('error', () => {}).end('HTTP/1.1 400 Bad Request\r\n\r\n'))), make())).toBe('io')
})
