/**
 * Prefs under a device policy, as pure functions: what a policy makes of them, which change it refuses, and how it is told.
 *
 * Source of the meaning: tailscale ipnlocal (applySysPolicy, checkEditPrefsAccess), 1.102.5.
 */
import { DEFAULT_ROUTES } from '../base/ip.ts'
import { UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import { durationMs } from '../core/policy/read-policy.ts'
import type { Policy, PolicyReading } from '../core/policy/read-policy.ts'
import type { ExitNodeFailure } from '../../localapi/extras.ts'
import { MANAGED_PREFS, policyKeyOf } from '../../localapi/policy.ts'
import type { ManagedPref, PolicyItem, PolicySnapshot } from '../../localapi/policy.ts'
import type { Prefs } from '../../localapi/types.ts'
import { changedFields } from './prefs.ts'

/** The name of the place that policies come from, as the stock daemon calls its own. */
const ORIGIN = { Name: 'JSONFile', Scope: 'Device' } as const
const AUTO_PREFIX = 'auto:'

/** How the policy is told to others. */
export function policySnapshot({ policy: { values, faults } }: PolicyReading): PolicySnapshot {
  const items: Record<string, PolicyItem> = {}
  for (const [key, Value] of Object.entries(values)) items[key] = { Value, Origin: ORIGIN }
  for (const { key, why } of faults) if (key !== '' && items[key] === undefined) items[key] = { Error: why, Origin: ORIGIN }
  return { Summary: { Scope: 'Device' }, ...(Object.keys(items).length === 0 ? {} : { Settings: items }) }
}

/** The server that the policy names. */
export function policyServer({ values }: Policy): string | undefined {
  return typeof values.LoginURL === 'string' ? values.LoginURL.replace(/\/+$/, '') : undefined
}

/** How long before its end a sign-in is said to end soon, where the policy says it. */
export function policyNoticeMs({ policy: { values } }: PolicyReading): number | undefined {
  return typeof values.KeyExpirationNotice === 'string' ? durationMs(values.KeyExpirationNotice) : undefined
}

/** Prefs as the policy wants them; the same object when they are. `signedInAt`: a sign-in at another server than the policy's is left alone. */
export function settlePolicy(prefs: Prefs, policy: Policy, signedInAt: string | undefined): Prefs {
  const { values } = policy
  if (Object.keys(values).length === 0) return prefs
  const server = policyServer(policy)
  let out: Prefs = withExitNode(prefs, values)
  if (server !== undefined && (signedInAt === undefined || signedInAt === server)) out = { ...out, ControlURL: server }
  if (values['AlwaysOn.Enabled'] === true && !out.LoggedOut) out = { ...out, WantRunning: true }
  if (typeof values.Hostname === 'string') out = { ...out, Hostname: values.Hostname }
  out = {
    ...out,
    ShieldsUp: !chosen(values.AllowIncomingConnections, !out.ShieldsUp),
    ExitNodeAllowLANAccess: chosen(values.ExitNodeAllowLANAccess, out.ExitNodeAllowLANAccess),
    CorpDNS: chosen(values.UseTailscaleDNSSettings, out.CorpDNS),
    RouteAll: chosen(values.UseTailscaleSubnets, out.RouteAll),
    AutoUpdate: { ...out.AutoUpdate, Check: chosen(values.CheckUpdates, out.AutoUpdate.Check) },
    AdvertiseRoutes: offered(out.AdvertiseRoutes, values, out.ExitNodeID !== '' || out.ExitNodeIP !== ''),
  }
  return changedFields(prefs, out).length === 0 ? prefs : out
}

function chosen(choice: unknown, otherwise: boolean): boolean {
  return choice === 'always' ? true : choice === 'never' ? false : otherwise
}

function withExitNode(prefs: Prefs, { ExitNodeID: id, ExitNodeIP: ip }: Policy['values']): Prefs {
  const { AutoExitNode: auto = '', ...rest } = prefs
  if (typeof id === 'string' && id.startsWith(AUTO_PREFIX)) {
    const settled = auto === 'any' && prefs.ExitNodeID !== '' ? prefs.ExitNodeID : UNRESOLVED_EXIT
    return { ...rest, AutoExitNode: 'any', ExitNodeID: settled, ExitNodeIP: '' }
  }
  if (typeof id === 'string') return { ...rest, ExitNodeID: id, ExitNodeIP: '' }
  if (typeof ip === 'string') return { ...rest, ExitNodeID: '', ExitNodeIP: ip }
  return prefs
}

/** A device that goes out through another cannot be the way out itself. */
function offered(routes: Prefs['AdvertiseRoutes'], { AdvertiseExitNode: choice, ...values }: Policy['values'], usesExit: boolean): Prefs['AdvertiseRoutes'] {
  const mustUse = values.ExitNodeID !== undefined || values.ExitNodeIP !== undefined
  const others = (routes ?? []).filter((route) => !DEFAULT_ROUTES.includes(route))
  const offers = !(mustUse && usesExit) && chosen(choice, others.length < (routes ?? []).length)
  const all = offers ? [...others, ...DEFAULT_ROUTES] : others
  // In the order they were, where nothing changes.
  return all.length === (routes ?? []).length && all.every((route) => routes?.includes(route)) ? routes : all.length === 0 ? null : all
}

const WORDS: Readonly<Record<ManagedPref, string>> = {
  ControlURL: 'the server', WantRunning: 'staying connected', ExitNodeID: 'exit node', ExitNodeAllowLANAccess: 'access to the local network beside an exit node',
  ShieldsUp: 'shields up', CorpDNS: "use of the network's names (accept DNS)", RouteAll: 'use of networks behind devices (accept routes)',
  AutoUpdate: 'looking for updates', Hostname: 'host name', AdvertiseRoutes: 'being an exit node',
}
const EXIT_FIELDS: readonly string[] = ['ExitNodeID', 'ExitNodeIP', 'AutoExitNode']

/**
 * Why a change is not allowed, or undefined: something in it that the policy holds was asked to be otherwise. `whole`: prefs that another
 * program sends whole ask for nothing where they have their default.
 */
export function policyRefusal(wanted: Prefs, before: Prefs, reading: PolicyReading, signedInAt: string | undefined, whole?: { readonly defaults: Prefs }): string | undefined {
  const held = new Set(changedFields(wanted, settlePolicy(wanted, reading.policy, signedInAt)))
  const asked = changedFields(wanted, before).filter((field) => held.has(field) && !(whole && isSame(wanted, whole.defaults, field)))
  if (asked.length === 0) return undefined
  const settings = policySnapshot(reading).Settings
  const field = asked.some((one) => EXIT_FIELDS.includes(one)) ? 'ExitNodeID' : MANAGED_PREFS.find((one) => asked.includes(one))
  const key = field && policyKeyOf(settings, field)
  if (field === undefined || key === undefined) return undefined
  if (field === 'WantRunning') return alwaysOnText(reading)
  return `${WORDS[field]} cannot be changed: it is set by ${administrator(reading)} (device policy ${key})`
}

/** What is done when the exit node fails: nothing goes past one that the policy names, whatever a person chose for that case. */
export function settleFailure(chosen: ExitNodeFailure, { policy: { values } }: PolicyReading): ExitNodeFailure {
  return values.ExitNodeID === undefined && values.ExitNodeIP === undefined ? chosen : 'block'
}

/** Why another rule for that case is not allowed, or undefined. */
export function failureRefusal(wanted: ExitNodeFailure, before: ExitNodeFailure, reading: PolicyReading): string | undefined {
  const key = policyKeyOf(policySnapshot(reading).Settings, 'ExitNodeID')
  if (key === undefined || wanted === before || wanted === settleFailure(wanted, reading)) return undefined
  return `what happens when the exit node fails cannot be changed: it is set by ${administrator(reading)} (device policy ${key})`
}

/** Why nobody may disconnect or sign out. */
export function alwaysOnText(reading: PolicyReading): string {
  return `disconnect not allowed: always-on mode is enabled by ${administrator(reading)} (device policy AlwaysOn.Enabled)`
}

function administrator({ policy: { values } }: PolicyReading): string {
  return typeof values.ManagedByOrganizationName === 'string' ? values.ManagedByOrganizationName : 'the administrator of this computer'
}

function isSame(a: Prefs, b: Prefs, field: string): boolean {
  return changedFields(a, b).every((other) => other !== field)
}
