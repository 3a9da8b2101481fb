import { describe, expect, test } from 'vitest'
import type { PreviewFacts } from '../../../../main/engine/core/preview/facts.ts'
import type { MapResponse, Node } from '../../../../main/engine/core/tailcfg/types.ts'
import { Previews } from '../../../../main/engine/features/trial/previews.ts'
import type { MachinePage, PreviewPage, WantedChange } from '../../../../main/localapi/machine.ts'
import { settle } from '../../../sim/clock.ts'
import { makeRig, recorded } from '../../backend/rig.ts'
import type { Rig } from '../../backend/rig.ts'
import { makeTrial } from '../../server/rig.ts'

const BOTH = ['0.0.0.0/0', '::/0']
const WLAN = { name: 'wlan0', ip: '192.168.1.5', prefix: 24, internal: false }
const EXIT: WantedChange = { Prefs: { ExitNodeID: '2', ExitNodeIDSet: true } }
const ROUTES: WantedChange = { Prefs: { RouteAll: true, RouteAllSet: true } }
const SEEN: Omit<PreviewFacts, 'system'> = {
  connections: [{ local: { ip: '192.168.1.5', port: 3389 }, remote: { ip: '192.168.1.44', port: 50_000 }, isInbound: true, isOurs: false, program: 'xrdp' }],
  neighbours: [{ ip: '192.168.1.20', interface: 'wlan0' }], printers: [{ name: 'HP-2', host: '192.168.1.20' }], nets: [], names: { servers: ['192.168.1.1'], search: [] },
}
const WHOLE: MachinePage = {
  Mode: 'whole', State: 'on', IsService: true, Device: 'bowline0', Mtu: 1280, Addresses: [], Routes: [], Bypass: [], Internet: 'direct', Firewall: 'nftables',
  Names: { Through: 'systemd-resolved', All: false, Domains: [], Search: [], Own: [] }, Forwarding: { By: 'none', SourceNat: false }, Problems: [],
}

/** An exit node (2), a router of 10.20.0.0/16 (3), and a device that is neither (4). */
function map(): MapResponse {
  const message = recorded('02-initial-one-peer.json')
  const base = message.Peers![0]!
  const peer = (id: number, routes: readonly string[]): Node => {
    const ip = `100.64.0.${id}/32`
    return { ...base, ID: id, StableID: String(id), Key: `nodekey:${String(id).padStart(64, '0')}`, Name: `n-${id}.lab.internal.`, Addresses: [ip], AllowedIPs: [ip, ...routes], Online: true }
  }
  return { ...message, Peers: [peer(2, BOTH), peer(3, ['10.20.0.0/16']), peer(4, [])] }
}

async function running(): Promise<Rig> {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }, AuthKey: 'k' })
  rig.backend.facts.onSystem({ interfaces: [WLAN], defaultRoutes: [{ interface: 'wlan0', gateway: '192.168.1.1' }] })
  rig.signIn(map())
  await settle()
  return rig
}

function preview(rig: Rig, change: WantedChange, machine: Partial<MachinePage> = {}, withPrograms = true): Promise<PreviewPage> {
  const previews = new Previews({ wanted: rig.backend.wanted, machine: { page: () => ({ ...WHOLE, ...machine }) }, surroundings: { look: async () => SEEN, proxyPorts: () => [] } })
  return previews.page(change, withPrograms)
}

const kinds = ({ Losses }: PreviewPage): string[] => Losses.map(({ Kind, Address }) => `${Kind} ${Address}`)

describe('a preview for the whole computer', () => {
  test('of an exit node names the session, the printer and the network that would be lost, and changes nothing', async () => {
    const rig = await running()
    const page = await preview(rig, EXIT)
    expect(kinds(page)).toEqual(['remote-session 192.168.1.44', 'printer 192.168.1.20', 'gateway 192.168.1.1'])
    expect(page).toMatchObject({ IsRisky: true, Internet: { Before: 'direct', After: 'exit' }, RoutesAdded: [], RoutesRemoved: [] })
    expect(rig.backend.views.prefs().ExitNodeID).toBe('')
  })

  test('on trial names no programs, since everybody of this computer may read what is on trial', async () => {
    const rig = await running()
    const connections = [{ local: { ip: '192.168.1.5', port: 40_000 }, remote: { ip: '203.0.113.9', port: 443 }, isInbound: false, isOurs: false, program: 'firefox' }]
    const { previews, trials } = makeTrial(rig, { ...SEEN, connections }, WHOLE)
    expect(JSON.stringify(await previews.page(EXIT, true))).toContain('firefox')
    const told = JSON.stringify((await trials.act({ Change: EXIT })).Trial?.Losses)
    expect(told).toContain('"printer"')
    expect(told).not.toContain('firefox')
    trials.stop()
  })

  test('of the same with the local network kept takes nothing', async () => {
    const change = { Prefs: { ...EXIT.Prefs, ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true } }
    expect(await preview(await running(), change)).toMatchObject({ Losses: [], IsRisky: false, Internet: { After: 'exit' } })
  })

  test('of networks behind devices says which come, and of none which go', async () => {
    const rig = await running()
    expect(await preview(rig, ROUTES)).toMatchObject({ RoutesAdded: ['10.20.0.0/16'], RoutesRemoved: [], IsRisky: false })
    rig.backend.editPrefs(ROUTES.Prefs)
    expect(await preview(rig, { SkippedRoutes: ['10.20.0.0/16'] })).toMatchObject({ RoutesAdded: [], RoutesRemoved: ['10.20.0.0/16'] })
  })

  test('of a device that is no exit node says that nothing would go out', async () => {
    const page = await preview(await running(), { Prefs: { ExitNodeID: '4', ExitNodeIDSet: true } })
    expect(page.Losses[0]).toMatchObject({ Kind: 'internet', Why: { Code: 'exit-unusable' } })
    expect(page).toMatchObject({ IsRisky: true, Internet: { After: 'blocked' } })
  })

  test('of apps only takes the names of devices, for which nobody needs a trial', async () => {
    const page = await preview(await running(), { Mode: 'apps' })
    expect(kinds(page)).toEqual(['names lab.internal'])
    expect(page.IsRisky).toBe(false)
  })
})

describe('a preview', () => {
  test('of a mode that cannot be had says why, and nothing else', async () => {
    const cannot = { Code: 'no-rights', Text: 'no rights' }
    expect(await preview(await running(), { Mode: 'whole' }, { Mode: 'apps', State: 'off', Cannot: cannot })).toMatchObject({ Refused: cannot, Losses: [], IsRisky: false })
  })

  test('with apps only takes nothing of the computer', async () => {
    expect(await preview(await running(), EXIT, { Mode: 'apps', State: 'off' })).toMatchObject({ Losses: [], IsRisky: false, Internet: { After: 'exit' } })
  })

  test('names no programs to those who may only read', async () => {
    const rig = await running()
    const withoutPorts = { ...SEEN, connections: [{ ...SEEN.connections[0]!, local: { ip: '192.168.1.5', port: 9999 } }] }
    const previews = new Previews({ wanted: rig.backend.wanted, machine: { page: () => WHOLE }, surroundings: { look: async () => withoutPorts, proxyPorts: () => [] } })
    expect((await previews.page(EXIT, true)).Losses[0]).toMatchObject({ Kind: 'remote-session', Name: 'rdp' })
    expect(JSON.stringify(await previews.page(EXIT, false))).not.toContain('rdp')
  })

  test('of nonsense is refused in words', async () => {
    const rig = await running()
    for (const body of [undefined, 7, [], {}, { Prefs: 7 }, { Prefs: { Hostname: 'x', HostnameSet: true } }, { Else: 1 }]) await expect(preview(rig, body as WantedChange)).rejects.toMatchObject({ code: 'bad-argument' })
    expect(await preview(rig, { SkippedRoutes: ['10.20.0.1/16'] })).toMatchObject({ Refused: { Code: 'bad-prefs' } })
  })
})
