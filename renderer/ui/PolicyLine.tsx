/**
 * Whose rule holds a control: "Set by {org} · device policy, {key}". The control keeps its place and the focus, and cannot be moved.
 */
import { Lock } from 'lucide-react'
import type { ReactNode } from 'react'
import type { ManagedPref } from '../../main/localapi/policy.ts'
import { managerOf } from '../../main/words/held.ts'
import { rich } from '../../main/words/words.ts'
import { lockOf } from '../state/policy.ts'
import { useSnapshot } from '../state/store.ts'

/** The key of the rule that holds a pref; undefined while a person may set it. */
export function useLock(pref: ManagedPref): string | undefined {
  return useSnapshot((s) => lockOf(s.policy, pref))
}

/** Nothing without a rule; `id` is for who describes a control by it. */
export function PolicyLine({ id, rule }: { id?: string; rule: string | undefined }): ReactNode {
  const policy = useSnapshot((s) => s.policy)
  if (rule === undefined) return null
  const parts = rich<ReactNode>('settings.policy.setBy', { manager: <bdi key="manager">{managerOf(policy)}</bdi>, rule: <bdi key="rule">{rule}</bdi> })
  return <p className="small t3 lock-line" id={id}><Lock size={12} strokeWidth={1.9} aria-hidden="true" /><span>{parts}</span></p>
}
