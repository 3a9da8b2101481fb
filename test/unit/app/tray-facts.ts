/**
 * Facts of a small network for tests of tray and notifications.
 */
import { DEFAULT_SETTINGS, NO_VIEW } from '../../../main/localapi/app-settings.ts'
import type { ExitNodesPage } from '../../../main/localapi/exit-nodes.ts'
import { NO_POLICY } from '../../../main/localapi/policy.ts'
import { NO_TRANSFERS, type TransferAsk, type TransferRow } from '../../../main/localapi/transfers.ts'
import type { LoginProfile, PeerStatus, Status, Warning } from '../../../main/localapi/types.ts'
import type { TrayFacts, TrayItem } from '../../../main/app/tray/model.ts'

export const NOW_MS = Date.parse('2026-11-23T12:00:00Z')

export function peer(id: string, name: string, more: Partial<PeerStatus> = {}): PeerStatus {
  return { ID: id, PublicKey: `nodekey:${id}`, HostName: name, DNSName: `${name}.fjord.example.`, OS: 'linux', UserID: 1, TailscaleIPs: [`100.64.0.${id.length + 10}`], Online: true, Active: false, ...more } as PeerStatus
}

export function status(state: Status['BackendState'], more: Partial<Status> = {}): Status {
  return {
    BackendState: state, AuthURL: '', Self: peer('self', 'anna-thinkpad', { TailscaleIPs: ['100.64.0.7'] }), MagicDNSSuffix: 'fjord.example',
    CurrentTailnet: { Name: 'Fjord Labs', MagicDNSSuffix: 'fjord.example', MagicDNSEnabled: true }, Peer: { a: peer('n1', 'nas-oslo'), b: peer('n22', 'build-07') }, ...more,
  } as Status
}

export function exits(more: Partial<ExitNodesPage> = {}): ExitNodesPage {
  const node = (ID: string, Name: string, Suggested = false): ExitNodesPage['Nodes'][number] => ({ ID, Name: `${Name}.fjord.example`, IP: '100.64.0.20', Owner: '', Online: true, Suggested })
  return {
    Version: 1, Chosen: { Kind: 'none' }, Egress: { Kind: 'direct' }, AllowLAN: false, LAN: [], Failure: 'block',
    Nodes: [node('x1', 'exit-ams', true), node('x2', 'exit-nyc'), { ...node('x3', 'exit-old'), Unavailable: 'offline, says the server' }], Proofs: [],
    Offer: { Advertised: false, Approved: false, Flows: 0 }, ...more,
  }
}

export function profile(id: string, name: string): LoginProfile {
  return { ID: id, Name: name, NetworkProfile: { MagicDNSName: '', DomainName: 'fjord.example', DisplayName: '' }, UserProfile: { LoginName: name } } as LoginProfile
}

export const warning = (code: string, args: Readonly<Record<string, string>> = {}, more: Partial<Warning> = {}): Record<string, Warning> =>
  ({ [code]: { WarnableCode: code, Severity: 'high', Title: code, Text: code, Args: args, ...more } })

export function transfer(ID: string, State: TransferRow['State'], more: Partial<TransferRow> = {}): TransferRow {
  return {
    ID, Batch: 'b1', Direction: 'out', Peer: 'n1', PeerName: 'nas-oslo', Name: `${ID}.pdf`, Kind: 'file', Files: 1, Size: 1000, Done: 0, State, Checked: false,
    Created: new Date(NOW_MS).toISOString(), ...more,
  }
}

export function ask(Batch: string, more: Partial<TransferAsk> = {}): TransferAsk {
  return {
    Batch, Peer: 'n1', PeerName: 'mateo-framework', Owner: 'Mateo', Items: [{ Name: 'report.pdf', Kind: 'file', Size: 2_000_000, Files: 1 }], Count: 1, Size: 2_000_000,
    Since: new Date(NOW_MS).toISOString(), Held: true, Accepted: 0, ...more,
  }
}

export function facts(more: Partial<TrayFacts> = {}): TrayFacts {
  return {
    app: { engine: 'running', sinceMs: NOW_MS, restarts: 0, host: 'electron', platform: 'linux', version: '1', settings: DEFAULT_SETTINGS, languages: ['en'], tray: 'shown' },
    status: status('Running'), prefs: undefined, warnings: null, policy: NO_POLICY, exit: exits(), paths: undefined, profiles: [profile('p1', 'anna@fjord.example')], profile: 'p1', blocked: undefined, transfers: NO_TRANSFERS, machine: undefined, trial: {},
    platform: 'linux', nowMs: NOW_MS, ownEngine: true, badges: 0, ...more,
  }
}

/** Settings of one account's view. */
export function withView(view: Partial<typeof NO_VIEW>): TrayFacts['app'] {
  const { app } = facts()
  return { ...app, settings: { ...app.settings, accounts: { p1: { ...NO_VIEW, ...view } } } }
}

/** The menu as lines of text: submenus indented, marks as [x] and [ ], what cannot be clicked in brackets. */
export function drawn(items: readonly TrayItem[], indent = ''): readonly string[] {
  return items.flatMap((item) => {
    if (item.kind === 'line') return [`${indent}---`]
    if (item.kind === 'submenu') return [`${indent}${item.label} >`, ...drawn(item.items, `${indent}  `)]
    const mark = item.check === undefined ? '' : item.check ? '[x] ' : '[ ] '
    return [`${indent}${mark}${item.action === undefined ? `(${item.label})` : item.label}`]
  })
}

/** All items that can be clicked, also in submenus. */
export function clickable(items: readonly TrayItem[]): readonly Extract<TrayItem, { kind: 'item' }>[] {
  return items.flatMap((item) => (item.kind === 'line' ? [] : item.kind === 'submenu' ? clickable(item.items) : [item]))
}
