/**
 * What each layer of a device answered to pings, over IPv4 and IPv6, and what it means when one answers and the next does not. Pure.
 */
import type { PingResult, PingType } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { t, type WordId } from '../../main/words/words.ts'

export type Family = 'IPv4' | 'IPv6'
export interface Target {
  readonly type: PingType
  readonly family: Family
  readonly ip: string
}

/** One layer over one family. */
export interface Tally {
  readonly asked: number
  readonly replies: number
  /** The last answer that came; undefined while the first is awaited. */
  readonly last: PingResult | undefined
}

/** By type and family. */
export type Tallies = Readonly<Record<string, Tally>>

export const LAYERS: readonly PingType[] = ['disco', 'TSMP', 'ICMP', 'peerapi']
export const NO_TALLY: Tally = { asked: 0, replies: 0, last: undefined }
export const tallyKey = (type: PingType, family: Family): string => `${type} ${family}`

/** Everything that can be asked of a device: the path and the PeerAPI once, what goes to an address by each family it has. */
export function targetsOf(addresses: readonly string[]): readonly Target[] {
  const [first] = addresses
  if (first === undefined) return []
  const one = (['IPv4', 'IPv6'] as const).flatMap((family) => {
    const ip = addresses.find((address) => address.includes(':') === (family === 'IPv6'))
    return ip === undefined ? [] : [{ family, ip }]
  })
  return LAYERS.flatMap((type): readonly Target[] => (type === 'TSMP' || type === 'ICMP' ? one.map((at) => ({ type, ...at })) : [{ type, ...one[0]! }]))
}

/** Counts an answer in. */
export function count(tally: Tally, answer: PingResult): Tally {
  return { asked: tally.asked + 1, replies: tally.replies + (answer.Err === '' ? 1 : 0), last: answer }
}

const FAILED: Readonly<Record<string, WordId>> = {
  timeout: 'device.layers.lost', 'not-supported': 'device.layers.notSupported', 'not-connected': 'device.layers.notConnected', 'no-such-peer': 'device.layers.noPeer',
}

/** Why there was no reply. */
export function failure({ Err, ErrCode }: PingResult): string {
  const id = ErrCode === undefined ? undefined : FAILED[ErrCode]
  return id === undefined ? safeText(Err, 160) : t(id)
}

/** The way that a reply to a ping of the path came. */
export function wayOf({ Endpoint, PeerRelay, DERPRegionCode }: PingResult): string {
  if (Endpoint !== '') return `${t('path.direct')}, ${Endpoint}`
  return PeerRelay !== '' ? t('path.through.some') : t('path.relay.where', { relay: safeText(DERPRegionCode, 20) })
}

/** What the answers say together; undefined while one is awaited. */
export function meaning(tallies: Tallies): WordId | undefined {
  const answers = LAYERS.map((type) => {
    const known = (['IPv4', 'IPv6'] as const).flatMap((family) => tallies[tallyKey(type, family)] ?? []).filter(({ last }) => last !== undefined)
    return known.length === 0 ? undefined : known.some(({ last }) => last!.Err === '')
  })
  if (answers.includes(undefined)) return undefined
  const [path, tunnel, system, peerApi] = answers
  if (path === true && tunnel === true && system === true) return peerApi === true ? 'device.means.all' : 'device.means.noPeerApi'
  if (tunnel === true) return path === true ? 'device.means.noSystem' : 'device.means.noPath'
  if (system === true || peerApi === true) return undefined
  return path === true ? 'device.means.noTunnel' : 'device.means.nothing'
}
