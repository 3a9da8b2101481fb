/**
 * Prefs as pure functions: what a new profile has and how a mask changes them. check-prefs.ts says which are refused.
 *
 * Every value of a known field is checked for its type before it is taken, since prefs come from other programs. Fields
 * of features that are not served yet keep their value, so that the official command sees what it set.
 *
 * Source: tailscale ipn/prefs.go (1.102.5); test/vectors/localapi/prefs*.json.
 */
import { UNRESOLVED_EXIT } from '../core/plan/egress.ts'
import type { MaskedPrefs, Prefs, PrefsConfig } from '../../localapi/types.ts'

type Kind = 'text' | 'bool' | 'maybe-bool' | 'number' | 'texts' | 'any'

/** Fields in the order in which they are written out; `?` = left out while empty. */
const FIELDS: readonly (readonly [keyof Prefs, Kind, '?'?])[] = [
  ['ControlURL', 'text'],
  ['RouteAll', 'bool'],
  ['ExitNodeID', 'text'],
  ['ExitNodeIP', 'text'],
  ['AutoExitNode', 'text', '?'],
  ['InternalExitNodePrior', 'text'],
  ['ExitNodeAllowLANAccess', 'bool'],
  ['CorpDNS', 'bool'],
  ['RunSSH', 'bool'],
  ['RunWebClient', 'bool'],
  ['WantRunning', 'bool'],
  ['LoggedOut', 'bool'],
  ['ShieldsUp', 'bool'],
  ['AdvertiseTags', 'texts'],
  ['Hostname', 'text'],
  ['NotepadURLs', 'bool'],
  ['ForceDaemon', 'bool', '?'],
  ['Egg', 'bool', '?'],
  ['AdvertiseRoutes', 'texts'],
  ['AdvertiseServices', 'texts'],
  ['Sync', 'maybe-bool'],
  ['NoSNAT', 'bool'],
  ['NoStatefulFiltering', 'maybe-bool'],
  ['NetfilterMode', 'number'],
  ['OperatorUser', 'text', '?'],
  ['ProfileName', 'text', '?'],
  ['AutoUpdate', 'any'],
  ['AppConnector', 'any'],
  ['PostureChecking', 'bool'],
  ['NetfilterKind', 'text'],
  ['RemoteConfig', 'bool'],
  ['DriveShares', 'any'],
  ['RelayServerPort', 'any', '?'],
  ['RelayServerStaticEndpoints', 'texts', '?'],
]

/** Prefs of a profile that nobody has signed in with. */
export function defaultPrefs(os: 'linux' | 'windows' | 'macOS'): Prefs {
  return {
    ControlURL: '',
    RouteAll: os === 'windows',
    ExitNodeID: '',
    ExitNodeIP: '',
    InternalExitNodePrior: '',
    ExitNodeAllowLANAccess: false,
    CorpDNS: true,
    RunSSH: false,
    RunWebClient: false,
    WantRunning: false,
    LoggedOut: true,
    ShieldsUp: false,
    AdvertiseTags: null,
    Hostname: '',
    NotepadURLs: false,
    AdvertiseRoutes: null,
    AdvertiseServices: null,
    Sync: null,
    NoSNAT: false,
    NoStatefulFiltering: true,
    NetfilterMode: 2,
    AutoUpdate: { Check: true, Apply: null },
    AppConnector: { Advertise: false },
    PostureChecking: false,
    NetfilterKind: '',
    RemoteConfig: false,
    DriveShares: null,
    Config: null,
  }
}

const ZERO_PRIVATE = `privkey:${'0'.repeat(64)}`

/** The Config that others may see: never a key. */
export function publicConfig(user: PrefsConfig['UserProfile'], nodeId: string): PrefsConfig {
  return {
    PrivateNodeKey: ZERO_PRIVATE,
    OldPrivateNodeKey: ZERO_PRIVATE,
    UserProfile: user,
    NetworkLockKey: `nlpriv:${'0'.repeat(128)}`,
    NodeID: nodeId,
  }
}

function fits(kind: Kind, value: unknown): boolean {
  switch (kind) {
    case 'text':
      return typeof value === 'string'
    case 'bool':
      return typeof value === 'boolean'
    case 'maybe-bool':
      return value === null || typeof value === 'boolean'
    case 'number':
      return typeof value === 'number' && Number.isFinite(value)
    case 'texts':
      return value === null || (Array.isArray(value) && value.every((item) => typeof item === 'string'))
    case 'any':
      return isSmall(value, MAX_DEPTH)
  }
}

/** JSON of other people's features is kept as it is, if it is not meant to fill memory or a stack. */
const MAX_DEPTH = 8
const MAX_ENTRIES = 1000
const MAX_TEXT = 4096

function isSmall(value: unknown, depth: number): boolean {
  if (typeof value === 'string') return value.length <= MAX_TEXT
  if (typeof value !== 'object' || value === null) return true
  const entries = Object.entries(value)
  return depth > 0 && entries.length <= MAX_ENTRIES && entries.every(([name, entry]) => name.length <= MAX_TEXT && isSmall(entry, depth - 1))
}

const EMPTY: Readonly<Record<Kind, unknown>> = { text: '', bool: false, 'maybe-bool': null, number: 0, texts: null, any: null }

/** A value as it is kept: an empty list is null, as the stock daemon writes it. */
function kept(kind: Kind, value: unknown): unknown {
  if (kind === 'texts' && Array.isArray(value) && value.length === 0) return null
  return value
}

type Draft = Record<string, unknown>

/**
 * Prefs with the fields of `source` for which `wanted` holds. Answers a text (the reason) when a field has the wrong type.
 * A wanted field that `source` lacks becomes empty, as a Go decoder would leave it.
 */
function merge(base: Prefs, source: Draft, wanted: (field: string) => boolean): Prefs | string {
  const out: Draft = {}
  for (const [field, kind, optional] of FIELDS) {
    let value: unknown = base[field]
    if (wanted(field)) {
      value = field in source ? source[field] : EMPTY[kind]
      if (value === undefined || (value === null && kind !== 'any')) value = EMPTY[kind]
      if (!fits(kind, value)) return `${field} has the wrong type or is too large; nothing was changed`
      if (field === 'AutoUpdate') value = autoUpdate(base, value)
      if (field === 'AppConnector') value = { Advertise: isRecord(value) && value['Advertise'] === true }
      value = kept(kind, value)
    }
    if (optional !== undefined && (value === undefined || value === '' || value === false || value === null)) continue
    out[field] = value
  }
  out['Config'] = base.Config
  return out as unknown as Prefs
}

function isRecord(value: unknown): value is Draft {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function autoUpdate(base: Prefs, value: unknown): Prefs['AutoUpdate'] {
  if (!isRecord(value)) return base.AutoUpdate
  const apply = value['Apply']
  return { Check: value['Check'] === true, Apply: typeof apply === 'boolean' ? apply : null }
}

/** Whole prefs from another program, on top of defaults; Config is never taken from it. A text is the reason of refusal. */
export function parsePrefs(value: unknown, base: Prefs, whole: boolean): Prefs | string {
  if (!isRecord(value)) return 'prefs must be a JSON object'
  return merge(base, value, (field) => whole || field in value)
}

/** Prefs with the marked fields changed. A text is the reason of refusal. */
export function applyMask(prefs: Prefs, mask: unknown): Prefs | string {
  if (!isRecord(mask)) return 'prefs must be a JSON object'
  const given: Draft = { ...mask }
  const marks = mask['AutoUpdateSet']
  const auto = isRecord(marks) && (marks['CheckSet'] === true || marks['ApplySet'] === true)
  if (auto) {
    const next = autoUpdate(prefs, mask['AutoUpdate'])
    given['AutoUpdate'] = {
      Check: marks['CheckSet'] === true ? next.Check : prefs.AutoUpdate.Check,
      Apply: marks['ApplySet'] === true ? next.Apply : prefs.AutoUpdate.Apply,
    }
  }
  const wanted = (field: string): boolean => (field === 'AutoUpdate' ? auto : mask[`${field}Set`] === true)
  let out = merge(prefs, given, wanted)
  if (typeof out === 'string') return out
  // One of the two names the exit node; setting one takes the other back unless both are set.
  const byMask = mask as MaskedPrefs
  if (byMask.ExitNodeIDSet === true && byMask.ExitNodeIPSet !== true) out = { ...out, ExitNodeIP: '' }
  if (byMask.ExitNodeIPSet === true && byMask.ExitNodeIDSet !== true) out = { ...out, ExitNodeID: '' }
  // Naming one ends choosing by itself; ending that takes back what it has not settled; naming none forgets the one before.
  if ((byMask.ExitNodeIDSet === true || byMask.ExitNodeIPSet === true) && byMask.AutoExitNodeSet !== true) out = without(out, 'AutoExitNode')
  if (byMask.AutoExitNodeSet === true && (out.AutoExitNode ?? '') === '' && out.ExitNodeID === UNRESOLVED_EXIT) out = { ...out, ExitNodeID: '' }
  if (byMask.ExitNodeIDSet === true && out.ExitNodeID === '' && byMask.InternalExitNodePriorSet !== true) out = { ...out, InternalExitNodePrior: '' }
  return out
}

function without(prefs: Prefs, field: 'AutoExitNode'): Prefs {
  const { [field]: _gone, ...rest } = prefs
  return rest
}

/** Fields in which two prefs differ, by name. */
export function changedFields(a: Prefs, b: Prefs): string[] {
  const out: string[] = []
  for (const [field] of FIELDS) if (JSON.stringify(a[field] ?? null) !== JSON.stringify(b[field] ?? null)) out.push(field)
  return out
}
