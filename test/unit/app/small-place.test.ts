/**
 * Where the small window stands beside the tray's icon.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { placeSmall } from '../../../main/app/small-place.ts'

const SIZE = { width: 380, height: 560 }

describe('the small window', () => {
  it('hangs below a menu bar, and stands on a taskbar, in the middle of the icon or as near as the display lets it', () => {
    expect(placeSmall({ x: 1000, y: 0, width: 24, height: 24 }, { x: 0, y: 25, width: 1440, height: 875 }, SIZE)).toEqual({ x: 822, y: 33 })
    expect(placeSmall({ x: 1800, y: 1044, width: 24, height: 32 }, { x: 0, y: 0, width: 1920, height: 1040 }, SIZE)).toEqual({ x: 1532, y: 472 })
  })

  it('is whole on the display wherever the icon is', () => {
    const at = fc.integer({ min: -5000, max: 5000 })
    fc.assert(fc.property(at, at, at, at, (x, y, areaX, areaY) => {
      const area = { x: areaX, y: areaY, width: 1280, height: 720 }
      const { x: left, y: top } = placeSmall({ x, y, width: 24, height: 24 }, area, SIZE)
      expect(left >= areaX && left + SIZE.width <= areaX + 1280 && top >= areaY && top + SIZE.height <= areaY + 720).toBe(true)
    }))
  })
})
