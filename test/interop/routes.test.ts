/**
 * Networks behind real routers: two tailscaleds that offer the network of this very machine as a site of 4via6, since its own addresses
 * would lead past them. An engine of ours and a tailscaled reach a service in it.
 */
import type { Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { describe, expect, test } from 'vitest'
import { networkOf } from '../../main/engine/base/ip.ts'
import { runOk } from '../support/child.ts'
import { dialVia, ProxyRefusal } from '../support/proxy-client.ts'
import { waitFor, within } from '../support/wait.ts'
import type { Lab } from './lab/lab.ts'
import { echoOnce, echoService, webService } from './lab/services.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import type { RoutesPage } from '../../main/localapi/routes.ts'

const PATIENCE_MS = 60_000
/** An address of this machine that is not loopback: a router dials no loopback for others. */
const here = Object.values(networkInterfaces()).flatMap((all) => all ?? []).find(({ family, internal, address }) => family === 'IPv4' && !internal && !address.startsWith('169.254.'))
const bits = Number(here?.cidr?.split('/')[1] ?? 32)
const host = (here?.address ?? '192.0.2.1').split('.').map(Number)
const pair = (high: number, low: number): string => ((high << 8) | low).toString(16)
/** The same address at site 7. */
const site = `fd7a:115c:a1e0:b1a:0:7:${pair(host[0]!, host[1]!)}:${pair(host[2]!, host[3]!)}`
const siteRoute = networkOf(site, 120)!
const ownNetwork = networkOf(here?.address ?? '192.0.2.1', bits)!

let ours: LabNode
let real: LabNode
let routers: LabNode[]

const page = async (node: LabNode): Promise<RoutesPage> => JSON.parse((await node.bowline('routes', '--json')).stdout) as RoutesPage
const row = async (node: LabNode, prefix: string): Promise<RoutesPage['Routes'][number] | undefined> => (await page(node)).Routes.find(({ Prefix }) => Prefix === prefix)
const fetched = (node: LabNode, port: number): Promise<string> => runOk('curl', ['-sS', '--max-time', '20', '--socks5-hostname', `127.0.0.1:${node.socksPort}`, `http://[${site}]:${port}/`])

/** Resolves when the engine uses the network through one of the routers, with which. */
async function carrier(): Promise<LabNode> {
  const name = await waitFor('the network to be used', async () => {
    const found = await row(ours, siteRoute)
    if (found?.State !== 'used') throw new Error(found ? `${found.State}: ${found.Why}` : 'nobody offers it')
    return found.Via?.Name
  }, { withinMs: PATIENCE_MS })
  return routers.find((router) => router.name === name)!
}

async function offer(lab: Lab, router: LabNode): Promise<void> {
  await router.tailscale('set', `--advertise-routes=${siteRoute},${ownNetwork}`)
  const { id } = await lab.headscale.node(router.name)
  await lab.headscale.approveRoutes(id, [siteRoute, ownNetwork])
}

if (!here) describe.skip('networks behind devices (this machine has no address but loopback)', () => test('nothing'))
else {
  labSuite('networks behind devices', { relays: 'derper' }, async (lab) => {
    ;[ours, real, ...routers] = (await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'gw-a'), lab.join('tailscaled', 'gw-b')])) as [LabNode, LabNode, LabNode, LabNode]
    for (const router of routers) await offer(lab, router)
    await Promise.all([...routers.map((router) => ours.waitUsable(router)), ...routers.map((router) => real.waitUsable(router))])
  }, (lab) => {
    test('are offered and not used before somebody says so, here as with the official client', async () => {
      await waitFor('the offer', () => row(ours, siteRoute), { withinMs: PATIENCE_MS })
      expect(await row(ours, siteRoute)).toMatchObject({ State: 'not-accepted' })
      const service = await webService('a page behind a router', here.address)
      try {
        for (const node of [ours, real]) await expect(fetched(node, service.port), node.name).rejects.toThrow(/curl/)
      } finally {
        await service.close()
      }
    })

    test('are used once they are accepted, by the official command too; the network that this machine is on is left alone', async () => {
      for (const node of [ours, real]) expect(await node.tailscale('set', '--accept-routes')).toMatchObject({ code: 0 })
      await carrier()
      if (bits < 32) expect(await row(ours, ownNetwork)).toMatchObject({ State: 'overlaps', Why: expect.stringContaining(ownNetwork) })
      const service = await webService('a page behind a router', here.address)
      try {
        for (const node of [ours, real]) expect(await fetched(node, service.port), node.name).toBe('a page behind a router')
      } finally {
        await service.close()
      }
    })

    test('one that was skipped stays so over a restart, until it is accepted again', async () => {
      const service = await webService('a page behind a router', here.address)
      try {
        expect(await ours.bowline('routes', 'skip', siteRoute)).toMatchObject({ code: 0 })
        await expect(fetched(ours, service.port)).rejects.toThrow(/curl/)
        await ours.stop()
        await ours.start()
        await ours.waitState('Running', PATIENCE_MS)
        await waitFor('the choice', async () => (await row(ours, siteRoute))?.State === 'skipped' && (await row(ours, siteRoute))!.Standby.length > 0, { withinMs: PATIENCE_MS })
        expect(await ours.bowline('routes', 'accept', siteRoute)).toMatchObject({ code: 0 })
        await carrier()
        expect(await fetched(ours, service.port)).toBe('a page behind a router')
      } finally {
        await service.close()
      }
    })

    test('when the router dies the other one takes over with the server’s word: new connections work, old ones end', async () => {
      const service = await echoService(here.address)
      const old: Socket[] = []
      try {
        const first = await carrier()
        const quiet = await dialVia(ours.via(), site, service.port, PATIENCE_MS)
        old.push(quiet)
        const ended = new Promise((resolve) => quiet.once('close', resolve))
        quiet.on('error', () => undefined)
        quiet.resume()
        await first.stop('kill')
        const second = await waitFor('the other router', async () => {
          const now = await carrier()
          return now === first ? undefined : now
        }, { withinMs: PATIENCE_MS })
        const { id } = await lab().headscale.node('ours')
        const told = lab().headscale.sentTo(id).filter(({ body }) => JSON.stringify(body['PeersChanged'] ?? []).includes(siteRoute)).at(-1)
        await echoOnce(ours.via(), site, service.port, PATIENCE_MS)
        console.log(`${Date.now() - told!.atMs} ms after the server's word: a new connection through ${second.name}`)
        await within('the old connection to end', PATIENCE_MS, ended)
        console.log(`${Date.now() - told!.atMs} ms after the server's word: the old connection has ended`)
      } finally {
        for (const socket of old) socket.destroy()
        await service.close()
      }
    }, 120_000)

    test('when no router is left, the network is missed and what leads there is refused', async () => {
      const last = await carrier()
      await last.stop('kill')
      const missed = await waitFor('the loss', async () => {
        const found = await row(ours, siteRoute)
        return found?.State === 'no-router' ? found : undefined
      }, { withinMs: PATIENCE_MS })
      expect(missed.Why).toContain(`${last.name} is offline`)
      const { id } = await lab().headscale.node('ours')
      await waitFor('the server to take the network away', () => lab().headscale.sentTo(id).some(({ body }) => JSON.stringify(body['PeersChanged'] ?? []).includes(`"Name":"${last.name}.lab.internal."`)), { withinMs: PATIENCE_MS })
      await expect(dialVia(ours.via(), site, 80, PATIENCE_MS)).rejects.toBeInstanceOf(ProxyRefusal)
      expect(await row(ours, siteRoute)).toMatchObject({ State: 'no-router' })
    }, 120_000)
  })
}
