/**
 * What pings come to: how many were answered, how fast, which way, in one line and as an object. Pure.
 */
import type { PingResult } from '../../localapi/types.ts'
import { printable } from '../text.ts'
import { milliseconds } from '../words.ts'

/** For programs; seconds like LatencySeconds, which are absent without an answer. */
export interface PingSummary {
  readonly Sent: number
  readonly Answered: number
  readonly LostPercent: number
  readonly MinSeconds?: number
  readonly AvgSeconds?: number
  readonly MaxSeconds?: number
}

export class PingTally {
  #sent = 0
  readonly #seconds: number[] = []

  /** A ping's outcome, late or not. */
  add({ Err, LatencySeconds }: PingResult): void {
    this.#sent++
    if (Err === '') this.#seconds.push(LatencySeconds)
  }

  get sent(): number {
    return this.#sent
  }

  get answered(): number {
    return this.#seconds.length
  }

  summary(): PingSummary {
    const [sent, answered] = [this.#sent, this.#seconds.length]
    const counts = { Sent: sent, Answered: answered, LostPercent: sent === 0 ? 0 : Math.round(((sent - answered) / sent) * 100) }
    if (answered === 0) return counts
    const total = this.#seconds.reduce((sum, one) => sum + one, 0)
    return { ...counts, MinSeconds: Math.min(...this.#seconds), AvgSeconds: total / answered, MaxSeconds: Math.max(...this.#seconds) }
  }

  /** "3 of 4 answered (25 % lost), least 0.4 ms, mean 0.5 ms, most 0.7 ms". */
  words(): string {
    const { Sent, Answered, LostPercent, MinSeconds, AvgSeconds, MaxSeconds } = this.summary()
    const count = `${Answered} of ${Sent} answered${LostPercent > 0 ? ` (${LostPercent} % lost)` : ''}`
    if (MinSeconds === undefined) return count
    const [least, mean, most] = [MinSeconds, AvgSeconds!, MaxSeconds!].map((seconds) => milliseconds(seconds * 1_000))
    return Answered === 1 ? `${count}, ${mean!}` : `${count}, least ${least!}, mean ${mean!}, most ${most!}`
  }
}

/** The way that an answer came: "direct 192.0.2.1:41641", "relayed, fra", "through the tunnel". */
export function wayOf(result: PingResult): string {
  if (result.Endpoint !== '') return `direct ${result.Endpoint}`
  if (result.PeerRelay !== '') return `by the peer relay ${printable(result.PeerRelay)}`
  if (result.DERPRegionID !== 0) return `relayed, ${printable(result.DERPRegionCode)}`
  if (result.PeerAPIURL !== undefined) return `from its PeerAPI, ${printable(result.PeerAPIURL)}`
  return 'through the tunnel'
}
