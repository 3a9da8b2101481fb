import { expect, it } from 'vitest'
import { parseRelayCounts } from '../../../main/engine/dataplane/relay-counts.ts'

it('reads what each end of a session sent, and who was never heard', () => {
  const packed = new DataView(new ArrayBuffer(2 * 44 + 3))
  packed.setUint32(0, 7)
  packed.setUint32(4, 1500)
  packed.setBigUint64(8, 3n)
  packed.setBigUint64(16, 5_000_000_000n)
  packed.setUint32(24, 0xffffffff)
  packed.setUint32(44, 9)
  const counts = parseRelayCounts(new Uint8Array(packed.buffer))
  expect(counts.get(7)).toEqual([{ idleMs: 1500, packets: 3, bytes: 5_000_000_000 }, { idleMs: Number.POSITIVE_INFINITY, packets: 0, bytes: 0 }])
  expect([...counts.keys()]).toEqual([7, 9])
})
