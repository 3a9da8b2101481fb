/**
 * Our relay client against a real derper that speaks TLS with a certificate of its own making: taken when the map pins
 * it, refused when the map pins another or none, taken unseen only when the map says that it is a test.
 */
import { copyFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Env } from '../../main/engine/base/env.ts'
import { nodeKey, PrivateKey } from '../../main/engine/base/keys.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import type { DerpNode, DerpRegion } from '../../main/engine/core/tailcfg/types.ts'
import { DerpRegions } from '../../main/engine/derp/derp-regions.ts'
import { measureLatency } from '../../main/engine/derp/latency-check.ts'
import type { Dial } from '../../main/engine/derp/ports.ts'
import { dialRelay as dialRelayIn } from '../../main/engine/io/relay-dial.ts'
import { dialRelay, plainWorld } from '../support/plain-world.ts'
import { SystemRoots } from '../../main/engine/io/roots.ts'
import { systemClock, systemRandom } from '../sim/clock.ts'
import { Child } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { findPeers } from './lab/peers.ts'
import { RelayClient } from './lab/relay-client.ts'

const peers = findPeers()
const env: Env = { clock: systemClock, random: systemRandom, log: silentLog, journal: { add: () => {} } }

describe.skipIf(!peers)('the relay client and a derper with TLS', () => {
  const folder = makeTempDir('tls')
  let port = 0
  let pin = ''
  let derper: Child

  beforeAll(async () => {
    port = await freeTcpPort()
    derper = new Child({
      name: 'derper',
      command: peers!.derper,
      args: ['-a', `127.0.0.1:${port}`, '-http-port', '-1', '-stun=false', '-hostname', '127.0.0.1', '-certmode', 'manual', '-certdir', folder, '-c', join(folder, 'derper.key')],
    })
    pin = await waitFor('the certificate', () => /sha256-raw:[0-9a-f]{64}/.exec(derper.log)?.[0], { withinMs: 20_000 })
  })

  afterAll(async () => {
    await derper.stop()
    removeTempDir(folder)
  })

  /** The last state after one attempt to use the relay as the map describes it. */
  async function attempt(node: Partial<DerpNode>, dial: Dial = dialRelay): Promise<string> {
    const regions = new DerpRegions({ env, dial })
    const states: string[] = []
    regions.start({ onDisco: () => {}, onFrames: () => {}, onPeerGone: () => {}, onState: (_region, state, why) => states.push(`${state}: ${why}`) })
    const key = PrivateKey.fromRandom(systemRandom.bytes(32))
    expect(nodeKey(key.publicBytes())).toMatch(/^nodekey:/)
    regions.setPrivateKey(key)
    regions.setMap({ Regions: { 1: { RegionID: 1, RegionCode: 'x', RegionName: 'X', Nodes: [{ Name: '1a', RegionID: 1, HostName: '127.0.0.1', DERPPort: port, STUNPort: -1, ...node }] } } })
    regions.setHome(1)
    try {
      return await waitFor('an outcome', () => states.find((text) => !text.startsWith('connecting')), { withinMs: 30_000 })
    } finally {
      regions.stop()
    }
  }

  it('takes the pinned certificate', async () => {
    expect(await attempt({ CertName: pin })).toMatch(/^connected/)
  })

  it('refuses another certificate than the pinned one', async () => {
    expect(await attempt({ CertName: `sha256-raw:${'0'.repeat(64)}` })).toBe('lost: the certificate is not the pinned one')
  })

  it('refuses a certificate that nobody vouches for', async () => {
    expect(await attempt({})).toMatch(/^lost: .*self-signed/)
  })

  it('starts fast: logs in with its first bytes, since the relay shows its key in a certificate', async () => {
    let first = ''
    const watched: Dial = async (host, dialPort, options) => {
      const stream = await dialRelay(host, dialPort, options)
      const write = stream.write.bind(stream) as (bytes: Uint8Array) => boolean
      stream.write = ((bytes: Uint8Array) => {
        first ||= Buffer.from(bytes).toString('latin1')
        return write(bytes)
      }) as typeof stream.write
      return stream
    }
    expect(await attempt({ CertName: pin }, watched)).toMatch(/^connected/)
    expect(first).toContain('Derp-Fast-Start: 1\r\n')
  })

  it('measures the round trip after TLS, by the same rules', async () => {
    const deps = { env, dial: dialRelay }
    const region = (CertName: string): DerpRegion => ({ RegionID: 1, RegionCode: 'x', RegionName: 'X', Nodes: [{ Name: '1a', RegionID: 1, HostName: '127.0.0.1', DERPPort: port, CertName }] })
    expect(await measureLatency(deps, region(pin), () => false, 30_000)).toMatchObject({ family: 4 })
    await expect(measureLatency(deps, region(`sha256-raw:${'0'.repeat(64)}`), () => false, 30_000)).rejects.toThrow('not the pinned one')
  })

  it('looks at no certificate when the map says that it is a test', async () => {
    expect(await attempt({ InsecureForTests: true })).toMatch(/^connected/)
  })
})

describe.skipIf(!peers)('the relay client and a derper with a certificate of a private root', () => {
  const folder = makeTempDir('own-root')
  const name = 'relay.lab.internal'
  const roots = new SystemRoots({ env: { SSL_CERT_FILE: fileURLToPath(new URL('../vectors/tls/home-ca.crt', import.meta.url)) }, native: undefined })
  const trusting: Dial = (host, port, options) => dialRelayIn(host, port, options, { ...plainWorld, roots })
  let port = 0
  let derper: Child

  beforeAll(async () => {
    for (const [kind, ending] of [['crt', 'crt'], ['key', 'key']]) copyFileSync(new URL(`../vectors/tls/server.${kind!}`, import.meta.url), join(folder, `${name}.${ending!}`))
    port = await freeTcpPort()
    derper = new Child({
      name: 'derper',
      command: peers!.derper,
      args: ['-a', `127.0.0.1:${port}`, '-http-port', '-1', '-stun=false', '-hostname', name, '-certmode', 'manual', '-certdir', folder, '-c', join(folder, 'derper.key')],
    })
    await waitFor('the derper to serve', () => dialRelay(name, port, { tls: true, timeoutMs: 5000, addresses: ['127.0.0.1'], servername: name, verify: 'caller' }).then((socket) => socket.destroy()), { withinMs: 30_000 })
  })

  afterAll(async () => {
    await derper.stop()
    removeTempDir(folder)
  })

  async function attempt(node: Partial<DerpNode>, dial: Dial = trusting): Promise<string> {
    const client = new RelayClient({ Regions: { 1: { RegionID: 1, RegionCode: '', RegionName: '', Nodes: [{ Name: '1a', RegionID: 1, HostName: name, IPv4: '127.0.0.1', IPv6: 'none', DERPPort: port, ...node }] } } }, { dialer: dial, isPlain: false })
    client.regions.setHome(1)
    try {
      return await waitFor('an outcome', () => client.states.find((text) => !text.includes('connecting')), { withinMs: 30_000 })
    } finally {
      client.regions.stop()
    }
  }

  it('takes it where the root is trusted, and another name of it where the map names that', async () => {
    expect(await attempt({})).toMatch(/^1 connected/)
    expect(await attempt({ CertName: 'hs.lab.internal' })).toMatch(/^1 connected/)
  })

  it('refuses it where the root is not trusted, and where the map wants a name that it does not carry', async () => {
    expect(await attempt({}, dialRelay)).toMatch(/^1 lost/)
    expect(await attempt({ CertName: 'else.example' })).toMatch(/^1 lost.*name/)
  })
})
