/**
 * Exit nodes as the window shows them: what becomes of internet traffic in words, the list in groups that hold still under a hand,
 * proofs with their age. Pure. Nothing is claimed that the engine did not look at.
 */
import type { Egress, ExitNodeRow, ExitNodesPage, ExitProof } from '../../preload/contract.ts'
import type { Device } from './devices.ts'
import { ageOf, ago, capital, decimal, roundTrip, safeText, sentence } from '../../main/words/format.ts'
import { cannotWords, pathKindWords, type PathWords } from '../../main/words/states.ts'
import { locale, t } from '../../main/words/words.ts'

export interface ExitRow {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly place: string
  readonly address: string
  readonly path: PathWords
  readonly latencyMs: number | undefined
  /** Why it is suggested; '' = it is not. */
  readonly note: string
  /** Why it cannot be used now; '' = it can. */
  readonly unavailable: string
  readonly chosen: boolean
  /** Traffic goes there now: also when another one was chosen, or none in particular. */
  readonly inUse: boolean
}

export interface ExitGroup {
  readonly name: string
  readonly rows: readonly ExitRow[]
}


/** Every node in groups: the suggested one, those of the network, each owner's; by name inside a group. */
export function exitGroups(page: ExitNodesPage, devices: readonly Device[], network: string): readonly ExitGroup[] {
  const known = new Map(devices.map((device) => [device.id, device]))
  const groups = new Map<string, ExitRow[]>()
  const put = (group: string, row: ExitRow): void => {
    const rows = groups.get(group)
    if (rows) rows.push(row)
    else groups.set(group, [row])
  }
  for (const node of page.Nodes) {
    const device = known.get(node.ID)
    const row = rowOf(page, node, device)
    put(node.Suggested ? t('exit.suggested') : groupOf(node, device, network), row)
  }
  const rank = (name: string): number => (name === t('exit.suggested') ? 0 : name === network ? 1 : name === t('exit.own') ? 2 : 3)
  return [...groups]
    .map(([name, rows]) => ({ name, rows: rows.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.id < b.id ? -1 : 1)) }))
    .toSorted((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name, 'en'))
}

function groupOf(node: ExitNodeRow, device: Device | undefined, network: string): string {
  if (device?.mine) return t('exit.own')
  if (device?.tagged && network !== '') return network
  return device?.owner || safeText(node.Owner) || t('exit.others')
}

function rowOf(page: ExitNodesPage, node: ExitNodeRow, device: Device | undefined): ExitRow {
  const path = device?.path ?? { kind: 'unknown', words: t('path.unknown'), latencyMs: undefined }
  return {
    id: node.ID,
    name: device?.name ?? (safeText(node.Name.split('.')[0]!) || node.ID),
    owner: device?.owner ?? safeText(node.Owner),
    place: safeText(node.Place ?? '', 80),
    address: node.IP,
    path,
    latencyMs: path.latencyMs ?? node.LatencyMs,
    note: node.Suggested ? suggestWords(node.Why ?? '') : '',
    unavailable: cannotWords(node.Unavailable ?? ''),
    chosen: page.Chosen.Kind === 'node' && page.Chosen.ID === node.ID,
    inUse: page.Egress.Kind === 'exit' && page.Egress.ID === node.ID,
  }
}

/** The rows where they stood, with what is new of them; new ones come last in their group, and empty groups go. */
export function heldStill(before: readonly ExitGroup[], now: readonly ExitGroup[]): readonly ExitGroup[] {
  const rows = new Map(now.flatMap((group) => group.rows.map((row) => [row.id, row] as const)))
  const held = before.map((group) => ({ name: group.name, rows: group.rows.flatMap((row) => take(rows, row)) }))
  const later = now.map((group) => ({ name: group.name, rows: group.rows.filter((row) => rows.has(row.id)) }))
  const merged = held.map((group) => ({ name: group.name, rows: [...group.rows, ...(later.find((other) => other.name === group.name)?.rows ?? [])] }))
  return [...merged, ...later.filter((group) => !before.some((other) => other.name === group.name))].filter((group) => group.rows.length > 0)
}

/** The row as it is now, but suggested as it was: the suggestion moves with the rows. */
function take(rows: Map<string, ExitRow>, before: ExitRow): readonly ExitRow[] {
  const row = rows.get(before.id)
  rows.delete(before.id)
  return row ? [{ ...row, note: before.note }] : []
}

/** Rows whose name, owner, place or address has every word. */
export function filterExits(groups: readonly ExitGroup[], query: string): readonly ExitGroup[] {
  const words = query.toLowerCase().split(/\s+/).filter((word) => word !== '')
  if (words.length === 0) return groups
  const fits = (row: ExitRow): boolean => words.every((word) => [row.name, row.owner, row.place, row.address].some((text) => text.toLowerCase().includes(word)))
  return groups.map((group) => ({ name: group.name, rows: group.rows.filter(fits) })).filter((group) => group.rows.length > 0)
}

/** What is used when the chosen one does not answer: the suggested one, else the nearest that works. */
export function nextExit(page: ExitNodesPage): { readonly id: string; readonly name: string } | undefined {
  const chosen = page.Chosen.Kind === 'none' ? '' : page.Chosen.ID
  const usable = page.Nodes.filter((node) => node.ID !== chosen && (node.Unavailable ?? '') === '')
  const next = usable.find((node) => node.Suggested) ?? usable.toSorted((a, b) => (a.LatencyMs ?? Infinity) - (b.LatencyMs ?? Infinity))[0]
  return next && { id: next.ID, name: safeText(next.Name.split('.')[0]!) }
}

/** The name of the chosen one; '' = none, or the engine has found none yet. */
export function chosenName(page: ExitNodesPage | undefined): string {
  if (!page) return ''
  if (page.Egress.Kind !== 'direct') return safeText(page.Egress.Name.split('.')[0]!)
  return page.Chosen.Kind === 'none' ? '' : safeText(page.Chosen.Name.split('.')[0]!)
}

export interface ExitWords {
  readonly words: string
  readonly tone: 'plain' | 'on' | 'warn' | 'bad'
}

/** The few words beside "Exit node" in the sidebar. */
export function exitWords(page: ExitNodesPage | undefined): ExitWords {
  if (!page) return { words: t('exit.words.unknown'), tone: 'plain' }
  const name = chosenName(page) || t('exit.words.noneFound')
  switch (page.Egress.Kind) {
    case 'direct':
      return page.Chosen.Kind === 'none' ? { words: t('exit.words.none'), tone: 'plain' } : { words: t('exit.words.notInUse', { name }), tone: 'warn' }
    case 'exit':
      return { words: name, tone: 'on' }
    case 'blocked':
      return { words: t('exit.words.blocked', { name }), tone: 'bad' }
    case 'paused':
      return { words: t('exit.words.paused', { name }), tone: 'warn' }
  }
}

/** Why nothing goes out, as a sentence of its own. */
export function blockedWhy(egress: Egress): string {
  return egress.Kind === 'blocked' ? sentence(egress.Why.replace(/^blocked because /, '')) : ''
}

/** "in 4 min 12 s", "in 48 s"; '' when there is no such time or it is over. */
export function pauseLeft(egress: Egress, nowMs: number): string {
  const untilMs = egress.Kind === 'paused' ? Date.parse(egress.Until ?? '') : NaN
  const leftSec = Math.ceil((untilMs - nowMs) / 1000)
  if (Number.isNaN(leftSec) || leftSec <= 0) return ''
  return leftSec < 60 ? t('exit.left.sec', { sec: leftSec }) : t('exit.left.min', { min: Math.floor(leftSec / 60), sec: leftSec % 60 })
}

export interface ProofLine {
  readonly what: ExitProof['What']
  readonly state: 'yes' | 'no' | 'unknown'
  readonly words: string
  /** What was seen, when it is short: an address, a count. */
  readonly value: string
  /** How it was seen, or why it was not looked at. */
  readonly detail: string
  /** "40 s ago"; '' = never looked at. */
  readonly age: string
}

const WHAT = ['ipv4', 'ipv6', 'names', 'leak'] as const
/** Longer ones stand below their line. */
const SHORT = 22

/** All four, in their order; what the engine did not look at is said to be so. */
export function proofLines(page: ExitNodesPage, nowMs: number): readonly ProofLine[] {
  const name = chosenName(page)
  return WHAT.map((what): ProofLine => {
    const proof = page.Proofs.find((one) => one.What === what)
    const seen = safeText(proof?.Value ?? '', 300)
    const since = ago(ageOf(proof?.At, nowMs))
    if (proof?.Ok === undefined) {
      const [, how = 'not checked', why = seen] = /^(not [a-z ]{1,20}): (.+)$/.exec(seen) ?? []
      return { what, state: 'unknown', words: t(`exit.proof.${what}.${how === 'not known' ? 'known' : 'checked'}`, { name }), value: '', detail: sentence(why), age: how === 'not checked' ? '' : since }
    }
    const state = proof.Ok ? 'yes' : 'no'
    const [head, rest] = seen.length <= SHORT ? [seen, ''] : (/^([0-9a-f.:]{3,45}), (.+)$/i.exec(seen)?.slice(1) ?? ['', seen])
    return { what, state, words: t(`exit.proof.${what}.${state}`, { name }), value: head!, detail: sentence(rest!), age: since }
  })
}

/** "Checked 40 s ago." from the oldest proof that there is. */
export function checkedWords(page: ExitNodesPage, nowMs: number): string {
  const ages = page.Proofs.filter((proof) => proof.Ok !== undefined).map((proof) => ageOf(proof.At, nowMs)).filter((one) => one !== undefined)
  if (ages.length === 0) return t('exit.proofs.none')
  return t('exit.proofs.age', { age: ago(Math.max(...ages)) })
}

/** What becomes of the networks that this computer is on. */
export function lanWords(page: ExitNodesPage): string {
  const all = page.LAN.map((net) => `${net.Prefix}${net.Interface === '' ? '' : ` (${safeText(net.Interface, 30)})`}`)
  if (all.length === 0) return t('exit.lan.none')
  const names = all.length <= 3 ? new Intl.ListFormat(locale(), { type: 'conjunction' }).format(all) : t('exit.lan.more', { names: all.slice(0, 2).join(', '), n: all.length - 2 })
  return t(page.AllowLAN ? 'exit.lan.kept' : 'exit.lan.lost', { n: all.length, names })
}

/** The engine's words for ways → kinds of paths. */
const WAYS: Readonly<Record<string, string>> = { direct: 'direct', 'through another device': 'peer-relay', 'through a relay': 'relay' }

/** Why a node is suggested, in the person's language where the engine's words are known. */
export function suggestWords(why: string): string {
  if (why === 'the only one that is online, says the server') return t('exit.suggest.online')
  const [, first, n = '', way = '', ms = ''] = /^(the nearest of (\d+)|the only one that answers): ([a-z -]+), ([\d.]+) ms$/.exec(why) ?? []
  const path = WAYS[way]
  if (first === undefined || path === undefined) return capital(safeText(why, 120))
  const values = { way: pathKindWords(path), ms: roundTrip(Number(ms)) }
  return n === '' ? t('exit.suggest.only', values) : t('exit.suggest.nearest', { ...values, n })
}

/** What a screen reader says of a row: whole sentences, one after the other. */
export function spokenExit(row: ExitRow): string {
  const rtt = row.latencyMs === undefined ? '' : t('spoken.roundTrip', { ms: row.latencyMs < 10 ? decimal(row.latencyMs) : String(Math.round(row.latencyMs)) })
  const state = row.unavailable !== '' ? [t('exit.spoken.cannot', { why: row.unavailable })] : [sentence(row.path.words), rtt]
  return [`${row.name}.`, row.inUse ? t('exit.spoken.used') : '', row.note === '' ? '' : t('exit.spoken.suggested', { why: row.note }), sentence(row.place), ...state].filter((one) => one !== '').join(' ')
}
