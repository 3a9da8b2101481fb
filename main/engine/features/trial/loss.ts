/**
 * One thing that would be lost, as clients see it: the sentence for those who have no words of their own, and its parts for the others.
 */
import type { Loss, LossKind, MachineWhy } from '../../../localapi/machine.ts'

/** One loss, with its sentence put together. */
export function lossOf(kind: LossKind, what: string, why: MachineWhy, parts: Partial<Pick<Loss, 'Name' | 'Address' | 'Count' | 'IsWayIn'>> = {}): Loss {
  return { Kind: kind, What: what, Name: '', Address: '', Count: 1, IsWayIn: false, ...parts, Why: why }
}
