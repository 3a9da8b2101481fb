/**
 * The engine's life as facts and the one state name that follows from them.
 *
 *   NoState → NeedsLogin → Starting → Running ⇄ Stopped        any → NeedsLogin (signed out, key ended)
 *   any → NoState (another profile)
 *
 * `next` is pure. Whether packets may flow (`carries`) is decided apart from the name: while a sign-in is renewed the
 * name is NeedsLogin and the tunnels go on.
 */
import type { StateName } from '../../localapi/types.ts'
import type { ControlState } from './ports.ts'

export interface Lifecycle {
  readonly name: StateName
  readonly wantRunning: boolean
  readonly loggedOut: boolean
  readonly hasNodeKey: boolean
  readonly control: ControlState['kind']
  /** Where the map in use came from. */
  readonly map: 'none' | 'saved' | 'control'
  readonly keyExpired: boolean
  readonly machineAuthorized: boolean
  /** Whether the parts below have been given the map. */
  readonly applied: boolean
}

export type LifecycleEvent =
  | { readonly kind: 'loaded' }
  /** Another profile takes over: what was known is of the old one. */
  | { readonly kind: 'profile' }
  | { readonly kind: 'prefs'; readonly wantRunning: boolean; readonly loggedOut: boolean }
  | { readonly kind: 'node-key'; readonly has: boolean }
  | { readonly kind: 'control'; readonly state: ControlState['kind'] }
  | { readonly kind: 'map'; readonly from: 'saved' | 'control'; readonly keyExpired: boolean; readonly machineAuthorized: boolean }
  | { readonly kind: 'no-map' }
  | { readonly kind: 'key-expired' }
  | { readonly kind: 'applied'; readonly on: boolean }

export const INITIAL: Lifecycle = {
  name: 'NoState',
  wantRunning: false,
  loggedOut: false,
  hasNodeKey: false,
  control: 'idle',
  map: 'none',
  keyExpired: false,
  machineAuthorized: true,
  applied: false,
}

/** The life after an event; `name` is derived anew. */
export function next(life: Lifecycle, event: LifecycleEvent): Lifecycle {
  const after = take(life, event)
  // Until the state file has been read nothing is known.
  const isUnknown = event.kind === 'profile' || (life.name === 'NoState' && event.kind !== 'loaded')
  const name = isUnknown ? 'NoState' : nameOf(after)
  return { ...after, name }
}

function take(life: Lifecycle, event: LifecycleEvent): Lifecycle {
  switch (event.kind) {
    case 'loaded':
      return life
    case 'profile':
      return { ...INITIAL, applied: life.applied }
    case 'prefs':
      return { ...life, wantRunning: event.wantRunning, loggedOut: event.loggedOut }
    case 'node-key':
      return { ...life, hasNodeKey: event.has }
    case 'control':
      return { ...life, control: event.state }
    case 'map':
      return { ...life, map: event.from, keyExpired: event.keyExpired, machineAuthorized: event.machineAuthorized }
    case 'no-map':
      return { ...life, map: 'none', keyExpired: false, machineAuthorized: true }
    case 'key-expired':
      return { ...life, keyExpired: true }
    case 'applied':
      return { ...life, applied: event.on }
  }
}

function nameOf(life: Lifecycle): StateName {
  if (life.loggedOut && life.control !== 'working' && life.control !== 'lost') return 'NeedsLogin'
  if (life.control === 'needs-login' || life.control === 'waiting' || life.control === 'failed') {
    return life.wantRunning || !life.hasNodeKey ? 'NeedsLogin' : 'Stopped'
  }
  if (!life.wantRunning) return life.hasNodeKey ? 'Stopped' : 'NeedsLogin'
  if (life.map === 'none' || !life.hasNodeKey) return life.hasNodeKey || life.control !== 'idle' ? 'Starting' : 'NeedsLogin'
  if (life.keyExpired) return 'NeedsLogin'
  if (!life.machineAuthorized) return 'NeedsMachineAuth'
  return life.applied ? 'Running' : 'Starting'
}

/** Whether tunnels are to be up. */
export function carries(life: Lifecycle): boolean {
  return life.wantRunning && !life.loggedOut && life.hasNodeKey && life.map !== 'none' && !life.keyExpired && life.machineAuthorized
}
