/**
 * Public keys of devices that exist on a server's list alone.
 */
import { parseMachineKey, type MachinePublicKey } from '../../main/engine/base/keys.ts'

const hex = (first: string, n: number): string => first + String(n).padStart(2, '0').repeat(31)

export const nodeKeyText = (n: number): string => `nodekey:${hex('1a', n)}`

export function machineKeyText(n: number): MachinePublicKey {
  const key = parseMachineKey(`mkey:${hex('2b', n)}`)
  if (!key) throw new Error('no machine key')
  return key
}
