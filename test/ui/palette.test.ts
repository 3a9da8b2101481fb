import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS, NO_VIEW } from '../../main/localapi/app-settings.ts'
import { NO_POLICY, type PolicySnapshot } from '../../main/localapi/policy.ts'
import type { AppState, ExitNodesPage, PeerStatus, Status } from '../../preload/contract.ts'
import { devicesOf } from '../../renderer/state/devices.ts'
import { paletteOf, type Item, type Surroundings } from '../../renderer/state/palette.ts'

const peer = (id: string, name: string, over: Partial<PeerStatus> = {}): PeerStatus => ({
  ID: id, PublicKey: `nodekey:${id}`, HostName: name, DNSName: `${name}.lab.internal.`, OS: 'linux', UserID: 1, TailscaleIPs: [`100.64.0.${id.slice(1)}`], Addrs: null, CurAddr: '',
  Relay: 'fra', PeerRelay: '', RxBytes: 0, TxBytes: 0, Created: '', LastWrite: '', LastSeen: '0001-01-01T00:00:00Z', LastHandshake: '0001-01-01T00:00:00Z', Online: true,
  ExitNode: false, ExitNodeOption: false, Active: false, PeerAPIURL: null, TaildropTarget: 0, NoFileSharingReason: '', InNetworkMap: true, InMagicSock: true, InEngine: true, ...over,
})
const peers = [
  peer('n2', 'nascent-ci', { Tags: ['tag:ci'] }), peer('n3', 'nas-oslo', { Tags: ['tag:office'] }), peer('n4', 'db-nas'), peer('n5', 'zürich', { UserID: 2 }), peer('n6', 'exit-ams', { ExitNodeOption: true }),
]
const status: Status = {
  Version: '1', TUN: false, BackendState: 'Running', HaveNodeKey: true, AuthURL: '', TailscaleIPs: [], Self: peer('n1', 'me'), Health: [], MagicDNSSuffix: '', CurrentTailnet: null, CertDomains: null, ExtraRecords: null,
  Peer: Object.fromEntries(peers.map((one) => [one.PublicKey, one])), User: { '1': { ID: 1, LoginName: 'anna', DisplayName: 'Anna' }, '2': { ID: 2, LoginName: 'mateo', DisplayName: 'Mateo Ruiz' } }, ClientVersion: null,
}
const app: AppState = { engine: 'running', sinceMs: 0, restarts: 0, host: 'electron', platform: 'linux', version: '1', settings: DEFAULT_SETTINGS, languages: [], tray: 'none', engineHost: 'app' }
const exit = { Chosen: { Kind: 'none' }, Egress: { Kind: 'direct' }, Nodes: [{ ID: 'n6', Name: 'exit-ams.lab.internal', Owner: 'anna', Unavailable: '' }] } as unknown as ExitNodesPage
const around = (over: Partial<Surroundings> = {}): Surroundings => ({ app, status, devices: devicesOf(status, undefined, true), view: NO_VIEW, accounts: [], exit, policy: NO_POLICY, on: true, ...over })
const held = (Settings: NonNullable<PolicySnapshot['Settings']>): PolicySnapshot => ({ ...NO_POLICY, Settings })

const items = (typed: string, over: Partial<Surroundings> = {}): readonly Item[] => paletteOf(typed, undefined, around(over)).flatMap((group) => group.items)
const ids = (typed: string, over: Partial<Surroundings> = {}): readonly string[] => items(typed, over).map((item) => item.id)

describe('the command palette', () => {
  it('puts the device first whose name begins as was typed, with what can be done with it, then the others', () => {
    const groups = paletteOf('nas-', undefined, around())
    expect(groups[0]).toMatchObject({ id: 'device', title: 'nas-oslo' })
    expect(groups[0]!.items.map((item) => item.label)).toEqual(['Open nas-oslo', 'Copy address', 'Copy name', 'Explain the path', 'What may be reached', 'Reach a port…', 'Details'])
    expect(paletteOf('nas', undefined, around())[1]!.items.map((item) => item.label)).toContain('db-nas')
  })

  it('finds by owner, address and without accents', () => {
    expect(ids('mateo')[0]).toBe('open-n5')
    expect(ids('zurich')[0]).toBe('open-n5')
    expect(ids('100.64.0.4')[0]).toBe('open-n4')
  })

  it('finds commands by other names', () => {
    expect(ids('vpn off')).toContain('command-disconnect')
    expect(ids('vpn on', { on: false })).toContain('command-connect')
    expect(ids('nat')).toContain('command-diagnose')
  })

  it('keeps to commands after >, to people after @ and to tags after #', () => {
    expect(items('>').every((item) => item.id.startsWith('command-'))).toBe(true)
    expect(ids('@mateo')).toEqual(['device-n5'])
    expect(ids('#ci')).toEqual(['device-n2'])
  })

  it('goes on to a port after a colon', () => {
    expect(items('nas-oslo:443')[0]!.doing).toEqual({ kind: 'open-page', to: '100.64.0.3:443', scheme: 'https' })
    expect(items('nas-oslo:22')[0]!.doing).toEqual({ kind: 'open-port', to: '100.64.0.3:22' })
    expect(items('nas-oslo:70000')).toEqual([])
  })

  it('shows what was opened lately before anything is typed', () => {
    expect(ids('', { view: { ...NO_VIEW, recent: ['n4', 'gone', 'n2'] } }).slice(0, 2)).toEqual(['device-n4', 'device-n2'])
  })

  it('narrows to one device after Tab', () => {
    const device = around().devices.find((one) => one.id === 'n6')!
    expect(paletteOf('exit', device, around()).flatMap((group) => group.items.map((item) => item.id))).toContain('exit-n6')
    expect(paletteOf('', device, around())).toHaveLength(1)
  })

  it('offers nothing that the policy holds or hides', () => {
    const pinned = held({ ExitNodeID: { Value: 'n6' }, 'AlwaysOn.Enabled': { Value: true } })
    expect(ids('exit-ams', { policy: pinned })).not.toContain('exit-n6')
    expect(ids('>', { policy: pinned })).not.toContain('command-disconnect')
    expect(ids('exit-ams', { policy: held({ ExitNodesPicker: { Value: 'hide' } }) })).not.toContain('exit-n6')
  })

  it('offers no change of the network while the engine is away', () => {
    const away = { app: { ...app, engine: 'stopped' as const }, devices: devicesOf(status, undefined, false) }
    const doing = new Set([...items('', away), ...items('exit', away), ...items('nas', away)].map((item) => item.doing.kind))
    for (const kind of ['connect', 'use-exit', 'open-page', 'switch-account', 'add-account'] as const) expect(doing.has(kind)).toBe(false)
  })

  it('stays short and in order with ten thousand devices', () => {
    const many = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => peer(`n${i + 10}`, `host-${String(i).padStart(5, '0')}`)).map((one) => [one.PublicKey, one]))
    const large = around({ devices: devicesOf({ ...status, Peer: many }, undefined, true) })
    const groups = paletteOf('host-00042', undefined, large)
    expect(groups[0]!.title).toBe('host-00042')
    expect(paletteOf('host', undefined, large).flatMap((group) => group.items).length).toBeLessThan(40)
  })

  it('takes anything that can be typed, and makes no id twice', () => {
    fc.assert(fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[>@#]?[a-z-]{0,6}:?\d{0,6}$/)), (typed) => {
      const found = ids(typed)
      expect(new Set(found).size).toBe(found.length)
    }))
  })
})

