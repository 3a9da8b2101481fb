/**
 * How an account's devices are shown on this computer: pinned, hidden, named. A change makes a whole view. Pure.
 */
import type { AccountView } from '../../preload/contract.ts'
import { safeText } from '../../main/words/format.ts'
import { fold, nameKey, type Device } from './devices.ts'

export const NICKNAME_LIMIT = 60

/** Puts devices into a list of the view, or takes them out. */
export function marked(view: AccountView, list: 'pinned' | 'hidden', devices: readonly string[], on: boolean): AccountView {
  const rest = view[list].filter((id) => !devices.includes(id))
  return { ...view, [list]: on ? [...rest, ...devices] : rest }
}

/** Gives a device a name of the person's own; an empty one takes it away. */
export function named(view: AccountView, device: string, name: string): AccountView {
  const { [device]: _old, ...rest } = view.nicknames
  const clean = safeText(name.trim(), NICKNAME_LIMIT)
  return { ...view, nicknames: clean === '' ? rest : { ...rest, [device]: clean } }
}

/** The person's name for a device; '' = none. */
export function nicknameOf(view: AccountView, device: string): string {
  return Object.hasOwn(view.nicknames, device) ? safeText(view.nicknames[device]!, NICKNAME_LIMIT) : ''
}

/** Devices that come by name, by the names that the person sees. */
export function byShownName(devices: readonly Device[], view: AccountView): readonly Device[] {
  if (Object.keys(view.nicknames).length === 0) return devices
  const key = (device: Device): string => fold(nicknameOf(view, device.id)) || nameKey(device)
  return devices.toSorted((a, b) => (a.isSelf !== b.isSelf ? (a.isSelf ? -1 : 1) : key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0))
}
