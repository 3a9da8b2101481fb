import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { LEAST_SIZE, placeWindow, readPlacement, USUAL_SIZE, type Placement } from '../../../main/app/placement.ts'

const left = { id: 1, workArea: { x: 0, y: 30, width: 1920, height: 1050 } }
const right = { id: 2, workArea: { x: 1920, y: 0, width: 2560, height: 1400 } }
const saved = (change: Partial<Placement> = {}): Placement => ({ x: 200, y: 100, width: 1300, height: 800, display: 1, maximized: false, ...change })

describe('where the window opens', () => {
  it('opens at its usual size where the desktop likes, the first time', () => {
    expect(placeWindow(undefined, [left])).toEqual({ ...USUAL_SIZE, maximized: false })
  })

  it('opens where it was, on whichever display', () => {
    expect(placeWindow(saved({ x: 2400, display: 2, maximized: true }), [left, right])).toEqual({ x: 2400, y: 100, width: 1300, height: 800, maximized: true })
  })

  it('comes back to the middle of the first display when its own is gone', () => {
    expect(placeWindow(saved({ x: 2400, display: 2 }), [left])).toEqual({ x: 310, y: 155, width: 1300, height: 800, maximized: false })
  })

  it('comes back to its own display when it lies off the edge', () => {
    expect(placeWindow(saved({ x: 4400, display: 2 }), [left, right])).toMatchObject({ x: 2550, y: 300 })
    expect(placeWindow(saved({ y: -400 }), [left])).toMatchObject({ x: 310, y: 155 })
  })

  it('is no larger than the display, and no smaller than it can be used', () => {
    const small = { id: 1, workArea: { x: 0, y: 0, width: 1024, height: 600 } }
    expect(placeWindow(saved({ x: 0, y: 0 }), [small])).toMatchObject({ width: 1024, height: 600 })
    expect(placeWindow(saved({ width: 5, height: 5 }), [left])).toMatchObject(LEAST_SIZE)
    expect(placeWindow(undefined, [])).toEqual({ ...USUAL_SIZE, maximized: false })
  })

  it('can always be taken hold of, whatever was saved', () => {
    const number = fc.integer({ min: -100_000, max: 100_000 })
    fc.assert(fc.property(fc.record({ x: number, y: number, width: number, height: number, display: fc.constantFrom(1, 2, 9), maximized: fc.boolean() }), (placement) => {
      const at = placeWindow(placement, [left, right])
      const inReach = [left, right].some(({ workArea }) =>
        at.x! + at.width >= workArea.x + 100 && at.x! <= workArea.x + workArea.width - 100 && at.y! >= workArea.y && at.y! <= workArea.y + workArea.height - 40)
      expect(inReach).toBe(true)
    }))
  })
})

describe('what a file says of it', () => {
  it('is read back as it was written', () => {
    expect(readPlacement(JSON.parse(JSON.stringify(saved())))).toEqual(saved())
  })

  it('is nothing when anything in it is odd, and never a fault', () => {
    for (const odd of [null, 7, 'x', [], {}, { ...saved(), x: 'left' }, { ...saved(), width: 1e9 }, { ...saved(), y: Number.NaN }, { ...saved(), display: null }]) expect(readPlacement(odd)).toBeUndefined()
    fc.assert(fc.property(fc.anything(), (value) => {
      readPlacement(value)
    }))
  })
})
