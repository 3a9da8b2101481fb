import { describe, expect, it } from 'vitest'
import { keyCommand, zoomAfter } from '../../../main/app/keys.ts'

const press = (key: string, held: Partial<Record<'control' | 'alt' | 'shift' | 'meta', boolean>> = {}, type = 'keyDown'): ReturnType<typeof keyCommand> =>
  keyCommand({ type, key, control: false, alt: false, shift: false, meta: false, ...held })

describe('keys of the app', () => {
  it('are a few with Ctrl, and F11', () => {
    expect(['q', 'W', '+', '=', '-', '0'].map((key) => press(key, { control: true }))).toEqual(['quit', 'close', 'zoom-in', 'zoom-in', 'zoom-out', 'zoom-reset'])
    expect(press('+', { control: true, shift: true })).toBe('zoom-in')
    expect(press('F11')).toBe('full-screen')
  })

  it('leave all others to the page', () => {
    expect(press('q')).toBeUndefined()
    expect(press('q', { control: true, alt: true })).toBeUndefined()
    expect(press('q', { control: true }, 'keyUp')).toBeUndefined()
    for (const key of ['k', '1', 'e', ',', 'r', 'constructor']) expect(press(key, { control: true })).toBeUndefined()
    expect(press('C', { control: true, shift: true })).toBeUndefined()
  })

  it('zoom in steps between half and three times', () => {
    expect(zoomAfter('zoom-in', 1)).toBe(1.25)
    expect(zoomAfter('zoom-in', 3)).toBe(3)
    expect(zoomAfter('zoom-out', 0.5)).toBe(0.5)
    expect(zoomAfter('zoom-reset', 2.5)).toBe(1)
  })
})
