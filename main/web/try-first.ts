/**
 * A change that a window or the tray asks for, where it may take something away: the engine is asked first what that is. When a person would
 * miss it, the change is made on trial, and the engine tells of that on its bus; else it is made at once.
 */
import type { LocalApiClient } from '../client/local-api-client.ts'
import { LocalApiError } from '../client/local-api-client.ts'
import type { PreviewPage, WantedChange } from '../localapi/machine.ts'
import { METHODS } from '../localapi/methods.ts'
import type { MaskedPrefs } from '../localapi/types.ts'

export interface TryFirstOptions {
  /** Whether the person wants risky changes tried first; absent = yes. */
  readonly wantsTrial?: (() => boolean) | undefined
  /** The engine's own words of refusal are heard where nothing would go out. */
  readonly refusesBlocked?: boolean
}

const FIELDS: readonly string[] = ['RouteAll', 'CorpDNS', 'ExitNodeAllowLANAccess', 'ExitNodeID', 'ExitNodeIP', 'AutoExitNode']

/** Makes a change by `make`, or begins a trial of it: 'tried'. Rejects with the reason when it cannot be made at all. */
export async function tryFirst(client: LocalApiClient, change: WantedChange, make: () => Promise<unknown>, { wantsTrial, refusesBlocked = false }: TryFirstOptions = {}): Promise<'made' | 'tried'> {
  const page = wantsTrial?.() === false ? undefined : ((await client.json({ method: 'POST', path: METHODS.preview.path, body: change })) as PreviewPage)
  if (page?.Refused) throw new LocalApiError(400, page.Refused.Code, page.Refused.Text)
  const isKeptIn = page?.Internet.After === 'blocked' && page.Internet.Before !== 'blocked'
  if (!page?.IsRisky || (refusesBlocked && isKeptIn)) {
    await make()
    return 'made'
  }
  await client.json({ method: 'POST', path: METHODS.answerTrial.path, body: { Change: change } })
  return 'tried'
}

/** The change in edited prefs when a trial may make all of it; undefined: it takes nothing away, or more is in it. */
export function triable(prefs: Readonly<Record<string, unknown>>): WantedChange | undefined {
  const marked = Object.keys(prefs).filter((name) => name.endsWith('Set') && prefs[name] === true).map((name) => name.slice(0, -3))
  return marked.length > 0 && marked.every((field) => FIELDS.includes(field)) ? { Prefs: prefs as MaskedPrefs } : undefined
}

/** The wish for an exit node by stable ID, for the automatic choice ("auto"), or for none (""). */
export function exitChange(node: string): WantedChange {
  const isAuto = node === 'auto'
  return { Prefs: { ExitNodeID: isAuto ? '' : node, ExitNodeIDSet: true, ExitNodeIP: '', ExitNodeIPSet: true, AutoExitNode: isAuto ? 'any' : '', AutoExitNodeSet: true } }
}
