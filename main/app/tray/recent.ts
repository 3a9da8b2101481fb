/**
 * Remembers which exit nodes were used last, whoever chose them, for the menu. Pure.
 */
import { viewOf, type AppSettings, type AppSettingsPatch } from '../../localapi/app-settings.ts'
import type { Facts } from '../engine-facts.ts'

const KEPT = 20

/** The change of settings that puts the chosen one first; undefined = it is there, or none is chosen by hand. */
export function recentExitPatch(settings: AppSettings, { exit, profile }: Pick<Facts, 'exit' | 'profile'>): AppSettingsPatch | undefined {
  if (profile === '' || exit?.Chosen.Kind !== 'node') return undefined
  const view = viewOf(settings, profile)
  const { ID } = exit.Chosen
  if (view.recentExits[0] === ID) return undefined
  return { accounts: { [profile]: { ...view, recentExits: [ID, ...view.recentExits.filter((id) => id !== ID)].slice(0, KEPT) } } }
}
