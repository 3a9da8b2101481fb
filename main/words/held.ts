/**
 * Who decides in a person's place: the words for what a device policy holds.
 */
import { policyKeyOf, policyText, type ManagedPref, type PolicySnapshot } from '../localapi/policy.ts'
import { safeText } from './format.ts'
import { t } from './words.ts'

/** Who manages this computer, in words for a sentence. */
export function managerOf(policy: PolicySnapshot): string {
  return safeText(policyText(policy.Settings, 'ManagedByOrganizationName'), 60) || t('settings.policy.administrator')
}

/** By whom and by which rule a pref is held; undefined while a person may set it. */
export function heldWords(policy: PolicySnapshot, pref: ManagedPref): string | undefined {
  const rule = policyKeyOf(policy.Settings, pref)
  return rule === undefined ? undefined : t('settings.policy.setBy', { manager: managerOf(policy), rule })
}
