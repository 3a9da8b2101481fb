/**
 * A change on trial: it is in force, and is taken back by itself unless somebody keeps it. Pure: events in, what is to be done out.
 *
 *   (none) ── begin ──▶ open ── keep ──▶ kept
 *                        │─── undo ────▶ undone        the fields that it changed are as before again, and no others
 *                        │─── time ────▶ ran-out       the same
 *                        │─── restart ─▶ restarted     the same, before anything else is done
 *                        │─── leave ───▶ left          the same, before another profile takes over
 *                        └─── edited ──▶ replaced      nothing of it is in force any more: there is nothing to take back
 *
 * Times are monotonic here: a clock that is set never lengthens a trial. A field that somebody changed meanwhile is theirs.
 */
import type { Loss, TrialEnd, WantedChange } from '../../../localapi/machine.ts'
import type { MaskedPrefs, Prefs } from '../../../localapi/types.ts'
import type { MonoMs, WallMs } from '../../base/env.ts'

/** What a trial may change, as it is at one moment. */
export interface TrialValues {
  readonly prefs: Prefs
  readonly mode: 'apps' | 'whole'
  readonly skippedRoutes: readonly string[]
}

/** What is written down before a trial begins. */
export interface SavedTrial {
  readonly id: string
  readonly profileId: string
  /** What was asked for. */
  readonly change: WantedChange
  /** The fields that it changes, as they were and as it makes them. */
  readonly back: WantedChange
  readonly forth: WantedChange
  readonly untilWallMs: WallMs
  readonly losses: readonly Loss[]
}

export interface OpenTrial extends SavedTrial {
  readonly untilMs: MonoMs
}

/** Fields of the prefs that a trial may change; those of the exit node stand and fall together. */
const EXIT_FIELDS = ['ExitNodeID', 'ExitNodeIP', 'AutoExitNode', 'InternalExitNodePrior'] as const
const SINGLE_FIELDS = ['RouteAll', 'CorpDNS', 'ExitNodeAllowLANAccess', 'AdvertiseRoutes'] as const
export const TRIAL_FIELDS: readonly string[] = [...EXIT_FIELDS, ...SINGLE_FIELDS]

export const MIN_TRIAL_SEC = 5
export const MAX_TRIAL_SEC = 120
export const TRIAL_SEC = 20

/** Exactly the fields that differ, with their values in `to`. */
export function differing(from: TrialValues, to: TrialValues): WantedChange {
  const prefs: Record<string, unknown> = {}
  const mark = (field: keyof Prefs): void => {
    prefs[field] = to.prefs[field] ?? EMPTY[field] ?? null
    prefs[`${field}Set`] = true
  }
  if (EXIT_FIELDS.some((field) => !same(from.prefs[field], to.prefs[field]))) EXIT_FIELDS.forEach(mark)
  SINGLE_FIELDS.filter((field) => !same(from.prefs[field], to.prefs[field])).forEach(mark)
  return {
    ...(Object.keys(prefs).length > 0 ? { Prefs: prefs as MaskedPrefs } : {}),
    ...(from.mode === to.mode ? {} : { Mode: to.mode }),
    ...(same(from.skippedRoutes, to.skippedRoutes) ? {} : { SkippedRoutes: to.skippedRoutes }),
  }
}

/** How what is optional in prefs looks while it is not there. */
const EMPTY: Readonly<Partial<Record<string, unknown>>> = { AutoExitNode: '' }

export const isNothing = ({ Prefs: prefs, Mode, SkippedRoutes }: WantedChange): boolean => prefs === undefined && Mode === undefined && SkippedRoutes === undefined

/** What is to be set for taking a trial back: of its fields those that are still as it made them. */
export function undoing({ back, forth }: SavedTrial, now: TrialValues): WantedChange {
  const prefs: Record<string, unknown> = {}
  const given = forth.Prefs as Readonly<Record<string, unknown>> | undefined
  const take = (fields: readonly (keyof Prefs)[], isSame: boolean): void => {
    for (const field of fields) {
      if (!isSame || given?.[`${field}Set`] !== true) continue
      prefs[field] = (back.Prefs as Readonly<Record<string, unknown>>)[field]
      prefs[`${field}Set`] = true
    }
  }
  take(EXIT_FIELDS, given !== undefined && exitWish(given) === exitWish(now.prefs as unknown as Readonly<Record<string, unknown>>))
  for (const field of SINGLE_FIELDS) take([field], same(given?.[field], now.prefs[field]))
  return {
    ...(Object.keys(prefs).length > 0 ? { Prefs: prefs as MaskedPrefs } : {}),
    ...(forth.Mode !== undefined && forth.Mode === now.mode ? { Mode: back.Mode! } : {}),
    ...(forth.SkippedRoutes !== undefined && same(forth.SkippedRoutes, now.skippedRoutes) ? { SkippedRoutes: back.SkippedRoutes! } : {}),
  }
}

/** What a person wants of exit nodes; which one an automatic choice has come to, or that an address became an ID, is none of it. */
function exitWish(prefs: Readonly<Partial<Record<string, unknown>>>): string {
  const [auto, id, ip] = [prefs['AutoExitNode'], prefs['ExitNodeID'], prefs['ExitNodeIP']].map((text) => (typeof text === 'string' ? text : ''))
  return auto !== '' ? `auto ${auto}` : id !== '' ? `node ${id}` : ip !== '' ? `address ${ip}` : ''
}

/** How a trial stands; `undo`: what is to be set now. */
export type TrialStep =
  | { readonly kind: 'goes-on'; readonly wakeMs: MonoMs }
  | { readonly kind: 'ends'; readonly end: TrialEnd; readonly undo: WantedChange }

/** At this moment and these values: time may be up, or nothing of it is left. */
export function stepTrial(trial: OpenTrial, nowMs: MonoMs, now: TrialValues): TrialStep {
  const undo = undoing(trial, now)
  if (isNothing(undo)) return { kind: 'ends', end: 'replaced', undo: {} }
  return nowMs < trial.untilMs ? { kind: 'goes-on', wakeMs: trial.untilMs } : { kind: 'ends', end: 'ran-out', undo }
}

function same(a: unknown, b: unknown): boolean {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null) || ((a ?? '') === '' && (b ?? '') === '')
}
