/**
 * What an administrator of a real Headscale does to devices is seen here at once, on both versions: tags, routes, the end
 * of a device's sign-in and ours, and its return. Times count from the server's message.
 */
import { expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { delayUntilSeen, peerIn } from './lab/observe.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

const SEEN_MS = 1000
const ROUTE = '10.55.0.0/24'

for (const headscale of ['current', 'before'] as const) {
  let ours: LabNode
  let real: LabNode

  labSuite(
    `what an administrator does (${headscale === 'current' ? 'Headscale 0.29' : 'Headscale 0.28'})`,
    { headscale, relays: 'derper', policy: { tagOwners: { 'tag:srv': ['alice@'] }, acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }] } },
    async (lab) => {
      ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
      await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
    },
    (lab) => {
      const idOf = async (name: string): Promise<string> => String((await lab().headscale.node(name)).id)

      test('routes that are approved', async () => {
        await real.tailscale('set', `--advertise-routes=${ROUTE}`)
        const id = Number(await idOf('real'))
        await waitFor('the server to know the route', async () => JSON.stringify(await lab().headscale.node('real')).includes(ROUTE), { withinMs: 15_000 })
        const delayMs = await delayUntilSeen(lab(), ours, () => lab().headscale.approveRoutes(id, [ROUTE]), (text) => text.includes(`"PrimaryRoutes":["${ROUTE}"]`), (status) => peerIn(status, 'real')?.PrimaryRoutes?.includes(ROUTE) === true)
        expect(delayMs).toBeLessThan(SEEN_MS)
      })

      test('the end of our sign-in is plain to see, and a new one brings us back as who we were', async () => {
        const before = await ours.ips()
        const id = await idOf('ours')
        const delayMs = await delayUntilSeen(lab(), ours, () => lab().headscale.cli('nodes', 'expire', '-i', id), (text) => text.includes('"Expired":true'), (status) => status.BackendState === 'NeedsLogin')
        expect(delayMs).toBeLessThan(SEEN_MS)
        expect((await ours.api.status()).Health?.join('\n')).toContain('Your sign-in has ended')
        await waitFor('the peer to see it', async () => (await real.peer('ours'))?.Expired === true || undefined, { withinMs: 20_000 })
        await ours.up(await lab().headscale.authKey())
        await ours.waitState('Running', 20_000)
        await ours.waitUsable(real)
        expect(await ours.ips()).toEqual(before)
        expect((await ours.api.status()).Health).toEqual([])
      })

      test("the end of a peer's sign-in takes it away at once, and its next one brings it back", async () => {
        const [id, { v4 }] = [await idOf('real'), await real.ips()]
        const isOver = (expiry: string | undefined): boolean => expiry !== undefined && Date.parse(expiry) <= Date.now()
        const delayMs = await delayUntilSeen(lab(), ours, () => lab().headscale.cli('nodes', 'expire', '-i', id), (text) => text.includes('"KeyExpiry"'), (status) => isOver(peerIn(status, 'real')?.KeyExpiry) || peerIn(status, 'real')?.Expired === true)
        expect(delayMs).toBeLessThan(SEEN_MS)
        expect((await ours.api.ping(v4, 'TSMP')).Err).toContain('cannot be reached')
        const up = await real.tailscale('up', '--force-reauth', `--auth-key=${await lab().headscale.authKey()}`, `--login-server=${lab().headscale.url}`, '--hostname=real', `--advertise-routes=${ROUTE}`)
        expect(up.code, up.stderr).toBe(0)
        await waitFor('its return', async () => (await ours.api.ping(v4, 'TSMP')).Err === '' || undefined, { withinMs: 30_000 })
      })

      test('a tag', async () => {
        const id = await idOf('real')
        const delayMs = await delayUntilSeen(lab(), ours, () => lab().headscale.cli('nodes', 'tag', '-i', id, '-t', 'tag:srv'), (text) => text.includes('tag:srv'), (status) => peerIn(status, 'real')?.Tags?.includes('tag:srv') === true)
        expect(delayMs).toBeLessThan(SEEN_MS)
      })
    },
  )
}
