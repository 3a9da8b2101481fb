import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MAX_VNI, openGeneve, wrapGeneve } from '../../../../main/engine/core/udprelay/geneve.ts'

describe('the header of a peer relay', () => {
  it('comes back as it went', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_VNI }), fc.boolean(), fc.uint8Array({ maxLength: 200 }), (vni, isControl, payload) => {
        expect(openGeneve(wrapGeneve(vni, isControl, payload))).toEqual({ vni, isControl, payload })
      }),
    )
  })

  it('is taken from no other bytes', () => {
    const good = wrapGeneve(7, true, new Uint8Array(3))
    for (let bit = 0; bit < 64; bit++) {
      const bytes = good.slice()
      bytes[bit >> 3]! ^= 1 << (7 - (bit & 7))
      const isVniOrControl = (bit >= 32 && bit < 56) || bit === 8
      expect(openGeneve(bytes) !== undefined).toBe(isVniOrControl)
    }
    expect(openGeneve(good.subarray(0, 7))).toBeUndefined()
    // WireGuard inside is the data plane's.
    expect(openGeneve(Uint8Array.of(0, 0, 0x7a, 0x12, 0, 0, 1, 0))).toBeUndefined()
  })
})
