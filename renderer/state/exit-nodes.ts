/**
 * Exit nodes as the window shows them: what becomes of internet traffic in words, the list in groups that hold still under a hand,
 * proofs with their age. Pure. Nothing is claimed that the engine did not look at.
 */
import type { Egress, ExitNodeFailure, ExitNodeRow, ExitNodesPage, ExitProof } from '../../preload/contract.ts'
import type { Device } from './devices.ts'
import { ageOf, ago, capital, safeText, sentence } from '../../main/words/format.ts'
import type { PathWords } from '../../main/words/states.ts'

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

export const SUGGESTED = 'Suggested'
const UNKNOWN: PathWords = { kind: 'unknown', words: 'Path unknown', latencyMs: undefined }

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
    put(node.Suggested ? SUGGESTED : groupOf(node, device, network), row)
  }
  const rank = (name: string): number => (name === SUGGESTED ? 0 : name === network ? 1 : name === OWN ? 2 : 3)
  return [...groups]
    .map(([name, rows]) => ({ name, rows: rows.toSorted((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }) || (a.id < b.id ? -1 : 1)) }))
    .toSorted((a, b) => rank(a.name) - rank(b.name) || a.name.localeCompare(b.name, 'en'))
}

const OWN = 'Your own devices'

function groupOf(node: ExitNodeRow, device: Device | undefined, network: string): string {
  if (device?.mine) return OWN
  if (device?.tagged && network !== '') return network
  return device?.owner || safeText(node.Owner) || 'Others'
}

function rowOf(page: ExitNodesPage, node: ExitNodeRow, device: Device | undefined): ExitRow {
  const path = device?.path ?? UNKNOWN
  return {
    id: node.ID,
    name: device?.name ?? (safeText(node.Name.split('.')[0]!) || node.ID),
    owner: device?.owner ?? safeText(node.Owner),
    place: safeText(node.Place ?? '', 80),
    address: node.IP,
    path,
    latencyMs: path.latencyMs ?? node.LatencyMs,
    note: node.Suggested ? capital(safeText(node.Why ?? '', 120)) : '',
    unavailable: capital(safeText(node.Unavailable ?? '', 160)),
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
  if (!page) return { words: 'not known yet', tone: 'plain' }
  const name = chosenName(page) || 'none found'
  switch (page.Egress.Kind) {
    case 'direct':
      return page.Chosen.Kind === 'none' ? { words: 'None', tone: 'plain' } : { words: `${name}, not in use`, tone: 'warn' }
    case 'exit':
      return { words: name, tone: 'on' }
    case 'blocked':
      return { words: `${name}, blocked`, tone: 'bad' }
    case 'paused':
      return { words: `${name}, paused`, tone: 'warn' }
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
  return leftSec < 60 ? `${leftSec} s` : `${Math.floor(leftSec / 60)} min ${leftSec % 60} s`
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

const PROOFS: Readonly<Record<ExitProof['What'], Readonly<Record<'yes' | 'no', (name: string) => string>> & { readonly subject: (name: string) => string }>> = {
  ipv4: { yes: (name) => `IPv4 leaves through ${name}`, no: (name) => `IPv4 does not leave through ${name}`, subject: () => 'IPv4' },
  ipv6: { yes: (name) => `IPv6 leaves through ${name}`, no: (name) => `IPv6 does not leave through ${name}`, subject: () => 'IPv6' },
  names: { yes: (name) => `Names answered by ${name}`, no: (name) => `Names not answered by ${name}`, subject: () => 'Names' },
  leak: { yes: (name) => `No internet traffic past ${name}`, no: (name) => `Internet traffic went past ${name}`, subject: (name) => `Traffic past ${name}` },
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
      return { what, state: 'unknown', words: `${PROOFS[what].subject(name)}: ${how}`, value: '', detail: sentence(why), age: how === 'not checked' ? '' : since }
    }
    const state = proof.Ok ? 'yes' : 'no'
    const [head, rest] = seen.length <= SHORT ? [seen, ''] : (/^([0-9a-f.:]{3,45}), (.+)$/i.exec(seen)?.slice(1) ?? ['', seen])
    return { what, state, words: PROOFS[what][state](name), value: head!, detail: sentence(rest!), age: since }
  })
}

/** "Checked 40 s ago." from the oldest proof that there is. */
export function checkedWords(page: ExitNodesPage, nowMs: number): string {
  const ages = page.Proofs.filter((proof) => proof.Ok !== undefined).map((proof) => ageOf(proof.At, nowMs)).filter((one) => one !== undefined)
  if (ages.length === 0) return 'Not checked yet.'
  return `Checked ${ago(Math.max(...ages))}.`
}

/** What becomes of the networks that this computer is on. */
export function lanWords(page: ExitNodesPage): string {
  const names = page.LAN.map((net) => `${net.Prefix}${net.Interface === '' ? '' : ` (${safeText(net.Interface, 30)})`}`)
  if (names.length === 0) return 'This computer is on no local network now.'
  const all = names.length <= 3 ? joined(names) : `${names.slice(0, 2).join(', ')} and ${names.length - 2} more`
  const many = names.length > 1
  return page.AllowLAN ? `${all} ${many ? 'stay' : 'stays'} usable.` : `${all} ${many ? 'are' : 'is'} not reachable while an exit node is in use.`
}

const joined = (names: readonly string[]): string => (names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`)

export const FAILURE_WORDS: Readonly<Record<ExitNodeFailure, { readonly label: string; readonly means: string }>> = {
  block: { label: 'Block', means: 'Nothing leaves until it is back.' },
  next: { label: 'Next node', means: 'The next best one takes over, and you are told.' },
  direct: { label: 'Go direct', means: 'Traffic leaves by your own network, and sites see your address.' },
}

/** What a screen reader says of a row: one whole sentence. */
export function spokenExit(row: ExitRow): string {
  const where = row.place === '' ? '' : ` ${row.place}.`
  const rtt = row.latencyMs === undefined ? '' : ` Round trip ${row.latencyMs < 10 ? row.latencyMs.toFixed(1) : Math.round(row.latencyMs)} milliseconds.`
  const state = row.unavailable !== '' ? ` Not available: ${row.unavailable}.` : ` ${row.path.words}.${rtt}`
  const used = row.inUse ? ' In use now.' : ''
  return `${row.name}.${used}${row.note === '' ? '' : ` Suggested: ${row.note}.`}${where}${state}`
}
