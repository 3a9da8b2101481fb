/**
 * The same client against the Headscale of the version before: joining, pings, traffic, a policy change, and a sign-in by
 * link that an admin approves, from the command and for an engine that waits.
 */
import { expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import { echoOnce, echoService, reaches } from './lab/services.ts'
import type { LabNode } from './lab/node.ts'

const BYTES = 20_000_000

let ours: LabNode
let real: LabNode

labSuite(
  'Headscale 0.28',
  { headscale: 'before' },
  async (lab) => {
    expect(await lab.headscale.cli('version')).toMatch(/v?0\.28\./)
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
  },
  (lab) => {
    test('joining by auth key: server and peer know us by name and address', async () => {
      expect(await lab().headscale.node('ours')).toMatchObject({ name: 'ours', online: true, user: { name: 'alice' } })
      const own = await ours.api.status()
      expect(own.Self.DNSName).toBe('ours.lab.internal.')
      expect(await real.peer('ours')).toMatchObject({ HostName: 'ours', OS: 'linux', Online: true, TailscaleIPs: own.TailscaleIPs })
    })

    test.each(['disco', 'TSMP', 'ICMP'] as const)('%s pings are answered both ways', async (type) => {
      await Promise.all([ours.waitDirect(real), real.waitDirect(ours)])
      for (const [from, to] of [[ours, real], [real, ours]] as const) expect((await from.api.ping((await to.ips()).v4, type)).Err).toBe('')
    })

    test.each(['get', 'put'] as const)('%s of 20 MB through our proxy arrives whole', async (verb) => {
      const result = await lab().transfer(verb, ours.via(), (await real.ips()).v4, BYTES)
      expect(result).toMatchObject({ bytes: BYTES, sha256: result.expected })
    })

    test('a peer that is renamed is seen', async () => {
      const { id } = await lab().headscale.node('real')
      await lab().headscale.rename(id, 'renamed')
      await waitFor('the new name', async () => (await ours.peer('renamed')) !== undefined || undefined, { withinMs: 5000 })
      await lab().headscale.rename(id, 'real')
      await waitFor('the old name', async () => (await ours.peer('real')) !== undefined || undefined, { withinMs: 5000 })
    })

    test('a changed policy closes and opens ports', async () => {
      const [open, shut] = [await echoService(), await echoService()]
      try {
        const [to, from] = [await ours.ips(), await real.ips()]
        await echoOnce(real.via(), to.v4, shut.port, 5000)
        await lab().headscale.setPolicy({ acls: [{ action: 'accept', src: [from.v4, from.v6], dst: [`${to.v4}:${open.port}`] }] })
        await waitFor('the port to close', async () => !(await reaches(real.via(), to.v4, shut.port, 1500)), { withinMs: 20_000 })
        await echoOnce(real.via(), to.v4, open.port, 5000)
        await lab().headscale.setPolicy({ acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }] })
        await waitFor('the port to open', () => reaches(real.via(), to.v4, shut.port, 1500), { withinMs: 20_000 })
      } finally {
        await Promise.all([open.close(), shut.close()])
      }
    })

    test('a sign-in by link is approved by the admin and ends in Running', async () => {
      const guest = await lab().add('bowline', 'guest')
      const done = guest.bowline('up', `--login-server=${lab().headscale.url}`, '--hostname=guest', '--timeout=40s')
      const link = await waitFor('the link', async () => (await guest.api.status()).AuthURL || undefined, { withinMs: 15_000 })
      expect(link.startsWith(`${lab().headscale.url}/register/`)).toBe(true)
      await lab().headscale.approve(link)
      const { code, stderr } = await done
      expect(code, stderr).toBe(0)
      expect(stderr).toContain(link)
      await guest.waitUsable(real)
      expect(await guest.bowline('logout')).toMatchObject({ code: 0 })
      await guest.waitState('NeedsLogin', 10_000)
      await waitFor('the server to see it out', async () => {
        const node = (await lab().headscale.nodes()).find((one) => one.given_name === 'guest')
        return node?.online !== true || undefined
      }, { withinMs: 20_000 })
    })

    test('after a restart of the server everything goes on', async () => {
      await lab().headscale.restart()
      await ours.waitUsable(real)
      await waitFor('us online again', async () => (await lab().headscale.node('ours')).online === true || undefined, { withinMs: 40_000, everyMs: 250 })
    })
  },
)
