/**
 * What the engine keeps between lives: keys, prefs, and whose they are. One JSON file, version 1.
 *
 *   { version: 1, machineKey, nodeKey | null, nodeKeyUrl, prefs, profile: { id, created }, user | null, nodeId, network }
 *
 * The machine key is made once. The node key stays until somebody signs out: a reboot never does.
 */
import { PrivateKey } from '../base/keys.ts'
import { toHex } from '../base/bytes.ts'
import type { Random } from '../base/env.ts'
import type { UserProfile } from '../core/tailcfg/types.ts'
import type { LoginProfile, Prefs } from '../../localapi/types.ts'
import { defaultPrefs, parsePrefs, publicConfig } from './prefs.ts'

export interface SavedState {
  readonly machineKey: PrivateKey
  readonly nodeKey: PrivateKey | undefined
  /** Server with which the node key was registered; "" without one. */
  readonly nodeKeyUrl: string
  readonly prefs: Prefs
  readonly profile: { readonly id: string; readonly created: string }
  readonly user: UserProfile | undefined
  readonly nodeId: string
  readonly network: { readonly magicDnsName: string; readonly domain: string }
}

type Os = 'linux' | 'windows' | 'macOS'

/** State of a machine that has never signed in; `machineKey` stays when there is one. */
export function freshState(random: Random, os: Os, wallMs: number, machineKey?: PrivateKey): SavedState {
  return {
    machineKey: machineKey ?? PrivateKey.fromRandom(random.bytes(32)),
    nodeKey: undefined,
    nodeKeyUrl: '',
    prefs: defaultPrefs(os),
    profile: { id: toHex(random.bytes(2)), created: new Date(wallMs).toISOString() },
    user: undefined,
    nodeId: '',
    network: { magicDnsName: '', domain: '' },
  }
}

/** The file's text. The only place where private keys are written out. */
export function stateText(state: SavedState): string {
  return JSON.stringify(
    {
      version: 1,
      machineKey: state.machineKey.secretText(),
      nodeKey: state.nodeKey?.secretText() ?? null,
      nodeKeyUrl: state.nodeKeyUrl,
      prefs: { ...state.prefs, Config: null },
      profile: state.profile,
      user: state.user ?? null,
      nodeId: state.nodeId,
      network: state.network,
    },
    null,
    2,
  )
}

/** State of the file's text; undefined when it is not one that this engine wrote. */
export function parseState(text: string, os: Os): SavedState | undefined {
  let raw: unknown
  try {
    raw = JSON.parse(text)
  } catch {
    return undefined
  }
  if (!isRecord(raw) || raw['version'] !== 1) return undefined
  const machineKey = PrivateKey.parse(raw['machineKey'])
  const nodeKey = raw['nodeKey'] === null ? undefined : PrivateKey.parse(raw['nodeKey'])
  const prefs = parsePrefs(raw['prefs'], defaultPrefs(os), false)
  const profile = raw['profile']
  if (!machineKey || (raw['nodeKey'] !== null && !nodeKey) || typeof prefs === 'string') return undefined
  if (!isRecord(profile) || typeof profile['id'] !== 'string' || typeof profile['created'] !== 'string') return undefined
  const user = isRecord(raw['user']) && typeof raw['user']['ID'] === 'number' ? (raw['user'] as unknown as UserProfile) : undefined
  const network = isRecord(raw['network']) ? raw['network'] : {}
  const nodeId = textOf(raw['nodeId'])
  return {
    machineKey,
    nodeKey,
    nodeKeyUrl: textOf(raw['nodeKeyUrl']),
    prefs: { ...prefs, Config: user && nodeKey ? publicConfig(user, nodeId) : null },
    profile: { id: profile['id'], created: profile['created'] },
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
export function loginProfile(state: SavedState): LoginProfile {
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
