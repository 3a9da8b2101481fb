/**
 * What the engine keeps between lives: the machine key of this installation, and its profiles. One JSON file, version 2.
 *
 *   { version: 2, machineKey, current, profiles: [{ id, created, nodeKey | null, nodeKeyUrl, nodeKeyAtMs?, discoKey, prefs, extras?, user | null,
 *     nodeId, network }] }          current = the id of the profile in use; it is always among them
 *
 * Version 1 held one profile, its fields beside the machine key, and the disco key in a file of its own.
 * The machine key is made once. A node key stays until somebody signs out: a reboot never does.
 */
import { EngineError } from '../base/errors.ts'
import { PrivateKey } from '../base/keys.ts'
import { toHex } from '../base/bytes.ts'
import type { Random } from '../base/env.ts'
import { Drops } from '../core/tailcfg/check.ts'
import { userProfile } from '../core/tailcfg/check-node.ts'
import type { UserProfile } from '../core/tailcfg/types.ts'
import type { LoginProfile, Prefs } from '../../localapi/types.ts'
import type { Extras } from '../../localapi/extras.ts'
import { DEFAULT_EXTRAS } from '../../localapi/extras.ts'
import { checkServerAddress } from './check-prefs.ts'
import { readExtras } from './extras.ts'
import { defaultPrefs, parsePrefs, publicConfig } from './prefs.ts'

export const STATE_VERSION = 2

/** One account on one server. */
export interface SavedProfile {
  readonly nodeKey: PrivateKey | undefined
  /** Server with which the node key was registered; "" without one. */
  readonly nodeKeyUrl: string
  /** Wall time of the sign-in that made it; undefined = not known. */
  readonly nodeKeyAtMs?: number
  readonly discoKey: PrivateKey
  readonly prefs: Prefs
  readonly extras: Extras
  readonly profile: { readonly id: string; readonly created: string }
  readonly user: UserProfile | undefined
  readonly nodeId: string
  readonly network: { readonly magicDnsName: string; readonly domain: string }
}

/** The profile in use, with the installation's own key. */
export interface SavedState extends SavedProfile {
  readonly machineKey: PrivateKey
}

/** All that the file says. */
export interface SavedProfiles {
  readonly current: SavedState
  readonly others: readonly SavedProfile[]
}

export interface ParsedState extends SavedProfiles {
  /** Of the file; an older one is to be written anew. */
  readonly version: number
}

export type Os = 'linux' | 'windows' | 'macOS'

/** State of a machine that has never signed in; `machineKey` stays when there is one. */
export function freshState(random: Random, os: Os, wallMs: number, machineKey?: PrivateKey): SavedState {
  return {
    machineKey: machineKey ?? PrivateKey.fromRandom(random.bytes(32)),
    nodeKey: undefined,
    nodeKeyUrl: '',
    discoKey: PrivateKey.fromRandom(random.bytes(32)),
    prefs: defaultPrefs(os),
    extras: DEFAULT_EXTRAS,
    profile: { id: toHex(random.bytes(2)), created: new Date(wallMs).toISOString() },
    user: undefined,
    nodeId: '',
    network: { magicDnsName: '', domain: '' },
  }
}

/** The file's text. The only place where private keys are written out. */
export function stateText({ current, others }: SavedProfiles): string {
  const file = {
    version: STATE_VERSION,
    machineKey: current.machineKey.secretText(),
    current: current.profile.id,
    profiles: [current, ...others].map(profileJson),
  }
  return JSON.stringify(file, null, 2)
}

function profileJson({ nodeKey, nodeKeyUrl, nodeKeyAtMs, discoKey, prefs, extras, profile, user, nodeId, network }: SavedProfile): unknown {
  return {
    ...profile,
    nodeKey: nodeKey?.secretText() ?? null,
    nodeKeyUrl,
    nodeKeyAtMs,
    discoKey: discoKey.secretText(),
    prefs: { ...prefs, Config: null },
    extras,
    user: user ?? null,
    nodeId,
    network,
  }
}

export interface ParseStateOptions {
  readonly os: Os
  /** The disco key of a profile that was saved without one. */
  readonly newDiscoKey: () => PrivateKey
}

/**
 * State of the file's text; undefined when it is not one that this engine wrote. Throws EngineError('bad-state-file') for
 * the text of a later version, which must not be touched.
 */
export function parseState(text: string, options: ParseStateOptions): ParsedState | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(raw)) return undefined
  const version = raw['version']
  if (typeof version === 'number' && version > STATE_VERSION) {
    throw new EngineError('bad-state-file', `was written by a later version of Bowline (format ${version}, this one reads up to ${STATE_VERSION}). Use that version again, or start this one with another --statedir. The file was left as it is.`)
  }
  const parsed = version === 1 ? parseVersion1(raw, options) : version === 2 ? parseVersion2(raw, options) : undefined
  return parsed && { ...parsed, version: version as number }
}

/** Version 1: one profile whose fields lie beside the machine key. */
function parseVersion1(raw: Readonly<Record<string, unknown>>, options: ParseStateOptions): SavedProfiles | undefined {
  const machineKey = PrivateKey.parse(raw['machineKey'])
  const { profile } = raw
  if (!machineKey || !isRecord(profile)) return undefined
  const only = parseProfile({ ...raw, ...profile }, options)
  return only && { current: { ...only, machineKey }, others: [] }
}

function parseVersion2(raw: Readonly<Record<string, unknown>>, options: ParseStateOptions): SavedProfiles | undefined {
  const machineKey = PrivateKey.parse(raw['machineKey'])
  const list = raw['profiles']
  if (!machineKey || !Array.isArray(list)) return undefined
  const profiles: SavedProfile[] = []
  for (const item of list) {
    const profile = isRecord(item) ? parseProfile(item, options) : undefined
    if (!profile || profiles.some((other) => other.profile.id === profile.profile.id)) return undefined
    profiles.push(profile)
  }
  const current = profiles.find((profile) => profile.profile.id === raw['current'])
  return current && { current: { ...current, machineKey }, others: profiles.filter((profile) => profile !== current) }
}

function parseProfile(raw: Readonly<Record<string, unknown>>, { os, newDiscoKey }: ParseStateOptions): SavedProfile | undefined {
  const nodeKey = raw['nodeKey'] === null ? undefined : PrivateKey.parse(raw['nodeKey'])
  const discoKey = raw['discoKey'] === undefined ? newDiscoKey() : PrivateKey.parse(raw['discoKey'])
  const prefs = parsePrefs(raw['prefs'], defaultPrefs(os), false)
  const { id, created } = raw
  if ((raw['nodeKey'] !== null && !nodeKey) || !discoKey || typeof prefs === 'string') return undefined
  // The id becomes part of a file's name.
  if (typeof id !== 'string' || !/^[0-9a-f]{1,16}$/.test(id) || typeof created !== 'string') return undefined
  const nodeKeyUrl = textOf(raw['nodeKeyUrl'])
  if (checkServerAddress(nodeKeyUrl) !== undefined || checkServerAddress(prefs.ControlURL) !== undefined || (nodeKey && nodeKeyUrl === '')) return undefined
  const user = userProfile(raw['user'], new Drops())
  const network = isRecord(raw['network']) ? raw['network'] : {}
  const nodeId = textOf(raw['nodeId'])
  const nodeKeyAtMs = raw['nodeKeyAtMs']
  return {
    nodeKey,
    nodeKeyUrl,
    ...(typeof nodeKeyAtMs === 'number' ? { nodeKeyAtMs } : {}),
    discoKey,
    prefs: { ...prefs, Config: user && nodeKey ? publicConfig(user, nodeId) : null },
    extras: readExtras(raw['extras']),
    profile: { id, created },
    user,
    nodeId,
    network: { magicDnsName: textOf(network['magicDnsName']), domain: textOf(network['domain']) },
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

const NOBODY: UserProfile = { ID: 0, LoginName: '', DisplayName: '' }

/** The profile as the LocalAPI shows it; an empty one while nobody is signed in. */
export function loginProfile(state: SavedProfile): LoginProfile {
  const known = state.nodeKey !== undefined
  return {
    ID: known ? state.profile.id : '',
    Name: state.prefs.ProfileName ?? state.user?.LoginName ?? '',
    NetworkProfile: { MagicDNSName: state.network.magicDnsName, DomainName: state.network.domain, DisplayName: '' },
    Key: known ? `profile-${state.profile.id}` : '',
    UserProfile: state.user ?? NOBODY,
    NodeID: state.nodeId,
    LocalUserID: '',
    ControlURL: state.prefs.ControlURL,
    ...(known ? { Created: state.profile.created } : {}),
  }
}
