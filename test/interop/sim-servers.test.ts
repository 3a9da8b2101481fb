/**
 * The simulated control server, relay and gate, proven with real tailscaleds: what they take for a server is one.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { submitForm, visit } from '../sim/control/browser.ts'
import { SimControl } from '../sim/control/sim-control.ts'
import { SimDerp } from '../sim/derp/sim-derp.ts'
import { UdpGate } from '../sim/net/udp-gate.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { LabNode } from './lab/node.ts'
import { findPeers, requirePeers } from './lab/peers.ts'
import type { Peers } from './lab/peers.ts'

const found = findPeers()
const suite = found === undefined && process.env['CI'] === undefined ? describe.skip : describe

suite('two tailscaleds on the simulated servers', () => {
  const gate = new UdpGate()
  const control = new SimControl({ approveRoutes: true })
  const derp = new SimDerp({ verify: (key) => control.tailnet.nodeByKey(key) !== undefined, seenAs: (from) => gate.publicOf(from) })
  let folder: string
  let one: LabNode
  let two: LabNode

  beforeAll(async () => {
    const peers: Peers = found ?? requirePeers()
    folder = makeTempDir('sim')
    await control.start()
    await derp.start()
    control.tailnet.setDerpMap(derp.derpMap())
    const { tailscaled, tailscale } = peers
    const env = { TS_DEBUG_NEVER_DIRECT_UDP: 'true' }
    const always = { kind: 'tailscaled', tailscaled, tailscale, folder, loginUrl: control.url, env } as const
    const node = (name: string): LabNode => new LabNode({ name, ...always })
    one = node('n1')
    two = node('n2')
    await Promise.all([one.start(), two.start()])
  }, 60_000)

  afterAll(async () => {
    await Promise.all([one.stop(), two.stop()])
    await derp.stop()
    await gate.stop()
    await control.stop()
    removeTempDir(folder)
  })

  test('one joins by auth key, the other through the sign-in page', async () => {
    await one.up(control.createAuthKey({ login: 'ada' }))
    const up = two.tailscale('up', `--login-server=${control.url}`, '--hostname=n2', '--timeout=30s')
    const { url } = await control.until(() => control.pendingSignIns()[0], 'a device at the sign-in page')
    expect((await submitForm(await visit(url), { name: 'mia' })).status).toBe(200)
    expect((await up).code).toBe(0)
    await two.waitState('Running', 20_000)
  })

  test('they reach each other through the simulated relay', async () => {
    const ping = await one.waitUsable(two)
    expect(ping.DERPRegionID).toBe(derp.region)
    expect(derp.counts.forwarded).toBeGreaterThan(0)
  })

  test('STUN told each the public port that the gate holds for it', async () => {
    for (const node of [one, two]) {
      const seen = await gate.publicOf({ ip: '127.0.0.1', port: node.udpPort })
      const endpoint = `127.0.0.1:${String(seen?.port)}`
      const isPublished = (): boolean => control.tailnet.nodeNamed(node.name).endpoints.includes(endpoint)
      await waitFor(`${node.name} to publish ${endpoint}`, isPublished, { withinMs: 10_000 })
    }
  })

  test('a renamed and then a removed peer is seen at once', async () => {
    control.tailnet.rename(control.tailnet.nodeNamed('n2'), 'renamed')
    await waitFor('the new name', async () => (await one.peer('renamed')) !== undefined, { withinMs: 1000 })
    control.tailnet.remove(control.tailnet.nodeNamed('renamed'))
    await waitFor('the peer to be gone', async () => (await one.peer('renamed')) === undefined, { withinMs: 1000 })
  })

  test('a restart of the server is survived', async () => {
    await control.restart()
    const isBack = (): boolean => control.tailnet.nodeNamed('n1').online && (control.counts.get('/machine/map stream') ?? 0) >= 3
    await waitFor('the stream to be opened again', isBack, { withinMs: 20_000 })
  })

  test('logout ends the node’s key', async () => {
    expect((await one.tailscale('logout')).code).toBe(0)
    expect(control.tailnet.isExpired(control.tailnet.nodeNamed('n1'))).toBe(true)
  })
})
