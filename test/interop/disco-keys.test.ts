/**
 * Disco keys change while the server that would tell of it is away: each side tells its own inside the tunnel, behind every new
 * session, and the direct path heals without the server.
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
      const [ours, real] = await Promise.all([lab().join('bowline', 'ours'), lab().join('tailscaled', 'real')])
      await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
      await Promise.all([ours.waitDirect(real), real.waitDirect(ours)])
      const before = { real: await peerKey(ours), ours: await peerKey(real) }
      await lab().headscale.stop()
      for (const node of [ours, real]) expect(await node.api.call('POST', 'debug?action=rotate-disco-key')).toMatchObject({ status: 200 })
      // A new session: the engine goes on from its saved list of devices, with the old key of the other in it.
      await ours.stop()
      await ours.start()
      const { v4 } = await real.ips()
      await waitFor('a packet through the tunnel', async () => (await ours.api.ping(v4, 'TSMP')).Err === '', { withinMs: 60_000 })
      await waitFor('us to know the new key of the tailscaled', async () => (await peerKey(ours)) !== before.real, { withinMs: 60_000 })
      await waitFor('the tailscaled to know our new key', async () => (await peerKey(real)) !== before.ours, { withinMs: 60_000 })
      await ours.waitDirect(real, 60_000)
      await real.waitDirect(ours, 60_000)
    }, 240_000)
  },
)
