/**
 * The app's settings file, on a real disk.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS } from '../../main/localapi/app-settings.ts'
import { SettingsFile } from '../../main/web/settings-file.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bowline-settings-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('a settings file that is no JSON', () => {
  it('is put aside, and the defaults hold', () => {
    const path = join(folder, 'settings.json')
    writeFileSync(path, '{"theme":')
    expect(new SettingsFile(path, () => {}).settings).toEqual(DEFAULT_SETTINGS)
    expect(readFileSync(`${path}.damaged`, 'utf8')).toBe('{"theme":')
  })

  it('does not keep the app from starting where it cannot be put aside', () => {
    const path = join(folder, 'settings.json')
    writeFileSync(path, '{"theme":')
    mkdirSync(join(`${path}.damaged`, 'in the way'), { recursive: true })
    expect(new SettingsFile(path, () => {}).settings).toEqual(DEFAULT_SETTINGS)
  })
})
