/**
 * The device policy as the window shows it: what is held by which rule, and how that changed. Pure.
 */
import { MANAGED_PREFS, policyKeyOf, type ManagedPref, type PolicySnapshot } from '../../main/localapi/policy.ts'
import { safeText } from '../../main/words/format.ts'

export interface PolicyRow {
  readonly key: string
  /** As it is written; "" for one that is not followed. */
  readonly value: string
  /** Why it is not followed. */
  readonly fault: string | undefined
}

/** The rule that holds a pref, undefined while a person may set it. */
export function lockOf(policy: PolicySnapshot, pref: ManagedPref): string | undefined {
  return policyKeyOf(policy.Settings, pref)
}

/** How many settings are held. */
export function heldCount(policy: PolicySnapshot): number {
  return MANAGED_PREFS.filter((pref) => policyKeyOf(policy.Settings, pref) !== undefined).length
}

export function policyRows(policy: PolicySnapshot): readonly PolicyRow[] {
  return Object.entries(policy.Settings ?? {}).toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([key, item]) => ({
    key: safeText(key, 64), value: item.Value === undefined ? '' : safeText(String(item.Value), 200), fault: item.Error === undefined ? undefined : safeText(item.Error, 200),
  }))
}

/** In how many rules two policies differ, leaving aside who says so and what is not followed. */
export function policyChanges(before: PolicySnapshot, after: PolicySnapshot): number {
  const [a, b] = [before.Settings ?? {}, after.Settings ?? {}]
  return [...new Set([...Object.keys(a), ...Object.keys(b)])].filter((key) => !key.startsWith('ManagedBy') && a[key]?.Value !== b[key]?.Value).length
}
