/**
 * A WantedChange as a stranger sends it: only what a trial may change, or EngineError('bad-argument').
 */
import { EngineError } from '../../base/errors.ts'
import { MAX_TRIAL_SEC, MIN_TRIAL_SEC, TRIAL_FIELDS, TRIAL_SEC } from './trial.ts'
import type { TrialAnswer, WantedChange } from '../../../localapi/machine.ts'
import type { MaskedPrefs } from '../../../localapi/types.ts'

const MAX_NETWORKS = 1_000

/** Throws EngineError('bad-argument'). */
export function readChange(body: unknown): WantedChange {
  if (!isRecord(body)) throw refused('Send a JSON object with Prefs, Mode or SkippedRoutes.')
  const { Prefs, Mode, SkippedRoutes, ...rest } = body
  const strange = Object.keys(rest)[0]
  if (strange !== undefined) throw refused(`There is nothing called ${JSON.stringify(strange.slice(0, 50))} to change; send Prefs, Mode or SkippedRoutes.`)
  if (Prefs === undefined && Mode === undefined && SkippedRoutes === undefined) throw refused('Nothing is to be changed; send Prefs, Mode or SkippedRoutes.')
  if (Mode !== undefined && Mode !== 'apps' && Mode !== 'whole') throw refused('Mode is "apps" or "whole".')
  const isList = Array.isArray(SkippedRoutes) && SkippedRoutes.length <= MAX_NETWORKS && SkippedRoutes.every((text) => typeof text === 'string')
  if (SkippedRoutes !== undefined && !isList) throw refused('SkippedRoutes wants a list of networks like 10.0.3.0/24.')
  return {
    ...(Prefs === undefined ? {} : { Prefs: readPrefs(Prefs) }),
    ...(Mode === undefined ? {} : { Mode }),
    ...(SkippedRoutes === undefined ? {} : { SkippedRoutes: SkippedRoutes as readonly string[] }),
  }
}

function readPrefs(prefs: unknown): MaskedPrefs {
  if (!isRecord(prefs)) throw refused('Prefs wants an object of fields, each with its mark: { "RouteAll": true, "RouteAllSet": true }.')
  const marked = Object.entries(prefs).filter(([name, value]) => name.endsWith('Set') && value === true).map(([name]) => name.slice(0, -3))
  const strange = marked.find((field) => !TRIAL_FIELDS.includes(field))
  if (strange !== undefined) throw refused(`${JSON.stringify(strange.slice(0, 50))} cannot be tried first; these can: ${TRIAL_FIELDS.join(', ')}.`)
  if (marked.length === 0) throw refused('No field of Prefs is marked: send the mark too, like "RouteAllSet": true.')
  return Object.fromEntries(marked.flatMap((field) => [...(field in prefs ? [[field, prefs[field]]] : []), [`${field}Set`, true]])) as MaskedPrefs
}

/** How long a trial lasts. Throws EngineError('bad-argument'). */
export function readSeconds(seconds: unknown): number {
  if (seconds === undefined) return TRIAL_SEC
  const isFine = typeof seconds === 'number' && Number.isInteger(seconds) && seconds >= MIN_TRIAL_SEC && seconds <= MAX_TRIAL_SEC
  if (!isFine) throw refused(`A trial lasts ${MIN_TRIAL_SEC} to ${MAX_TRIAL_SEC} seconds.`)
  return seconds
}

/** undefined: it is no answer but a request. Throws EngineError('bad-argument'). */
export function readAnswer(body: unknown): TrialAnswer | undefined {
  if (!isRecord(body) || !('Answer' in body)) return undefined
  const { ID, Answer } = body
  if (typeof ID !== 'string' || (Answer !== 'keep' && Answer !== 'undo')) throw refused('Answer is "keep" or "undo", with the ID of the trial.')
  return { ID, Answer }
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function refused(text: string): EngineError {
  return new EngineError('bad-argument', text)
}
