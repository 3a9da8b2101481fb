/**
 * The merge rules of single fields of a MapResponse: DERP map, named filters, display messages, user profiles.
 * Each gives back its first argument, the same object, when nothing changes.
 *
 * Source: tailscale control/controlclient/map.go, types/netmap; "absent = unchanged" unless said otherwise.
 */
import type { DerpMap, DerpRegion, DisplayMessage, FilterRule, MapResponse, UserId, UserProfile } from '../tailcfg/types.ts'
import type { IdTable } from './id-table.ts'
import { keep, sameJson } from './same.ts'

export const NO_DERP_MAP: DerpMap = Object.freeze({ Regions: Object.freeze({}) })

/** Regions present replace all, null ones fall out; absent regions keep the old ones with omitDefaultRegions. */
export function mergeDerpMap(previous: DerpMap, change: MapResponse['DERPMap']): DerpMap {
  if (!change) return previous
  const score = change.HomeParams?.RegionScore ?? previous.HomeParams?.RegionScore
  let regions = previous.Regions
  let omit = previous.omitDefaultRegions
  if (change.Regions) {
    const whole: Record<string, DerpRegion> = {}
    for (const [id, region] of Object.entries(change.Regions)) if (region) whole[id] = keep(previous.Regions[id] ?? region, region)
    regions = Object.freeze(whole)
    omit = change.omitDefaultRegions
  }
  return keep(previous, Object.freeze({
    Regions: regions,
    ...(score ? { HomeParams: Object.freeze({ RegionScore: score }) } : {}),
    ...(omit === undefined ? {} : { omitDefaultRegions: omit }),
  }))
}

type Filters = ReadonlyMap<string, readonly FilterRule[]>

/** PacketFilter sets "base"; then "*": null drops all names; then null deletes a name and a list sets it. */
export function mergeFilters(previous: Filters, message: MapResponse): Filters {
  const { PacketFilter: base, PacketFilters: named } = message
  if (!base && !named) return previous
  const filters = new Map(previous)
  if (base) filters.set('base', base)
  if (named && Object.hasOwn(named, '*') && named['*'] === null) filters.clear()
  for (const [name, rules] of Object.entries(named ?? {})) {
    if (name === '*') continue
    if (rules) filters.set(name, rules)
    else filters.delete(name)
  }
  const same = filters.size === previous.size && [...filters].every(([name, rules]) => sameJson(previous.get(name), rules))
  return same ? previous : filters
}

type Messages = ReadonlyMap<string, DisplayMessage>

/** "*": null clears all first; null removes one; a message sets one. */
export function mergeDisplayMessages(previous: Messages, change: MapResponse['DisplayMessages']): Messages {
  if (!change) return previous
  const messages = new Map(previous)
  if (Object.hasOwn(change, '*') && change['*'] === null) messages.clear()
  for (const [id, message] of Object.entries(change)) {
    if (id === '*') continue
    if (message) messages.set(id, keep(previous.get(id) ?? message, message))
    else messages.delete(id)
  }
  const same = messages.size === previous.size && [...messages].every(([id, message]) => previous.get(id) === message)
  return same ? previous : messages
}

/** Profiles are set by ID and never removed while a stream lasts. */
export function mergeProfiles(
  previous: IdTable<UserProfile>, profiles: MapResponse['UserProfiles'], known: ReadonlyMap<UserId, UserProfile>,
): IdTable<UserProfile> {
  if (!profiles || profiles.length === 0) return previous
  const set = new Map<UserId, UserProfile>()
  for (const profile of profiles) set.set(profile.ID, keep(known.get(profile.ID) ?? profile, profile))
  return previous.with(set)
}
