/**
 * The tray as a value: which of six glyphs, which tooltip, and the whole menu. Pure; the same facts make the same model.
 *
 *   headline · connect · renew │ exit node ▸ devices ▸ │ send files · transfers │ accounts │ open, settings, quit      one level of submenus, no more
 *
 * On Linux every click opens the menu, so "Open Bowline" is first, and up to three accounts stand in the menu itself. Names come from
 * the network and from people: each is made harmless, cut, and its "&" doubled, since one alone would underline the next letter.
 * What the device policy holds is shown with whose rule it is, and cannot be chosen.
 */
import type { AccountView } from '../../localapi/app-settings.ts'
import { viewOf } from '../../localapi/app-settings.ts'
import type { ExitNodeRow, ExitNodesPage } from '../../localapi/exit-nodes.ts'
import { isHidden } from '../../localapi/policy.ts'
import { openBatches } from '../../localapi/transfers.ts'
import type { LoginProfile, PeerStatus } from '../../localapi/types.ts'
import { age, safeText } from '../../words/format.ts'
import { heldWords } from '../../words/held.ts'
import { cannotWords, headline, networkName, pathWords, type Headline } from '../../words/states.ts'
import { isWord, t } from '../../words/words.ts'
import type { Action } from '../actions.ts'
import type { Facts } from '../engine-facts.ts'

export const GLYPHS = ['connected', 'connecting', 'disconnected', 'exit-node', 'attention', 'error'] as const
export type Glyph = (typeof GLYPHS)[number]

export type TrayItem =
  | { readonly kind: 'line' }
  /** `check` undefined: nothing that can be on or off. */
  | { readonly kind: 'item'; readonly label: string; readonly action: Action | undefined; readonly check?: boolean }
  | { readonly kind: 'submenu'; readonly label: string; readonly items: readonly TrayItem[] }

export interface TrayModel {
  readonly glyph: Glyph
  readonly tooltip: string
  readonly menu: readonly TrayItem[]
}

export interface TrayFacts extends Facts {
  readonly platform: string
  readonly nowMs: number
  /** Whether this app can start the engine: it is its own. */
  readonly ownEngine: boolean
  /** How many things want something done, of those that a person wants to be told of. */
  readonly badges: number
}

const RECENT_EXITS = 5
const DEVICES = 10
const NAME_LIMIT = 40
const LINE: TrayItem = { kind: 'line' }
const PORTALS = ['captive-portal-detected', 'exit-node-holds-portal']

export function trayModel(facts: TrayFacts): TrayModel {
  const head = headline(facts.app, facts.status, facts.exit, facts.machine)
  const linux = facts.platform === 'linux'
  const running = facts.app.engine === 'running'
  const connected = running && facts.status?.BackendState === 'Running'
  const open = item(t('tray.open'), { kind: 'open' })
  const parts: readonly (readonly TrayItem[])[] = [
    [...(linux ? [open] : []), headItem(facts, head), ...connectItems(facts), ...renewItems(facts)],
    running ? trialItems(facts) : [],
    connected ? [exitMenu(facts), modeItem(facts), deviceMenu(facts)].filter((one) => one !== undefined) : [],
    connected ? fileItems(facts) : [],
    running ? accountItems(facts, linux) : [],
    [...(linux ? [item(t('tray.small'), { kind: 'small' })] : [open]), item(t('tray.settings'), { kind: 'go', hash: '#/settings' }), item(t('tray.quit'), { kind: 'quit' })],
  ]
  const menu = parts.filter((part) => part.length > 0).flatMap((part, index) => (index === 0 ? part : [LINE, ...part]))
  return { glyph: glyphOf(facts, head), tooltip: head.words, menu }
}

/** A label in which "&" is a letter. Toolkits that underline by "_" get it doubled by Electron. */
export const menuLabel = (text: string): string => safeText(text, 120).replaceAll('&', '&&')

const named = (text: string): string => safeText(text, NAME_LIMIT)

function item(label: string, action: Action | undefined, check?: boolean): TrayItem {
  return { kind: 'item', label: menuLabel(label), action, ...(check === undefined ? {} : { check }) }
}

/** A person must act: attention. Signed out and nothing asked is merely off. */
function glyphOf({ app, status, warnings, badges, transfers }: TrayFacts, head: Headline): Glyph {
  if (head.tone === 'error' || head.tone === 'connecting' || app.engine !== 'running') return head.tone
  const asked = status?.BackendState !== 'NeedsLogin' || status.AuthURL !== '' || status.Self.Expired === true
  if (head.tone === 'attention') return asked ? 'attention' : 'disconnected'
  const acts = ['key-expires-soon', ...PORTALS].some((code) => warnings?.[code] !== undefined)
  return acts || badges > 0 || transfers.Asks.length > 0 ? 'attention' : head.tone
}

function headItem({ status }: TrayFacts, head: Headline): TrayItem {
  const network = named(networkName(status))
  return item(network === '' ? head.words : t('tray.headline', { headline: head.words, network }), { kind: 'open' })
}

function connectItems({ app, status, ownEngine, policy }: TrayFacts): readonly TrayItem[] {
  if (app.engine === 'stopped' || app.engine === 'keeps-stopping') return ownEngine ? [item(t('tray.startEngine'), { kind: 'start-engine' })] : []
  if (app.engine !== 'running') return []
  const held = heldWords(policy, 'WantRunning')
  if (held !== undefined && (status?.BackendState === 'Running' || status?.BackendState === 'Starting')) return [item(held, undefined)]
  switch (status?.BackendState) {
    case 'Running':
      return [item(t('tray.disconnect'), { kind: 'connect', on: false })]
    case 'Starting':
      return [item(t('tray.cancel'), { kind: 'connect', on: false })]
    case 'Stopped':
      return [item(t('tray.connect'), { kind: 'connect', on: true })]
    case 'NeedsLogin':
      return status.Self.Expired === true ? [] : [item(t('tray.signIn'), { kind: 'open' })]
    case 'InUseOtherUser':
    case 'NeedsMachineAuth':
    case 'NoState':
    case undefined:
      return []
  }
}

function renewItems({ app, status, warnings, nowMs }: TrayFacts): readonly TrayItem[] {
  if (app.engine !== 'running') return []
  if (status?.BackendState === 'NeedsLogin' && status.Self.Expired === true) return [item(t('tray.renewNow'), { kind: 'renew' })]
  const leftMs = Date.parse(warnings?.['key-expires-soon']?.Args?.['expiry'] ?? '') - nowMs
  return leftMs > 0 ? [item(t('tray.renew', { left: age(leftMs) }), { kind: 'renew' })] : []
}

const exitName = (node: { readonly Name: string; readonly ID: string }): string => named(node.Name.split('.')[0]!) || named(node.ID)

function exitLabel({ Chosen, Egress }: ExitNodesPage): string {
  if (Egress.Kind !== 'direct') {
    const name = exitName(Egress)
    return Egress.Kind === 'exit' ? t('tray.exit', { name }) : t(`tray.exit.${Egress.Kind}`, { name })
  }
  return Chosen.Kind === 'none' ? t('tray.exit.none') : t('tray.exit.unused', { name: exitName(Chosen) })
}

/** What becomes of the change on trial; its window says what it is. */
function trialItems({ trial: { Trial: trial } }: TrayFacts): readonly TrayItem[] {
  if (!trial) return []
  return [item(t('notice.trial.open'), { kind: 'open' }), item(t('trial.keep'), { kind: 'trial', id: trial.ID, answer: 'keep' }), item(t('trial.undo'), { kind: 'trial', id: trial.ID, answer: 'undo' })]
}

function modeItem({ machine }: TrayFacts): TrayItem | undefined {
  return machine && item(t('tray.mode', { mode: t(`machine.mode.${machine.Mode}`) }), { kind: 'go', hash: '#/settings/connection' })
}

function exitMenu(facts: TrayFacts): TrayItem | undefined {
  const page = facts.exit
  if (!page || (page.Nodes.length === 0 && page.Chosen.Kind === 'none') || isHidden(facts.policy.Settings, 'ExitNodesPicker')) return undefined
  const held = heldWords(facts.policy, 'ExitNodeID')
  const lan = facts.trial.Trial === undefined && heldWords(facts.policy, 'ExitNodeAllowLANAccess') === undefined ? ({ kind: 'allow-lan', on: !page.AllowLAN } as const) : undefined
  const items: readonly TrayItem[] = [
    ...(facts.trial.Trial ? [item(t('notice.trial.open'), undefined)] : held === undefined ? exitChoices(facts, page) : [item(held, undefined)]),
    LINE,
    item(t('tray.exit.lan'), lan, page.AllowLAN),
    item(t('tray.more'), { kind: 'go', hash: '#/exit-nodes' }),
  ]
  return { kind: 'submenu', label: menuLabel(exitLabel(page)), items }
}

function exitChoices(facts: TrayFacts, page: ExitNodesPage): readonly TrayItem[] {
  const { Chosen } = page
  const chosen = Chosen.Kind === 'node' ? Chosen.ID : ''
  const suggested = page.Nodes.find((node) => node.Suggested && (node.Unavailable ?? '') === '')
  const others = recentExits(page, viewOf(facts.app.settings, facts.profile).recentExits).filter((node) => node !== suggested)
  return [
    item(t('tray.exit.useNone'), { kind: 'exit', do: { Do: 'clear' } }, Chosen.Kind === 'none'),
    ...(Chosen.Kind === 'auto' ? [item(t('tray.exit.auto'), { kind: 'exit', do: { Do: 'use', Node: 'auto' } }, true)] : []),
    ...(suggested ? [item(t('tray.exit.suggested', { name: exitName(suggested) }), { kind: 'exit', do: { Do: 'use', Node: suggested.ID } }, chosen === suggested.ID)] : []),
    ...others.map((node) => exitItem(node, chosen)),
  ]
}

/** One that cannot be used says why, and cannot be chosen. */
function exitItem(node: ExitNodeRow, chosen: string): TrayItem {
  const why = node.Unavailable ?? ''
  if (why === '') return item(exitName(node), { kind: 'exit', do: { Do: 'use', Node: node.ID } }, chosen === node.ID)
  return item(t('tray.exit.why', { name: exitName(node), why: named(cannotWords(why)) }), undefined, chosen === node.ID)
}

/** The chosen one and those used lately; where there are fewer, what else can be used, in the engine's order. */
function recentExits(page: ExitNodesPage, recent: readonly string[]): readonly ExitNodeRow[] {
  const chosen = page.Chosen.Kind === 'none' ? [] : [page.Chosen.ID]
  const usable = page.Nodes.filter((node) => (node.Unavailable ?? '') === '').map((node) => node.ID)
  const byId = new Map(page.Nodes.map((node) => [node.ID, node]))
  const ids = [...new Set([...chosen, ...recent, ...usable])]
  return ids.map((id) => byId.get(id)).filter((node) => node !== undefined).slice(0, RECENT_EXITS)
}

function deviceMenu(facts: TrayFacts): TrayItem | undefined {
  const { app, status, paths } = facts
  if (!status) return undefined
  const rows = new Map(paths?.paths.map((row) => [row.peer, row]))
  const view = viewOf(app.settings, facts.profile)
  const own = status.Self.TailscaleIPs?.[0]
  const items = chosenDevices(status.Peer ?? {}, view).map((peer) => {
    const { kind } = pathWords(peer, rows.get(peer.PublicKey), true)
    const word = `tray.path.${kind}`
    return item(t('tray.device', { name: deviceName(peer, view), path: isWord(word) ? t(word) : '' }), { kind: 'copy', text: peer.TailscaleIPs![0]! })
  })
  return {
    kind: 'submenu', label: t('tray.devices'),
    items: [...(own === undefined ? [] : [item(t('tray.self', { address: own }), { kind: 'copy', text: own })]), ...items, LINE, item(t('tray.more'), { kind: 'go', hash: '#/devices' })],
  }
}

function fileItems({ transfers }: TrayFacts): readonly TrayItem[] {
  return [item(t('tray.sendFiles'), { kind: 'send-files' }), item(t('tray.transfers', { n: openBatches(transfers) }), { kind: 'go', hash: '#/transfers' })]
}

function deviceName(peer: PeerStatus, view: AccountView): string {
  const nickname = Object.hasOwn(view.nicknames, peer.ID) ? view.nicknames[peer.ID]! : ''
  return named(nickname) || named(peer.DNSName.split('.')[0]!) || named(peer.HostName) || named(peer.ID)
}

/** Pinned ones, then those opened last; with none of either, those that packets go to now. */
function chosenDevices(peers: Readonly<Record<string, PeerStatus>>, view: AccountView): readonly PeerStatus[] {
  const known = Object.values(peers).filter((peer) => (peer.TailscaleIPs?.length ?? 0) > 0)
  const byId = new Map(known.map((peer) => [peer.ID, peer]))
  const wanted = [...new Set([...view.pinned, ...view.recent.filter((id) => !view.hidden.includes(id))])].map((id) => byId.get(id)).filter((peer) => peer !== undefined)
  const shown = wanted.length > 0 ? wanted : known.filter((peer) => (peer.Active || peer.Online) && !view.hidden.includes(peer.ID)).toSorted((a, b) => Number(b.Active) - Number(a.Active) || (a.ID < b.ID ? -1 : 1))
  return shown.slice(0, DEVICES)
}

function accountLabel(profile: LoginProfile): string {
  const account = named(profile.Name) || named(profile.UserProfile.LoginName) || named(profile.ID)
  const { DisplayName, DomainName, MagicDNSName } = profile.NetworkProfile
  const network = named(DisplayName) || named(DomainName) || named(MagicDNSName)
  return network === '' || network === account ? account : t('tray.account', { account, network })
}

/** Up to three stand in the menu itself where a submenu is clumsy; more are one submenu, named for the present one. */
function accountItems({ profiles, profile }: TrayFacts, linux: boolean): readonly TrayItem[] {
  if (profiles.length === 0) return []
  const items = [...profiles.map((one) => item(accountLabel(one), { kind: 'switch-account', id: one.ID }, one.ID === profile)), item(t('tray.addAccount'), { kind: 'add-account' })]
  if (linux && profiles.length <= 3) return items
  const present = profiles.find((one) => one.ID === profile)
  return [{ kind: 'submenu', label: menuLabel(present ? accountLabel(present) : t('tray.accountNone')), items }]
}
