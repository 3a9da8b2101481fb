/**
 * "Can I reach it, and which rule says so?" beside a stock tailscaled under the policies of a real Headscale: each verdict names what is
 * really in the way, and rules are blamed only when the device itself said so.
 */
import { describe, expect, test } from 'vitest'
import type { ReachPage } from '../../main/localapi/reach.ts'
import { waitFor } from '../support/wait.ts'
import { ALLOW_ALL } from './lab/headscale.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { echoService } from './lab/services.ts'
import type { Service } from './lab/services.ts'
import { labSuite } from './lab/suite.ts'

let world: { readonly ours: LabNode; readonly stock: LabNode; readonly open: Service; readonly shut: Service }

async function prepare(lab: Lab): Promise<void> {
  const [ours, stock, open, shut] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'stock'), echoService(), echoService()])
  world = { ours, stock, open, shut }
  await ours.waitUsable(stock)
}

async function reach(target: string): Promise<ReachPage> {
  return JSON.parse((await world.ours.bowline('reach', '--json', target)).stdout) as ReachPage
}

/** Looks until what was changed has come to the other device. */
async function until(target: string, code: string): Promise<ReachPage> {
  return waitFor(`reach ${target} to be ${code}`, async () => {
    const page = await reach(target)
    return page.Verdict?.Code === code ? page : undefined
  }, { withinMs: 60_000 })
}

const failed = (page: ReachPage): string[] => page.Rungs.filter(({ State }) => State === 'failed').map(({ Name }) => Name)

labSuite('reaching a place of the network', {}, prepare, (lab) => {
  describe('a stock device', () => {
    test('that allows it is reached, every rung of the ladder proven', async () => {
      const { v4 } = await world.stock.ips()
      const page = await until(`stock:${world.open.port}`, 'open')
      expect(page).toMatchObject({ Address: v4, Device: { Name: 'stock', IsItself: true } })
      expect(page.Rungs.map(({ Name, State }) => `${Name} ${State}`)).toEqual(['name', 'device', 'route', 'handshake', 'path', 'tunnel', 'host', 'port'].map((name) => `${name} passed`))
      expect((await world.ours.bowline('reach', `${v4}:${world.open.port}`)).code).toBe(0)
    })

    test('on which nothing listens says so itself', async () => {
      await world.shut.close()
      const page = await until(`stock:${world.shut.port}`, 'nothing-listens')
      expect([failed(page), page.Request]).toEqual([['port'], undefined])
    })

    test('whose rules refuse it is said to by the device, and an admin is given what would allow it', async () => {
      const { v4 } = await world.stock.ips()
      await lab().headscale.setPolicy({ acls: [{ action: 'accept', proto: 'tcp', src: ['*'], dst: [`${v4}:${world.open.port}`] }] })
      const page = await until(`stock:${world.shut.port}`, 'policy')
      expect(failed(page)).toEqual(['port'])
      expect(page.Rungs.at(-1)?.Value).toBe('acl')
      expect((await reach(`stock:${world.open.port}`)).Verdict?.Code).toBe('open')
      const grant = JSON.parse(page.Request!.split('\n').find((line) => line.startsWith('{"src"'))!) as { src: string[]; dst: string[]; ip: string[] }
      expect(grant).toMatchObject({ dst: [v4], ip: [`tcp:${world.shut.port}`] })
      await lab().headscale.setPolicy({ acls: [], grants: [grant] })
      await until(`stock:${world.shut.port}`, 'nothing-listens')
      await lab().headscale.setPolicy(ALLOW_ALL)
    })

    test('with its shields up takes none, and no rule is blamed', async () => {
      await world.stock.tailscale('set', '--shields-up')
      const page = await until(`stock:${world.open.port}`, 'shields-up')
      expect([failed(page), page.Request]).toEqual([['port'], undefined])
      await world.stock.tailscale('set', '--shields-up=false')
      await until(`stock:${world.open.port}`, 'open')
    })

    test('that is off is told from one that refuses', async () => {
      await world.stock.stop()
      const page = await waitFor('the verdict on a device that is gone', async () => {
        const one = await reach(`stock:${world.open.port}`)
        return one.Verdict?.Rung === 'port' ? undefined : one
      }, { withinMs: 60_000 })
      expect(['offline', 'no-answer', 'no-keys', 'no-tunnel']).toContain(page.Verdict?.Code)
      expect(page.Rungs.at(-1)).toEqual({ Name: 'port', State: 'not-looked' })
      expect((await reach('nobody-here:1')).Verdict?.Code).toBe('no-such-name')
      expect((await reach('100.99.98.97')).Verdict?.Code).toBe('no-such-device')
    })
  })
})
