/**
 * What the command palette offers for what somebody typed: the best device with its actions, other devices, commands, settings, accounts,
 * exit nodes. Pure, and bounded: as many rows as fit, however large the network is.
 *
 *   words       match anywhere, in any order, case and accents make no difference; commands have other names too ("vpn on", "nat")
 *   >           commands only          @ people's devices          # devices with a tag          device:  a port of it
 *
 * Nothing is offered that the policy or the server forbids.
 */
import type { AccountView, AppState, ExitNodesPage, Status } from '../../preload/contract.ts'
import { isHidden, policyKeyOf, type PolicySnapshot } from '../../main/localapi/policy.ts'
import { roundTrip, safeText } from '../../main/words/format.ts'
import { t } from '../../main/words/words.ts'
import type { AccountRow } from './accounts.ts'
import { fold, type Device } from './devices.ts'
import { routeHash } from './route.ts'
import { foundRows, rowsThere } from './settings-rows.ts'
import { mayReceive } from './targets.ts'

export type Doing =
  | { readonly kind: 'go'; readonly hash: string }
  | { readonly kind: 'copy'; readonly text: string }
  | { readonly kind: 'connect'; readonly on: boolean }
  | { readonly kind: 'use-exit'; readonly id: string }
  | { readonly kind: 'clear-exit' }
  | { readonly kind: 'switch-account'; readonly id: string }
  | { readonly kind: 'add-account' }
  | { readonly kind: 'restart-engine' }
  /** Asks for files; without a device it is chosen afterwards. */
  | { readonly kind: 'send'; readonly peer?: string }
  | { readonly kind: 'open-inbox' }
  | { readonly kind: 'keyboard' }
  | { readonly kind: 'quit' }
  /** A page of a device in the browser. */
  | { readonly kind: 'open-page'; readonly to: string; readonly scheme: 'http' | 'https' }
  /** An address of this computer that leads to the port, to copy. */
  | { readonly kind: 'open-port'; readonly to: string }
  /** What is typed becomes this. */
  | { readonly kind: 'type'; readonly text: string }

export type ItemIcon = 'device' | 'server' | 'copy' | 'explain' | 'details' | 'access' | 'web' | 'port' | 'exit' | 'devices' | 'transfers' | 'send' | 'inbox' | 'diagnose' | 'settings' | 'account' | 'add' | 'power' | 'keyboard' | 'restart' | 'quit'

export interface Item {
  readonly id: string
  readonly icon: ItemIcon
  readonly label: string
  readonly detail: string
  /** Its path is drawn beside the detail. */
  readonly device?: Device
  /** As `ui/keys.ts` writes combinations. */
  readonly keys?: string
  readonly doing: Doing
  /** Tab goes on with this device. */
  readonly drill?: Device
}

export interface ItemGroup {
  readonly id: 'device' | 'devices' | 'commands' | 'settings' | 'accounts' | 'exits'
  readonly title: string
  readonly items: readonly Item[]
}

export interface Surroundings {
  readonly app: AppState
  readonly status: Status | undefined
  readonly devices: readonly Device[]
  readonly view: AccountView
  readonly accounts: readonly AccountRow[]
  readonly exit: ExitNodesPage | undefined
  readonly policy: PolicySnapshot
  /** The person wants to be connected. */
  readonly on: boolean
}

const DEVICES_SHOWN = 6
const EXITS_SHOWN = 5
const SETTINGS_SHOWN = 5
const RECENT_SHOWN = 5

const wordsOf = (text: string): readonly string[] => fold(text).split(/\s+/).filter((word) => word !== '')

/** What is offered; `drilled` = the device that Tab went into. */
export function paletteOf(typed: string, drilled: Device | undefined, around: Surroundings): readonly ItemGroup[] {
  if (drilled) return full([{ id: 'device', title: drilled.name, items: matching(deviceActions(drilled, around), wordsOf(typed)) }])
  const text = typed.trimStart()
  const rest = text.slice(1)
  if (text.startsWith('>')) return full([commandGroup(wordsOf(rest), around), ...moreGroups(rest, around)])
  if (text.startsWith('@')) return full([deviceGroup(ranked(wordsOf(rest), around, (device) => (device.tagged ? undefined : device.owner)))])
  if (text.startsWith('#')) return full([deviceGroup(ranked(wordsOf(rest), around, (device) => (device.tagged ? (device.peer.Tags ?? []).join(' ').replaceAll('tag:', '') : undefined)))])
  const port = /^(.*\S)\s*:\s*(\d{0,5})$/.exec(text)
  if (port) return full([portGroup(port[1]!, port[2]!, around)])
  const words = wordsOf(text)
  if (words.length === 0) return full([recentGroup(around), commandGroup(words, around)])
  const [best, ...others] = ranked(words, around, searched)
  return full([
    ...(best ? [{ id: 'device', title: best.name, items: deviceActions(best, around) } as const] : []),
    deviceGroup(others), commandGroup(words, around), ...moreGroups(text, around, best),
  ])
}

const full = (groups: readonly ItemGroup[]): readonly ItemGroup[] => groups.filter((group) => group.items.length > 0)

/** `best` = the device whose own actions are offered already. */
const moreGroups = (text: string, around: Surroundings, best?: Device): readonly ItemGroup[] =>
  [settingsGroup(text, around), exitGroup(wordsOf(text), around, best), accountGroup(wordsOf(text), around)]

const searched = (device: Device): string => `${device.name} ${device.owner} ${(device.peer.TailscaleIPs ?? []).join(' ')} ${device.peer.OS} ${device.peer.DNSName}`

/** Devices that have all words in the text that `of` reads, the best first, no more than are shown; those without such a text are left out. */
function ranked(words: readonly string[], { devices, view }: Surroundings, of: (device: Device) => string | undefined): readonly Device[] {
  const hidden = new Set(view.hidden)
  const found: { device: Device; score: number }[] = []
  for (const device of devices) {
    const own = of(device)
    if (own === undefined || hidden.has(device.id)) continue
    const nickname = view.nicknames[device.id] ?? ''
    const text = fold(`${nickname} ${own}`)
    if (!words.every((word) => text.includes(word))) continue
    const recent = view.recent.indexOf(device.id)
    found.push({ device, score: scoreOf(fold(device.name), fold(nickname), words) + (recent === -1 ? 0 : 0.9 - recent / 100) + (device.peer.Online ? 0.05 : 0) })
  }
  // Only the best few are sorted, so that a large network costs one walk.
  const limit = DEVICES_SHOWN + 1
  const best: typeof found = []
  for (const one of found) {
    if (best.length === limit && one.score <= best[limit - 1]!.score) continue
    const at = best.findIndex((other) => one.score > other.score)
    best.splice(at === -1 ? best.length : at, 0, one)
    if (best.length > limit) best.pop()
  }
  return best.map(({ device }) => device)
}

/** The name itself, its start, the start of a part of it, anywhere in it, elsewhere. */
function scoreOf(name: string, nickname: string, words: readonly string[]): number {
  const first = words[0] ?? ''
  const of = (text: string): number =>
    text === '' ? 0 : text === words.join(' ') ? 4 : text.startsWith(first) ? 3 : new RegExp(`[-_. ]${first.replaceAll(/[^\p{L}\p{N}]/gu, '.')}`, 'u').test(text) ? 2 : text.includes(first) ? 1 : 0
  return Math.max(of(name), of(nickname))
}

function deviceItem(device: Device): Item {
  return { id: `device-${device.id}`, icon: device.tagged ? 'server' : 'device', label: device.name, detail: device.owner, device, doing: { kind: 'go', hash: routeHash(device.id) }, drill: device }
}

const deviceGroup = (devices: readonly Device[]): ItemGroup => ({ id: 'devices', title: t('palette.devices'), items: devices.slice(0, DEVICES_SHOWN).map(deviceItem) })

function recentGroup({ devices, view }: Surroundings): ItemGroup {
  const byId = new Map(devices.map((device) => [device.id, device]))
  const items = view.recent.flatMap((id) => byId.get(id) ?? []).slice(0, RECENT_SHOWN).map(deviceItem)
  return { id: 'devices', title: t('palette.recent'), items }
}

/** What can be done with a device, most wanted first. */
function deviceActions(device: Device, around: Surroundings): readonly Item[] {
  const item = (id: string, icon: ItemIcon, label: string, detail: string, doing: Doing, keys?: string): Item => ({ id: `${id}-${device.id}`, icon, label, detail, doing, ...(keys === undefined ? {} : { keys }) })
  const running = around.app.engine === 'running' && around.status?.BackendState === 'Running'
  const open: Item = {
    ...item('open', device.tagged ? 'server' : 'device', t('palette.open', { device: device.name }), [device.path.words, roundTrip(device.path.latencyMs)].filter((part) => part !== '').join(', '), { kind: 'go', hash: routeHash(device.id) }, 'Enter'),
    device, drill: device,
  }
  const exit = usableExits(around).find((node) => node.ID === device.id)
  const name = device.peer.DNSName.replace(/\.$/, '')
  return [
    open,
    ...(device.address === '' ? [] : [item('copy', 'copy', t('palette.copyAddress'), device.address, { kind: 'copy', text: device.address })]),
    ...(name === '' ? [] : [item('copy-name', 'copy', t('palette.copyName'), safeText(name), { kind: 'copy', text: name })]),
    ...(device.isSelf ? [] : [
      item('explain', 'explain', t('palette.explain'), '', { kind: 'go', hash: routeHash(device.id, 'path') }),
      ...(running && mayReceive(device) ? [item('send', 'send', t('palette.sendTo'), '', { kind: 'send', peer: device.id }, 'Mod+U')] : []),
      item('access', 'access', t('palette.access'), '', { kind: 'go', hash: routeHash(device.id, 'access') }),
      ...(running ? [item('port', 'port', t('palette.reachPort'), '', { kind: 'type', text: `${device.name}:` })] : []),
      ...(exit ? [item('exit', 'exit', t('palette.useExit', { device: device.name }), '', { kind: 'use-exit', id: device.id })] : []),
    ]),
    item('details', 'details', t('palette.details'), '', { kind: 'go', hash: routeHash(device.id, 'details') }),
  ]
}

/** "nas:22": what can be done with a port of the best device. */
function portGroup(name: string, digits: string, around: Surroundings): ItemGroup {
  const [device] = ranked(wordsOf(name), around, searched)
  const port = Number(digits)
  const running = around.app.engine === 'running' && around.status?.BackendState === 'Running'
  if (!device || device.isSelf || device.address === '' || !running) return { id: 'device', title: '', items: [] }
  if (digits === '') return { id: 'device', title: t('palette.typePort', { device: device.name }), items: [80, 443, 22].map((one) => ({ id: `port-${one}`, icon: 'port', label: `${device.name}:${one}`, detail: '', doing: { kind: 'type', text: `${device.name}:${one}` } }) as const) }
  if (port < 1 || port > 65_535) return { id: 'device', title: '', items: [] }
  const to = device.address.includes(':') ? `[${device.address}]:${port}` : `${device.address}:${port}`
  const scheme = port === 443 || port === 8443 ? 'https' : 'http'
  const where = `${device.name}:${port}`
  const web: Item = { id: 'port-web', icon: 'web', label: t('palette.openPage', { where }), detail: '', doing: { kind: 'open-page', to, scheme } }
  const door: Item = { id: 'port-door', icon: 'port', label: t('palette.getAddress', { where }), detail: '', doing: { kind: 'open-port', to } }
  return { id: 'device', title: device.name, items: port === 22 || port === 3389 || port === 5432 ? [door, web] : [web, door] }
}

const mayChooseExit = ({ policy, app, status, exit }: Surroundings): boolean =>
  app.engine === 'running' && status?.BackendState === 'Running' && exit !== undefined && !isHidden(policy.Settings, 'ExitNodesPicker') && policyKeyOf(policy.Settings, 'ExitNodeID') === undefined

/** Exit nodes that can be chosen now and are not. */
function usableExits(around: Surroundings): ExitNodesPage['Nodes'] {
  const { exit } = around
  if (!exit || !mayChooseExit(around)) return []
  const chosen = exit.Chosen.Kind === 'node' ? exit.Chosen.ID : ''
  return exit.Nodes.filter((node) => (node.Unavailable ?? '') === '' && node.ID !== chosen)
}

interface Command {
  readonly id: 'devices' | 'exit-nodes' | 'transfers' | 'send' | 'inbox' | 'diagnose' | 'settings' | 'connect' | 'disconnect' | 'clear-exit' | 'copy-own' | 'add-account' | 'restart' | 'keyboard' | 'quit'
  readonly icon: ItemIcon
  readonly keys?: string
  readonly doing: Doing
}

/** Commands that there are now, in the order in which they are offered. */
function commandsOf(around: Surroundings): readonly Command[] {
  const { app, status, on, policy, exit } = around
  const running = app.engine === 'running'
  const state = status?.BackendState
  const canSwitch = running && (state === 'Running' || state === 'Starting' || state === 'Stopped')
  const mustStay = policyKeyOf(policy.Settings, 'WantRunning') !== undefined
  const own = status?.Self.TailscaleIPs?.[0]
  return [
    ...(canSwitch && !on ? [{ id: 'connect', icon: 'power', keys: 'Mod+Shift+C', doing: { kind: 'connect', on: true } } as const] : []),
    ...(canSwitch && on && !mustStay ? [{ id: 'disconnect', icon: 'power', keys: 'Mod+Shift+C', doing: { kind: 'connect', on: false } } as const] : []),
    ...(exit && exit.Chosen.Kind !== 'none' && mayChooseExit(around) ? [{ id: 'clear-exit', icon: 'exit', doing: { kind: 'clear-exit' } } as const] : []),
    { id: 'exit-nodes', icon: 'exit', keys: 'Mod+E', doing: { kind: 'go', hash: '#/exit-nodes' } },
    { id: 'devices', icon: 'devices', keys: 'Mod+1', doing: { kind: 'go', hash: '#/devices' } },
    { id: 'transfers', icon: 'transfers', keys: 'Mod+3', doing: { kind: 'go', hash: '#/transfers' } },
    ...(running ? [{ id: 'send', icon: 'send', doing: { kind: 'send' } } as const] : []),
    ...(running && app.host === 'electron' ? [{ id: 'inbox', icon: 'inbox', doing: { kind: 'open-inbox' } } as const] : []),
    { id: 'diagnose', icon: 'diagnose', keys: 'Mod+4', doing: { kind: 'go', hash: '#/diagnose' } },
    ...(own === undefined ? [] : [{ id: 'copy-own', icon: 'copy', doing: { kind: 'copy', text: own } } as const]),
    { id: 'settings', icon: 'settings', keys: 'Mod+,', doing: { kind: 'go', hash: '#/settings' } },
    ...(running ? [{ id: 'add-account', icon: 'add', doing: { kind: 'add-account' } } as const] : []),
    ...(app.engineHost === 'app' ? [{ id: 'restart', icon: 'restart', doing: { kind: 'restart-engine' } } as const] : []),
    { id: 'keyboard', icon: 'keyboard', keys: '?', doing: { kind: 'keyboard' } },
    ...(app.host === 'electron' ? [{ id: 'quit', icon: 'quit', doing: { kind: 'quit' } } as const] : []),
  ]
}

function commandGroup(words: readonly string[], around: Surroundings): ItemGroup {
  const found = commandsOf(around).filter((command) => {
    const text = fold(`${t(`palette.command.${command.id}`)} ${t(`palette.alias.${command.id}`)}`)
    return words.every((word) => text.includes(word))
  })
  const items = found.map(({ id, icon, keys, doing }): Item => ({ id: `command-${id}`, icon, label: t(`palette.command.${id}`), detail: '', doing, ...(keys === undefined ? {} : { keys }) }))
  return { id: 'commands', title: t('palette.commands'), items }
}

function settingsGroup(text: string, { app, policy, status }: Surroundings): ItemGroup {
  const rows = wordsOf(text).length === 0 ? [] : foundRows(text, rowsThere({ app, policy, signedIn: status?.HaveNodeKey === true }))
  const items = rows.flatMap(({ page, rows: found }) => found.map((row): Item => ({
    id: `setting-${row}`, icon: 'settings', label: t(`settings.row.${row}`), detail: t(`settings.page.${page}`), doing: { kind: 'go', hash: `#/settings/${page}` },
  })))
  return { id: 'settings', title: t('place.settings'), items: items.slice(0, SETTINGS_SHOWN) }
}

function exitGroup(words: readonly string[], around: Surroundings, best: Device | undefined): ItemGroup {
  const usable = words.length > 0 ? usableExits(around).filter((node) => node.ID !== best?.id) : []
  const title = t('place.exit-nodes')
  const items = usable.filter((node) => {
    const text = fold(`${node.Name} ${node.Place ?? ''} ${node.Owner} ${title}`)
    return words.every((word) => text.includes(word))
  }).map((node): Item => ({ id: `exit-${node.ID}`, icon: 'exit', label: t('palette.useExit', { device: safeText(node.Name.split('.')[0]!) }), detail: safeText(node.Place ?? '', 60), doing: { kind: 'use-exit', id: node.ID } }))
  return { id: 'exits', title, items: items.slice(0, EXITS_SHOWN) }
}

function accountGroup(words: readonly string[], { accounts, app }: Surroundings): ItemGroup {
  const title = t('palette.accounts')
  const others = words.length > 0 && app.engine === 'running' ? accounts.filter((account) => !account.current) : []
  const items = others.filter((account) => {
    const text = fold(`${account.name} ${account.where} ${title}`)
    return words.every((word) => text.includes(word))
  }).map((account): Item => ({ id: `account-${account.id}`, icon: 'account', label: t('palette.switchTo', { account: account.name }), detail: account.where, doing: { kind: 'switch-account', id: account.id } }))
  return { id: 'accounts', title, items }
}

/** Items whose label or detail has all words. */
function matching(items: readonly Item[], words: readonly string[]): readonly Item[] {
  return items.filter((item) => words.every((word) => fold(`${item.label} ${item.detail}`).includes(word)))
}
