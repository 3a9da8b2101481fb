/**
 * Meetings: a near and a far place, a node of each program at both, and how long each combination of programs takes to find
 * its direct path when they first meet. The tailscaled pair is what the other three are held to.
 */
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import type { NatLab } from './nat-lab.ts'
import type { Site, SiteKind } from './networks.ts'
import { timeToDirect, waitKnowsItself } from './time-to-direct.ts'
import { countTunnelPackets, seeTwoWayTraffic, type Placed } from './tunnel-counters.ts'

/** Nobody who is relayed for so long becomes direct without a change of networks. */
const GIVE_UP_MS = 8_000
/** Where no datagram can make its way there and back, to see that nobody tells of a direct path. */
const SURE_MS = 3_000
/** Later than this times the tailscaled pair, and more than the noise of one machine, is too late. */
const TOO_LATE = 1.5
const NOISE_MS = 400
const PROGRAMS: readonly NodeKind[] = ['bowline', 'tailscaled']

/** Near program → far program. The first is the measure. */
export const COLUMNS = [
  ['tailscaled', 'tailscaled'],
  ['bowline', 'tailscaled'],
  ['tailscaled', 'bowline'],
  ['bowline', 'bowline'],
] as const satisfies readonly (readonly [NodeKind, NodeKind])[]

/** A node of each program, at sites of the same kind. */
export type Place = Readonly<Record<NodeKind, Placed>>

/** Milliseconds to the direct path for each column; undefined = relayed. */
export type Times = readonly (number | undefined)[]

export interface Meeting {
  readonly near: string
  readonly far: string
  times: Times
}

let names = 0

/** Joins a node of each program, at sites that `siteFor` makes. The nodes know their outer addresses. */
export async function makePlace(lab: NatLab, label: string, siteFor: () => Promise<Site>): Promise<Place> {
  const [bowline, tailscaled] = await Promise.all(PROGRAMS.map((kind) => placeOne(lab, kind, label, siteFor)))
  return { bowline: bowline!, tailscaled: tailscaled! }
}

export async function placeOne(lab: NatLab, kind: NodeKind, label: string, siteFor: () => Promise<Site>): Promise<Placed> {
  const site = await siteFor()
  await countTunnelPackets(site)
  const node = await lab.join(kind, `${kind[0]}-${label}-${++names}`, site, { ephemeral: true })
  if (hearsStun(site.kind)) await waitKnowsItself(node, site.address === '' ? site.addresses[0]! : site.address)
  return { node, site }
}

export async function leavePlace(place: Place): Promise<void> {
  await Promise.all(PROGRAMS.map((kind) => leave(place[kind].node)))
}

export async function leave(node: LabNode): Promise<void> {
  await node.api.logout().catch(() => undefined)
  await node.stop()
}

const ONE_WAY_AT_MOST: readonly SiteKind[] = ['no-udp', 'in-only', 'out-only']

function hearsStun(kind: SiteKind): boolean {
  return !ONE_WAY_AT_MOST.includes(kind)
}

/** By construction: nothing that goes there comes back, or no family of addresses in common. */
function hasNoWay(near: SiteKind, far: SiteKind): boolean {
  const isApart = (a: SiteKind, b: SiteKind): boolean => a === 'ipv6' && b !== 'ipv6' && b !== 'dual'
  return !hearsStun(near) || !hearsStun(far) || isApart(near, far) || isApart(far, near)
}

/** All four columns at once. Where one of ours is told to be direct, packets must flow both ways. */
export function meet(near: Place, far: Place): Promise<Times> {
  return Promise.all(COLUMNS.map(([a, b]) => meetOne(near[a], far[b])))
}

export async function meetOne(near: Placed, far: Placed): Promise<number | undefined> {
  const giveUpMs = hasNoWay(near.site.kind, far.site.kind) ? SURE_MS : GIVE_UP_MS
  const tookMs = await timeToDirect(near.node, far.node, giveUpMs)
  const isOurs = near.node.kind === 'bowline' || far.node.kind === 'bowline'
  if (tookMs !== undefined && isOurs) await seeTwoWayTraffic(near, far)
  return tookMs
}

/** The columns that are worse than the tailscaled pair. */
export function lateColumns(times: Times): number[] {
  const [measure, ...others] = times
  if (measure === undefined) return []
  return others.flatMap((ms, index) => (ms === undefined || ms > measure * TOO_LATE + NOISE_MS ? [index + 1] : []))
}

/** Puts a column that is late, and the measure, to the test twice more with new nodes, and takes the middle ones. */
export async function meetAgain(lab: NatLab, meeting: Meeting, column: number, makeSites: () => Promise<readonly [Site, Site]>): Promise<void> {
  const again = async (programs: readonly [NodeKind, NodeKind]): Promise<number | undefined> => {
    const sites = await makeSites()
    const [near, far] = await Promise.all(sites.map((site, end) => placeOne(lab, programs[end]!, 'again', () => Promise.resolve(site))))
    const tookMs = await meetOne(near!, far!)
    await Promise.all([leave(near!.node), leave(far!.node)])
    return tookMs
  }
  const samples = new Map([0, column].map((one) => [one, [meeting.times[one]]]))
  for (let run = 0; run < 2; run++) for (const [one, found] of samples) found.push(await again(COLUMNS[one]!))
  meeting.times = meeting.times.map((ms, one) => (samples.has(one) ? middle(samples.get(one)!) : ms))
}

/** The middle one; relayed counts as the longest. */
function middle(times: readonly (number | undefined)[]): number | undefined {
  return times.toSorted((a, b) => (a ?? Infinity) - (b ?? Infinity))[Math.floor(times.length / 2)]
}

export function tableHead(): string {
  return ['near → far'.padEnd(24), ...COLUMNS.map(([a, b]) => `${short(a)} → ${short(b)}`.padStart(13))].join(' ')
}

export function tableRow({ near, far, times }: Meeting): string {
  const late = lateColumns(times)
  return [`${near} → ${far}`.padEnd(24), ...times.map((ms, column) => `${text(ms)}${late.includes(column) ? ' !' : ''}`.padStart(13))].join(' ')
}

function short(kind: NodeKind): string {
  return kind === 'bowline' ? 'ours' : 'ts'
}

function text(ms: number | undefined): string {
  return ms === undefined ? 'relayed' : `${ms.toFixed(0)} ms`
}
