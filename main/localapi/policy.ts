/**
 * policy/ and the bus's Policy: what the administrator of this computer laid down, and which settings it holds. Names as on the wire.
 *
 * Source: tailscale util/syspolicy/setting (snapshot, raw item), 1.102.5.
 */
import type { Prefs } from './types.ts'

export interface PolicyItem {
  readonly Value?: string | boolean
  /** Why it is not followed; then there is no value. */
  readonly Error?: string
  readonly Origin?: { readonly Name?: string; readonly Scope: string }
}

export interface PolicySnapshot {
  readonly Summary: { readonly Scope: string }
  /** By key; absent: nothing is laid down. */
  readonly Settings?: Readonly<Record<string, PolicyItem>>
}

export const NO_POLICY: PolicySnapshot = { Summary: { Scope: 'Device' } }

/** Prefs that a policy can hold, and by which keys. */
const KEYS_OF_PREF = {
  ControlURL: ['LoginURL'],
  WantRunning: ['AlwaysOn.Enabled'],
  ExitNodeID: ['ExitNodeID', 'ExitNodeIP'],
  ExitNodeAllowLANAccess: ['ExitNodeAllowLANAccess'],
  ShieldsUp: ['AllowIncomingConnections'],
  CorpDNS: ['UseTailscaleDNSSettings'],
  RouteAll: ['UseTailscaleSubnets'],
  AutoUpdate: ['CheckUpdates'],
  Hostname: ['Hostname'],
  /** Its default routes alone. */
  AdvertiseRoutes: ['AdvertiseExitNode'],
} as const satisfies Readonly<Partial<Record<keyof Prefs, readonly string[]>>>

export type ManagedPref = keyof typeof KEYS_OF_PREF

export const MANAGED_PREFS = Object.keys(KEYS_OF_PREF) as readonly ManagedPref[]

/** The key that holds a pref, undefined while a person may set it. */
export function policyKeyOf(settings: PolicySnapshot['Settings'], pref: ManagedPref): string | undefined {
  return KEYS_OF_PREF[pref].find((key) => {
    const value = settings?.[key]?.Value
    return value !== undefined && value !== false && value !== 'user-decides'
  })
}

/** Whether a part of the window is to be hidden: by the key of its visibility. */
export function isHidden(settings: PolicySnapshot['Settings'], key: 'ExitNodesPicker' | 'RunExitNode' | 'PreferencesMenu' | 'UpdateMenu'): boolean {
  return settings?.[key]?.Value === 'hide'
}

/** What a policy chooses, undefined where it leaves that to people. */
export function choiceOf(settings: PolicySnapshot['Settings'], key: 'CheckUpdates'): boolean | undefined {
  const value = settings?.[key]?.Value
  return value === 'always' ? true : value === 'never' ? false : undefined
}

/** A text of a policy, "" where there is none. */
export function policyText(settings: PolicySnapshot['Settings'], key: 'ManagedByOrganizationName' | 'ManagedByCaption' | 'ManagedByURL'): string {
  const value = settings?.[key]?.Value
  return typeof value === 'string' ? value : ''
}
