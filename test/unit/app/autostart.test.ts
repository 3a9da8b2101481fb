import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DesktopEntry, entryText, isEntryOn, LoginItem, settingAtStart, startWords } from '../../../main/app/autostart.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bowline-autostart-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('starting with the session on Linux', () => {
  const file = (): string => join(folder, 'autostart', 'bowline.desktop')

  it('is a whole entry that starts the app without a window, and is gone when it is off', () => {
    const entry = new DesktopEntry(folder, ['/opt/Bowline/bowline'])
    expect(entry.isOn()).toBe(false)
    entry.set(true)
    expect(readFileSync(file(), 'utf8')).toContain('Exec=/opt/Bowline/bowline --hidden\n')
    expect(readdirSync(join(folder, 'autostart'))).toEqual(['bowline.desktop'])
    expect(entry.isOn()).toBe(true)
    entry.set(false)
    entry.set(false)
    expect(existsSync(file())).toBe(false)
  })

  it('is off when the desktop has switched the entry off', () => {
    const entry = new DesktopEntry(folder, ['/opt/Bowline/bowline'])
    entry.set(true)
    const text = readFileSync(file(), 'utf8')
    for (const line of ['Hidden=true', 'Hidden = True']) expect(isEntryOn(`${text}${line}\n`)).toBe(false)
    expect(isEntryOn(text.replace('enabled=true', 'enabled=false'))).toBe(false)
    writeFileSync(file(), '')
    expect(entry.isOn()).toBe(false)
  })

  it('quotes what is special in a path, as the specification has it', () => {
    expect(entryText(['/home/anna/my apps/Bowline 100%.AppImage'])).toContain('Exec="/home/anna/my apps/Bowline 100%%.AppImage" --hidden\n')
    expect(entryText(['/opt/a"b$c`d\\e'])).toContain(String.raw`Exec="/opt/a\\"b\\$c\\` + '`' + String.raw`d\\\\e" --hidden`)
    expect(entryText(['/opt/a\nHidden=true\nExec=b']).match(/^(Exec|Hidden)=.*$/gm)).toEqual([String.raw`Exec="/opt/a\nHidden=true\nExec=b" --hidden`])
  })

  it('starts an AppImage by its own file', () => {
    const at = { appImage: undefined, execPath: '/usr/lib/electron', appPath: '/src/bowline', isPackaged: false }
    expect(startWords(at)).toEqual(['/usr/lib/electron', '/src/bowline'])
    expect(startWords({ ...at, isPackaged: true })).toEqual(['/usr/lib/electron'])
    expect(startWords({ ...at, isPackaged: true, appImage: '/home/anna/Bowline.AppImage' })).toEqual(['/home/anna/Bowline.AppImage'])
  })
})

describe('starting with the session on macOS and Windows', () => {
  it('is the system\'s own list, in which the person may have switched it off', () => {
    let kept = { openAtLogin: false, executableWillLaunchAtLogin: true }
    const item = new LoginItem({ getLoginItemSettings: () => kept, setLoginItemSettings: ({ openAtLogin }) => (kept = { ...kept, openAtLogin }) })
    expect(item.isOn()).toBe(false)
    item.set(true)
    expect(item.isOn()).toBe(true)
    kept = { ...kept, executableWillLaunchAtLogin: false }
    expect(item.isOn()).toBe(false)
  })
})

describe('the setting when the app starts', () => {
  it('goes off when the person removed it elsewhere, and never comes on by itself', () => {
    expect(settingAtStart(true, false)).toBe(false)
    expect(settingAtStart(true, true)).toBeUndefined()
    expect(settingAtStart(false, true)).toBeUndefined()
    expect(settingAtStart(false, false)).toBeUndefined()
  })
})
