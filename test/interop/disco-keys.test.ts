/**
 * Disco keys change while the server that would tell of it is away: each of two engines tells its own inside the tunnel, behind
 * every new session, and the direct path heals without the server. (A tailscaled 1.102.5 neither tells nor asks; it takes no
 * harm from being told.)
 */
import { expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

/** The disco key of the only peer, as a node uses it. */
async function peerKey(node: LabNode): Promise<string | undefined> {
  const { text } = await node.api.call('POST', 'debug?action=peer-disco-keys')
  return Object.values(JSON.parse(text) as Record<string, string>)[0]
}

labSuite(
  'disco keys',
  { relays: 'derper' },
  async () => {},
  (lab) => {
    test('each side learns a new key of the other while the server is away, and finds the direct path again', async () => {
      const [ours, other] = await Promise.all([lab().join('bowline', 'ours'), lab().join('bowline', 'other')])
      await Promise.all([ours.waitUsable(other), other.waitUsable(ours)])
      await Promise.all([ours.waitDirect(other), other.waitDirect(ours)])
      const before = { other: await peerKey(ours), ours: await peerKey(other) }
      await lab().headscale.stop()
      for (const node of [ours, other]) expect(await node.api.call('POST', 'debug?action=rotate-disco-key')).toMatchObject({ status: 200 })
      // A new session: the engine goes on from its saved list of devices, with the old key of the other in it.
      await ours.stop()
      await ours.start()
      const { v4 } = await other.ips()
      await waitFor('a packet through the tunnel', async () => (await ours.api.ping(v4, 'TSMP')).Err === '', { withinMs: 60_000 })
      await waitFor('us to know the new key of the other', async () => (await peerKey(ours)) !== before.other, { withinMs: 60_000 })
      await waitFor('the other to know our new key', async () => (await peerKey(other)) !== before.ours, { withinMs: 60_000 })
      await ours.waitDirect(other, 60_000)
      await other.waitDirect(ours, 60_000)
    }, 240_000)

    test('a tailscaled that is told a key takes no harm', async () => {
      await lab().headscale.resume()
      const [ours, real] = [lab().nodes.find(({ name }) => name === 'ours')!, await lab().join('tailscaled', 'real')]
      await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
      const told = async (): Promise<number> => Number(/^bowline_disco_keys_told_total (\d+)$/m.exec((await ours.api.call('GET', 'metrics')).text)?.[1] ?? 0)
      const before = await told()
      const [{ v4: ourIp }, { v4 }] = [await ours.ips(), await real.ips()]
      await waitFor('packets both ways', async () => (await ours.api.ping(v4, 'TSMP')).Err === '' && (await real.api.ping(ourIp, 'TSMP')).Err === '', { withinMs: 60_000 })
      expect(await told()).toBeGreaterThan(before)
      await ours.waitDirect(real)
    }, 120_000)
  },
)
