import fc from 'fast-check'
import { expect, test } from 'vitest'
import { nodeKey } from '../../../main/engine/base/keys.ts'
import { parseStats, parseStatsOf } from '../../../main/engine/dataplane/stats.ts'

const ROW_BYTES = 112

test('the counts of one peer are those that it has among all, and a peer without a row has none', () => {
  const rows = fc.uniqueArray(fc.uint8Array({ minLength: ROW_BYTES, maxLength: ROW_BYTES }), { maxLength: 5, selector: (row) => nodeKey(row.subarray(0, 32)) })
  fc.assert(fc.property(rows, fc.uint8Array({ maxLength: ROW_BYTES - 1 }), (known, rest) => {
    const packed = Buffer.concat([...known, rest])
    const all = parseStats(packed)
    for (const row of known) expect(parseStatsOf(packed, nodeKey(row.subarray(0, 32)))).toEqual(all.get(nodeKey(row.subarray(0, 32))))
    expect(all.size).toBe(known.length)
    expect(parseStatsOf(packed, nodeKey(new Uint8Array(32).fill(7)))).toBe(undefined)
  }))
})
