/**
 * Joining a real Headscale by auth key, and what each side then knows of the other.
 */
import { release } from 'node:os'
import { expect, test } from 'vitest'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let real: LabNode

labSuite(
  'joining by auth key',
  {},
  async (lab) => {
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
  },
  (lab) => {
    test('the server lists this node as online under its name', async () => {
      expect(await lab().headscale.node('ours')).toMatchObject({ name: 'ours', online: true, user: { name: 'alice' } })
    })

    test('the server was told the true host name and operating system', async () => {
      const peer = await real.peer('ours')
      expect(peer).toMatchObject({ HostName: 'ours', OS: 'linux', Online: true })
      const { id } = await lab().headscale.node('real')
      const sent = JSON.stringify(lab().headscale.sentTo(id).map(({ body }) => body))
      expect(sent).toContain(release())
    })

    test('both sides agree on addresses and names', async () => {
      const [own, seen] = [await ours.api.status(), await real.peer('ours')]
      expect(own.BackendState).toBe('Running')
      expect(own.Self.DNSName).toBe('ours.lab.internal.')
      expect(own.MagicDNSSuffix).toBe('lab.internal')
      expect(seen?.TailscaleIPs).toEqual(own.TailscaleIPs)
      expect(seen?.PublicKey).toBe(own.Self.PublicKey)
      const there = await ours.peer('real')
      expect(there).toMatchObject({ HostName: 'real', OS: 'linux', Online: true, DNSName: 'real.lab.internal.' })
      expect(there?.TailscaleIPs).toEqual((await real.api.status()).TailscaleIPs)
    })

    test('the home relay is one of the map and the server knows it', async () => {
      const { Self } = await ours.api.status()
      expect(['r900', 'r901']).toContain(Self.Relay)
      expect((await real.peer('ours'))?.Relay).toBe(Self.Relay)
    })

    test('whois names the peer behind an address, and answers 404 for a stranger', async () => {
      const { v4, v6 } = await real.ips()
      for (const addr of [v4, v6, `${v4}:80`]) {
        const reply = await ours.api.whois(addr)
        expect(reply.status, addr).toBe(200)
        expect(JSON.parse(reply.text)).toMatchObject({ Node: { Name: 'real.lab.internal.' }, UserProfile: { LoginName: expect.stringContaining('alice') } })
      }
      expect((await ours.api.whois('100.99.99.99')).status).toBe(404)
    })

    test('keys appear in no log', () => {
      expect(ours.log).not.toMatch(/privkey:|nodekey-priv|hskey-auth-[A-Za-z0-9_-]{20}/)
    })
  },
)
