/**
 * The rules that an administrator can lay down for a computer: names and meaning are Tailscale's own, so that what was written for its
 * client fits. Pure.
 *
 *   choice      "always" | "never" | "user-decides"
 *   visibility  "show" | "hide"
 *   duration    Go's form, "36h" or "1h30m"
 *
 * Source: tailscale util/syspolicy/pkey, util/syspolicy/policy_keys.go (1.103), read 2026-11.
 */

export type PolicyKind = 'text' | 'url' | 'host-name' | 'ip' | 'flag' | 'choice' | 'visibility' | 'duration'

/** Keys that are followed here, each with the form of its value. */
export const POLICY_KEYS = {
  LoginURL: 'url',
  'AlwaysOn.Enabled': 'flag',
  ExitNodeID: 'text',
  ExitNodeIP: 'ip',
  ExitNodeAllowLANAccess: 'choice',
  AllowIncomingConnections: 'choice',
  UseTailscaleDNSSettings: 'choice',
  UseTailscaleSubnets: 'choice',
  AdvertiseExitNode: 'choice',
  CheckUpdates: 'choice',
  Hostname: 'host-name',
  KeyExpirationNotice: 'duration',
  ExitNodesPicker: 'visibility',
  RunExitNode: 'visibility',
  PreferencesMenu: 'visibility',
  UpdateMenu: 'visibility',
  ManagedByOrganizationName: 'text',
  ManagedByCaption: 'text',
  ManagedByURL: 'url',
} as const satisfies Readonly<Record<string, PolicyKind>>

export type PolicyKey = keyof typeof POLICY_KEYS

/** Keys of Tailscale's that mean nothing here, or for which there is nothing to set. */
export const NOT_FOLLOWED: ReadonlySet<string> = new Set([
  'AdminConsole', 'AllowedSuggestedExitNodes', 'AllowTailscaledRestart', 'AlwaysOn.OverrideWithReason', 'ApplyUpdates', 'AuthKey', 'DeviceSerialNumber', 'EnableDNSRegistration',
  'EncryptState', 'ExitNode.AllowOverride', 'FlushDNSOnSessionUnlock', 'HardwareAttestation', 'InstallUpdates', 'LogSCMInteractions', 'LogTarget',
  'MachineCertificateSubject', 'NetworkDevices', 'OnboardingFlow', 'PostureChecking', 'ReconnectAfter', 'ResetToDefaults', 'SuggestedExitNode', 'Tailnet',
  'TestMenu', 'UnattendedMode',
])
