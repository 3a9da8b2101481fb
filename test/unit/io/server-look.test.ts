/**
 * What a look at a server sees of its certificates, over real TLS on this computer.
 */
import { createHash, X509Certificate } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import { KnownHosts } from '../../../main/engine/io/known-hosts.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { ProxyRules } from '../../../main/engine/io/proxy-rules.ts'
import { SystemRoots } from '../../../main/engine/io/roots.ts'
import { ServerLook, type SeenServer } from '../../../main/engine/io/server-look.ts'
import { ServerTrust } from '../../../main/engine/io/server-trust.ts'
import { plainWorld } from '../../support/plain-world.ts'
import { tlsFile, tlsPair } from '../../support/tls-files.ts'

const SERVER = 'https://localhost'
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

const keyOf = (file: string): string => createHash('sha256').update(new X509Certificate(tlsFile(file)).publicKey.export({ type: 'spki', format: 'der' })).digest('hex')

/** What is seen of a server of the home lab that sends `more` behind its own certificate; the lab's authority is trusted. */
async function seen(more: readonly string[]): Promise<SeenServer> {
  const server = createServer(tlsPair('server', more), (socket) => void socket.on('error', () => {}))
  servers.push(server)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const store = new MemoryStore()
  const trust = new ServerTrust({ roots: new SystemRoots(), known: new KnownHosts(store, () => 0), store, journal: { add: () => {} }, server: () => SERVER })
  trust.add(tlsFile('home-ca.crt'))
  const look = new ServerLook(plainWorld, new ProxyRules({}), trust, SERVER)
  const { stream } = await look.connect('127.0.0.1', (server.address() as AddressInfo).port, true, 30_000, new AbortController().signal)
  return look.certificate(stream, 'localhost', 30_000)
}

test('the keys of a chain are its own, and that of the authority which the computer has', async () => {
  expect((await seen([])).keys).toEqual([keyOf('server.crt'), keyOf('home-ca.crt')])
})

test('a certificate that only bears the name of the issuer adds no key: anybody can send one with the key that a link names', async () => {
  expect((await seen(['pretender'])).keys).toEqual([keyOf('server.crt')])
})
