/**
 * Our relay client against a real derper that speaks TLS with a certificate of its own making: taken when the map pins
 * it, refused when the map pins another or none, taken unseen only when the map says that it is a test.
 */
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Env } from '../../main/engine/base/env.ts'
import { nodeKey, PrivateKey } from '../../main/engine/base/keys.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import type { DerpNode } from '../../main/engine/core/tailcfg/types.ts'
import { DerpRegions } from '../../main/engine/derp/derp-regions.ts'
import { dialRelay } from '../../main/engine/io/relay-dial.ts'
import { systemClock, systemRandom } from '../sim/clock.ts'
import { Child } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { findPeers } from './lab/peers.ts'

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
  async function attempt(node: Partial<DerpNode>): Promise<string> {
    const regions = new DerpRegions({ env, dial: dialRelay })
    const states: string[] = []
    regions.start({ onDisco: () => {}, onFrames: () => {}, onPeerGone: () => {}, onState: (_region, state, why) => states.push(`${state}: ${why}`) })
    const key = PrivateKey.fromRandom(systemRandom.bytes(32))
    expect(nodeKey(key.publicBytes())).toMatch(/^nodekey:/)
    regions.setPrivateKey(key)
    regions.setMap({ Regions: { 1: { RegionID: 1, RegionCode: 'x', RegionName: 'X', Nodes: [{ Name: '1a', RegionID: 1, HostName: '127.0.0.1', DERPPort: port, STUNPort: -1, ...node }] } } })
    regions.setHome(1)
    try {
      return await waitFor('an outcome', () => states.find((text) => !text.startsWith('connecting')), { withinMs: 8000 })
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

  it('looks at no certificate when the map says that it is a test', async () => {
    expect(await attempt({ InsecureForTests: true })).toMatch(/^connected/)
  })
})
