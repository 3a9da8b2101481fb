/**
 * What the network lets through, as our engine says it beside the official command, and what each tells the server of it.
 */
import { expect, test } from 'vitest'
import type { NetcheckJson } from '../../main/engine/core/netcheck/report.ts'
import type { NetInfo } from '../../main/engine/core/tailcfg/types.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const PATIENT = { withinMs: 60_000, everyMs: 250 }
let ours: LabNode
let real: LabNode

labSuite('netcheck beside the official command', { relays: 'derpers' }, async (lab) => {
  ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
}, () => {
  const mine = async (...flags: string[]): Promise<NetcheckJson> => JSON.parse((await ours.bowline('netcheck', '--json', ...flags)).stdout) as NetcheckJson
  const theirs = async (): Promise<NetcheckJson> => JSON.parse((await ours.tailscale('netcheck', '--format=json')).stdout) as NetcheckJson
  const host = (address: string): string => address.replace(/:\d+$/, '')

  test('has the same fields with values of the same kinds, and the same facts', async () => {
    const [own, official] = [await mine(), await theirs()]
    // What we say beside it has names of its own.
    expect(Object.keys(own).filter((name) => name !== 'PortMapping').toSorted()).toEqual(Object.keys(official).toSorted())
    for (const [name, value] of Object.entries(official)) {
      const got = own[name as keyof NetcheckJson]
      if (value !== null && got !== null) expect([name, typeof got]).toEqual([name, typeof value])
    }
    for (const name of ['UDP', 'IPv4', 'IPv6', 'OSHasIPv6', 'IPv4CanSend', 'ICMPv4', 'MappingVariesByDestIP', 'CaptivePortal'] as const) expect([name, own[name]]).toEqual([name, official[name]])
    for (const name of ['RegionLatency', 'RegionV4Latency', 'RegionV6Latency'] as const) expect([name, Object.keys(own[name])]).toEqual([name, Object.keys(official[name])])
    for (const ns of Object.values(own.RegionLatency)) expect(Number.isInteger(ns)).toBe(true)
    expect(host(own.GlobalV4)).toBe(host(official.GlobalV4))
    expect(own.GlobalV4).toBe(`127.0.0.1:${ours.udpPort}`)
    expect(own.GlobalV6).toBe(official.GlobalV6)
    expect(Object.keys(own.GlobalV4Counters!).map(host)).toEqual(Object.keys(official.GlobalV4Counters!).map(host))
  })

  test('tells the server the same things in the same form', async () => {
    const seenByUs = await waitFor('their NetInfo', async () => {
      const { Peers } = JSON.parse((await ours.api.call('GET', 'bowline/netmap')).text) as { Peers: { Name: string; Hostinfo: { NetInfo?: NetInfo } }[] }
      return Peers.find((peer) => peer.Name.startsWith('real.'))?.Hostinfo.NetInfo
    }, PATIENT)
    const seenByThem = await waitFor('our NetInfo', async () => {
      const { Peers } = JSON.parse((await real.tailscale('debug', 'netmap')).stdout) as { Peers: { Name: string; Hostinfo: { NetInfo?: NetInfo } }[] }
      return Peers.find((peer) => peer.Name.startsWith('ours.'))?.Hostinfo.NetInfo
    }, PATIENT)
    // Port mapping is off in this lab: theirs says "not there", ours says that nobody asked.
    const rest = ({ UPnP: _upnp, PMP: _pmp, PCP: _pcp, DERPLatency, PreferredDERP, FirewallMode: _mode, ...others }: NetInfo): object => ({ ...others, PreferredDERP: typeof PreferredDERP, latencies: Object.keys(DERPLatency ?? {}).every((name) => /^90[01]-v4$/.test(name)) })
    expect(rest(seenByThem)).toEqual(rest(seenByUs))
  })

  test('is told in words, and again and again as lines of JSON until it is interrupted', async () => {
    const { stdout, code } = await ours.bowline('netcheck')
    expect(code).toBe(0)
    expect(stdout).toMatch(/^Direct paths are possible from this network\.\n[^]*UDP +gets out[^]*NAT +keeps one port[^]*Home relay +Lab 90[01]/)
    const going = ours.startBowline('netcheck', '--every=100ms', '--json')
    await waitFor('three reports', () => going.stdout.split('\n').length > 3, PATIENT)
    await going.stop()
    for (const line of going.stdout.trim().split('\n').slice(0, 3)) expect(JSON.parse(line)).toMatchObject({ UDP: true })
  })

  test('takes the home relay that the official debug command forces, while it answers', async () => {
    const before = (await mine()).PreferredDERP
    const other = before === 900 ? 901 : 900
    expect((await ours.tailscale('debug', 'force-prefer-derp', String(other))).code).toBe(0)
    await waitFor('the forced home', async () => (await mine()).PreferredDERP === other, PATIENT)
    await waitFor('the other node to be told', async () => (await real.peer('ours'))?.Relay === `r${other}`, PATIENT)
    await ours.tailscale('debug', 'force-prefer-derp', '0')
    await ours.tailscale('debug', 'pick-new-derp')
    await waitFor('another home', async () => (await real.peer('ours'))?.Relay !== '', PATIENT)
  })
})
