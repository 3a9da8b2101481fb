/**
 * Paths through a node that relays: our client through a tailscaled's relay, and a pair of tailscaleds through ours. No node
 * here may be reached directly, so what does not go by the peer relay goes by DERP.
 */
import { expect, test } from 'vitest'
import { freeUdpPort } from '../support/ports.ts'
import { waitFor } from '../support/wait.ts'
import type { Policy } from './lab/headscale.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const NEVER_DIRECT = { TS_DEBUG_NEVER_DIRECT_UDP: 'true' }
const BYTES = 6_000_000
const POLICY: Policy = {
  acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }],
  grants: [{ src: ['*'], dst: ['*'], app: { 'tailscale.com/cap/relay': [] } }],
}

/** Resolves when pings from one node to the other come back through a peer relay, with the relay's address. */
function waitPeerRelay(from: LabNode, to: LabNode): Promise<string> {
  return waitFor(
    `a path from ${from.name} to ${to.name} through a peer relay`,
    async () => {
      const { PeerRelay, Err, Endpoint, DERPRegionCode } = await from.api.ping((await to.ips()).v4, 'disco')
      if (PeerRelay === '') throw new Error(`answered by ${Endpoint}${DERPRegionCode}${Err}`)
      return PeerRelay
    },
    { withinMs: 45_000, everyMs: 200 },
  )
}

labSuite(
  'our client through the relay of a tailscaled',
  { relays: 'derper', policy: POLICY },
  async () => {},
  (lab) => {
    test('a path comes to be, carries bytes whole both ways, and leaves the stream alone when the relay dies', async () => {
      const relay = await lab().join('tailscaled', 'relay')
      const port = await freeUdpPort()
      expect(await relay.tailscale('set', `--relay-server-port=${port}`)).toMatchObject({ code: 0 })
      const [ours, real] = await Promise.all([lab().join('bowline', 'ours', { env: NEVER_DIRECT }), lab().join('tailscaled', 'real', { env: NEVER_DIRECT })])
      await Promise.all([ours.waitUsable(real), real.waitUsable(ours), ours.waitUsable(relay), real.waitUsable(relay)])
      expect(await waitPeerRelay(ours, real)).toMatch(new RegExp(`:${port}:vni:[1-9][0-9]*$`))
      expect(await waitPeerRelay(real, ours)).toMatch(new RegExp(`:${port}:vni:[1-9][0-9]*$`))
      for (const verb of ['get', 'put'] as const) {
        const result = await lab().transfer(verb, ours.via(), (await real.ips()).v4, BYTES)
        expect(result).toMatchObject({ bytes: BYTES, sha256: result.expected })
      }
      expect((await ours.peer('real'))?.PeerRelay).toMatch(/:vni:/)
      expect((await ours.tailscale('ping', '-c', '1', '--until-direct=false', (await real.ips()).v4)).stdout).toMatch(/via peer-relay\(.*:vni:\d+\)/)

      const moving = lab().transfer('get', ours.via(), (await real.ips()).v4, 3 * BYTES)
      await waitFor('bytes to flow', async () => ((await ours.peer('real'))?.RxBytes ?? 0) > 1.2 * BYTES, { withinMs: 30_000, everyMs: 5 })
      await relay.stop('kill')
      const result = await moving
      expect(result).toMatchObject({ bytes: 3 * BYTES, sha256: result.expected })
      await waitFor('the path to be DERP again', async () => (await ours.peer('real'))?.PeerRelay === '', { withinMs: 30_000 })
      expect(await ours.api.ping((await real.ips()).v4, 'disco')).toMatchObject({ Err: '', DERPRegionID: 900 })
    }, 120_000)
  },
)

labSuite(
  'a pair of tailscaleds through our relay',
  { relays: 'derper', policy: POLICY },
  async () => {},
  (lab) => {
    test('both find it by our offer, and their bytes go through us whole and unread', async () => {
      // Before the others: a tailscaled whose first request finds no relay asks again after 30 s only.
      const relay = await lab().join('bowline', 'relay')
      const port = await freeUdpPort()
      expect(await relay.tailscale('set', `--relay-server-port=${port}`)).toMatchObject({ code: 0 })
      const [a, b] = await Promise.all([lab().join('tailscaled', 'a', { env: NEVER_DIRECT }), lab().join('tailscaled', 'b', { env: NEVER_DIRECT })])
      await Promise.all([a.waitUsable(b), b.waitUsable(a), a.waitUsable(relay), b.waitUsable(relay)])
      expect(await waitPeerRelay(a, b)).toMatch(new RegExp(`:${port}:vni:[1-9][0-9]*$`))
      expect(await waitPeerRelay(b, a)).toMatch(new RegExp(`:${port}:vni:[1-9][0-9]*$`))
      for (const verb of ['get', 'put'] as const) {
        const result = await lab().transfer(verb, a.via(), (await b.ips()).v4, BYTES)
        expect(result).toMatchObject({ bytes: BYTES, sha256: result.expected })
      }
      const { stdout } = await relay.tailscale('debug', 'peer-relay-sessions')
      expect(stdout).toMatch(new RegExp(`port.*${port}`))
      expect(stdout).toContain((await waitPeerRelay(a, b)).split(':').at(-1)!)

      expect(await relay.tailscale('set', '--relay-server-port=')).toMatchObject({ code: 0 })
      await waitFor('the relay to be closed', async () => (await relay.tailscale('debug', 'peer-relay-sessions')).stdout.includes('not configured'), { withinMs: 30_000 })
    }, 120_000)
  },
)
