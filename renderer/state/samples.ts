/**
 * Round trips of devices as far as this window saw them: a sample an answer, or a gap where none came. Kept for 15 minutes, for the
 * devices looked at last, in this window alone.
 */
import { create } from 'zustand'
import type { PingResult } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'

export type SampleKind = 'direct' | 'peer-relay' | 'relay'

export interface Sample {
  readonly atMs: number
  /** undefined: no reply came. */
  readonly ms: number | undefined
  /** Of one without a reply: as it was before. */
  readonly kind: SampleKind
  /** Code of the relay, "" otherwise. */
  readonly via: string
}

export const KEPT_MS = 15 * 60_000
const MAX_SAMPLES = 900
const MAX_DEVICES = 30

export const useSamples = create<ReadonlyMap<string, readonly Sample[]>>(() => new Map())

/** Adds one; those of a device come in the order of their time. */
export function addSample(device: string, sample: Sample): void {
  const old = useSamples.getState()
  const kept = [...(old.get(device) ?? []), sample].filter((one) => sample.atMs - one.atMs < KEPT_MS).slice(-MAX_SAMPLES)
  const others = [...old].filter(([id]) => id !== device).slice(1 - MAX_DEVICES)
  useSamples.setState(new Map([...others, [device, kept]]), true)
}

export function sampleOf(atMs: number, answer: PingResult, before: Sample | undefined): Sample {
  if (answer.Err !== '') return { atMs, ms: undefined, kind: before?.kind ?? 'relay', via: before?.via ?? '' }
  const kind = answer.Endpoint !== '' ? 'direct' : answer.PeerRelay !== '' ? 'peer-relay' : 'relay'
  return { atMs, ms: answer.LatencySeconds * 1000, kind, via: kind === 'relay' ? safeText(answer.DERPRegionCode, 20) : '' }
}

export interface SampleSums {
  readonly nowMs: number | undefined
  /** Mean difference from one to the next. */
  readonly spreadMs: number | undefined
  /** 0…1. */
  readonly lost: number
}

export function sumsOf(samples: readonly Sample[]): SampleSums {
  const trips = samples.flatMap(({ ms }) => (ms === undefined ? [] : [ms]))
  const steps = trips.slice(1).map((ms, i) => Math.abs(ms - trips[i]!))
  return {
    nowMs: samples.at(-1)?.ms,
    spreadMs: steps.length === 0 ? undefined : steps.reduce((sum, one) => sum + one, 0) / steps.length,
    lost: samples.length === 0 ? 0 : 1 - trips.length / samples.length,
  }
}

/** What a path through others costs beside the direct one, when both were measured here; undefined where not known or nothing. */
export function costMs(samples: readonly Sample[]): number | undefined {
  const median = (kinds: readonly SampleKind[]): number | undefined => {
    const trips = samples.flatMap(({ ms, kind }) => (ms !== undefined && kinds.includes(kind) ? [ms] : [])).toSorted((a, b) => a - b)
    return trips[Math.floor(trips.length / 2)]
  }
  const [direct, through] = [median(['direct']), median(['relay', 'peer-relay'])]
  return direct === undefined || through === undefined || through - direct < 1 ? undefined : through - direct
}
