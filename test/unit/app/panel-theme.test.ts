/**
 * The desktop's own theme, as its portal tells it.
 */
import { describe, expect, it } from 'vitest'
import { watchPanelTheme, type PanelThemeDeps } from '../../../main/app/tray/panel-theme.ts'
import type { BusSignal } from '../../../main/app/session-bus.ts'

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
const plain = (value: unknown): unknown => (typeof value === 'object' && value !== null && 'value' in value ? plain(value.value) : value)

describe('the panel', () => {
  it('is dark when the desktop says so, and follows it', async () => {
    let change = (_signal: BusSignal): void => undefined
    const told: boolean[] = []
    const bus: PanelThemeDeps['bus'] = { hasService: async () => true, follow: async (_iface, take) => void (change = take), call: async () => [{ value: { value: 1 } }] }
    watchPanelTheme({ bus, plain }, (dark) => told.push(dark))
    await settle()
    const signal = (...body: unknown[]): void => change({ sender: ':1.2', iface: '', member: 'SettingChanged', body })
    signal('org.freedesktop.appearance', 'color-scheme', { value: 2 })
    signal('org.freedesktop.appearance', 'accent-color', { value: 1 })
    signal('org.freedesktop.appearance', 'color-scheme', { value: 'odd' })
    expect(told).toEqual([true, false])
  })

  it('is not known where there is no portal, or none that answers', async () => {
    const told: boolean[] = []
    watchPanelTheme({ plain, bus: { hasService: async () => false, follow: async () => undefined, call: async () => [{ value: 1 }] } }, (dark) => told.push(dark))
    watchPanelTheme({ plain, bus: { hasService: async () => true, follow: async () => undefined, call: () => Promise.reject(new Error('no')) } }, (dark) => told.push(dark))
    await settle()
    expect(told).toEqual([])
  })
})
