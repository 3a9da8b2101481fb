/**
 * The settings of the app: what a window may change, and what comes back from the file.
 */
import { describe, expect, it } from 'vitest'
import { checkPatch, DEFAULT_SETTINGS, NO_VIEW, patched, readSettings, type AppSettings } from '../../../main/localapi/app-settings.ts'

const reread = (settings: AppSettings): AppSettings => readSettings(JSON.parse(JSON.stringify(settings)))

describe('accounts', () => {
  it('are read again however many there were; the one that was changed last is among them', () => {
    let settings = DEFAULT_SETTINGS
    for (let id = 1000; id < 1200; id++) settings = patched(settings, { accounts: { [`p${id}`]: { ...NO_VIEW, pinned: ['a'] } } })
    const kept = reread(settings)
    expect(Object.keys(kept.accounts)).toHaveLength(100)
    expect(kept.accounts['p1199']).toEqual({ ...NO_VIEW, pinned: ['a'] })
    expect(kept.accounts['p1000']).toBeUndefined()
    expect(patched(kept, { theme: 'dark' }).accounts).toEqual(kept.accounts)
  })

  it('never change what objects inherit', () => {
    const hostile: unknown = JSON.parse('{"accounts":{"__proto__":{"pinned":["x"]}},"__proto__":{"theme":"dark"}}')
    expect(readSettings(hostile)).toEqual(DEFAULT_SETTINGS)
    expect(checkPatch(hostile)).toHaveProperty('fault')
    expect(({} as { pinned?: unknown }).pinned).toBeUndefined()
  })
})
