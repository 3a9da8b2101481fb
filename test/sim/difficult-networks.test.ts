/**
 * The engine's control client and its real way out (TLS, DNS, remembered hosts) with a simulated control server behind TLS
 * on loopback, over names that no DNS knows.
 */
import { connect, type AddressInfo, type Socket } from 'node:net'
import { createServer, type Server } from 'node:tls'
import { afterEach, expect, test } from 'vitest'
import type { JournalEntry } from '../../main/engine/base/env.ts'
import { PrivateKey, discoKey } from '../../main/engine/base/keys.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { Control } from '../../main/engine/control/control.ts'
import type { ControlState } from '../../main/engine/core/session/types.ts'
import { Http2Connection } from '../../main/engine/io/http2.ts'
import { KnownHosts } from '../../main/engine/io/known-hosts.ts'
import { MemoryStore } from '../../main/engine/io/memory-store.ts'
import { Outside } from '../../main/engine/io/outside.ts'
import { waitFor } from '../support/wait.ts'
import { plainWays } from '../support/plain-world.ts'
import { tlsFile, tlsPair } from '../support/tls-files.ts'
import { systemClock, systemRandom } from './clock.ts'
import { SimControl } from './control/sim-control.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0).toReversed()) await stop()
})

/** A control server whose TLS is done in front of it, with a certificate that can be changed. */
class TlsServer {
  readonly control = new SimControl()
  readonly #front: Server
  readonly #sockets = new Set<Socket>()
  port = 0

  constructor() {
    this.#front = createServer(tlsPair('server'), (socket) => {
      const behind = connect(Number(new URL(this.control.url).port), '127.0.0.1')
      for (const [one, other] of [[socket, behind], [behind, socket]] as const) {
        this.#sockets.add(one)
        one.on('error', () => one.destroy())
        one.on('close', () => other.destroy())
        one.pipe(other)
      }
    })
    this.#front.on('tlsClientError', () => {})
  }

  async start(): Promise<this> {
    await this.control.start()
    await new Promise<void>((resolve) => this.#front.listen(0, '127.0.0.1', resolve))
    this.port = (this.#front.address() as AddressInfo).port
    stops.push(() => this.control.stop(), () => this.#front.close(), () => this.cut())
    return this
  }

  show(name: string): void {
    this.#front.setSecureContext(tlsPair(name))
  }

  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
    this.#sockets.clear()
  }
}

/** A control client of a computer whose disk is `store`. */
function client(store: MemoryStore, url: string): { control: Control; journal: JournalEntry[]; login: { controlUrl: string; machineKey: PrivateKey; nodeKey: PrivateKey | undefined; interactive: boolean }; state: () => ControlState } {
  const journal: JournalEntry[] = []
  const env = { clock: systemClock, random: systemRandom, log: silentLog, journal: { add: (entry: JournalEntry) => void journal.push(entry) } }
  const outside = new Outside({ ...plainWays, env, store, variables: {}, server: () => url })
  const { dial, fetch, noteReached, keptKeys, peekDate } = outside
  const control = new Control({ env, dial, http: fetch, noteReached, keptKeys, peekDate, http2: (stream, authority) => new Http2Connection(stream, authority) })
  control.start({ onState: () => {}, onLoggedIn: ({ nodeKey }) => void (login.nodeKey = nodeKey), onNetMap: () => {}, onPopBrowser: () => {} })
  control.set({ hostinfo: { Hostname: 'n', OS: 'linux' }, endpoints: [], discoKey: discoKey(new Uint8Array(32).fill(1)) })
  stops.push(() => control.stop())
  const login = { controlUrl: url, machineKey: PrivateKey.fromRandom(new Uint8Array(32).fill(9)), nodeKey: undefined as PrivateKey | undefined, interactive: false }
  if (outside.trust.list().certificates.length === 0) outside.trust.add(tlsFile('home-ca.crt'))
  return { control, journal, login, state: () => control.state }
}

test('a server is reached at the address of last time while DNS knows no such name', async () => {
  const server = await new TlsServer().start()
  const store = new MemoryStore()
  new KnownHosts(store, () => 0).noteAddress('hs.lab.internal', '127.0.0.1')
  const { control, login, state } = client(store, `https://hs.lab.internal:${server.port}`)
  control.begin({ ...login, authKey: server.control.createAuthKey({ login: 'ada' }) })
  await waitFor('the map', () => state().kind === 'running', { withinMs: 15_000 })
})

/** A server with a good certificate, and what a device keeps that was in once. */
async function joinedOnce() {
  const server = await new TlsServer().start()
  const url = `https://localhost:${server.port}`
  const store = new MemoryStore()
  const { control, login, state } = client(store, url)
  control.begin({ ...login, authKey: server.control.createAuthKey({ login: 'ada' }) })
  await waitFor('the map', () => state().kind === 'running', { withinMs: 15_000 })
  control.stop()
  return { server, url, store, nodeKey: login.nodeKey }
}

test('a device that was in stays in when the certificate of its server expires, and a new one is told why it cannot come in', async () => {
  const { server, url, store, nodeKey } = await joinedOnce()
  server.show('expired')

  const again = client(store, url)
  again.control.begin({ ...again.login, nodeKey })
  await waitFor('the map again', () => again.state().kind === 'running', { withinMs: 15_000 })
  expect(again.journal.find(({ kind }) => kind === 'kept-key')?.why).toMatch(/the server's key from before is used: the certificate of localhost expired on 2025-04-01/)

  const stranger = client(new MemoryStore(), url)
  stranger.control.begin({ ...stranger.login, authKey: server.control.createAuthKey({ login: 'ada' }) })
  await waitFor('the refusal', () => { const state = stranger.state(); return state.kind === 'lost' && state.code === 'cert-expired' }, { withinMs: 15_000 })
})

test('a key that was vouched for does not excuse another issuer', async () => {
  const { server, url, store, nodeKey } = await joinedOnce()
  server.show('intercepted')
  const again = client(store, url)
  again.control.begin({ ...again.login, nodeKey })
  await waitFor('the refusal', () => { const state = again.state(); return state.kind === 'lost' && state.code === 'cert-intercepted' }, { withinMs: 15_000 })
})
