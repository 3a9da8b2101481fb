/**
 * Settings in the window over a real engine: what is set is what the engine or the window then does, what a device policy holds is shown
 * locked and told when it changes, and every page is free of faults in both themes.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { missingBrowser, picture } from './browser.ts'
import { POLICY_FILE, type DemoLab } from './demo-lab.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 30_000 }

describe.skipIf(missing !== undefined)(`settings${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let lab: DemoLab
  let api: LocalApi
  let page: Page

  beforeAll(async () => {
    open = await openLabWindow(30_000)
    ;({ lab, api, page } = open)
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const go = async (name: string): Promise<void> => {
    await page.evaluate(`location.hash = '#/settings/${name}'`)
    await page.locator('.settings-pages a[aria-current=page]').waitFor()
  }

  it('opens from the sidebar, and changes the theme of the window at once', async () => {
    told()
    await page.getByRole('link', { name: 'Settings' }).click()
    await page.getByRole('heading', { name: 'Settings' }).waitFor()
    await page.getByLabel('Theme', { exact: true }).selectOption('Dark')
    await expect.poll(() => page.evaluate('document.documentElement.dataset.theme'), PATIENCE).toBe('dark')
    await page.getByLabel('Theme', { exact: true }).selectOption('As the system')
    await expect.poll(() => page.evaluate('document.documentElement.dataset.theme ?? ""'), PATIENCE).toBe('')
  })

  it('leaves away what a browser window cannot do', async () => {
    expect(await page.getByText('Start disconnected').count()).toBe(0)
    expect(await page.getByRole('link', { name: 'Notifications' }).count()).toBe(0)
  })

  it.each([['Deutsch', 'Einstellungen'], ['Français', 'Réglages'], ['Español', 'Ajustes'], ['日本語', '設定'], ['简体中文', '设置'], ['English', 'Settings']])('speaks %s', async (language, title) => {
    told()
    await page.locator('[data-setting=language] select').selectOption(language)
    await page.getByRole('heading', { name: title, exact: true }).waitFor()
  })

  it('changes what the engine does, and moves when it has', async () => {
    told()
    await go('connection')
    const incoming = page.getByRole('switch', { name: 'Let other devices connect to this one' })
    expect(await incoming.getAttribute('aria-checked')).toBe('true')
    await incoming.click()
    await expect.poll(async () => (await api.call('prefs')).ShieldsUp, PATIENCE).toBe(true)
    await expect.poll(() => incoming.getAttribute('aria-checked'), PATIENCE).toBe('false')
    await page.getByLabel('Name of this computer').fill('not a name')
    await page.keyboard.press('Enter')
    await page.getByRole('alert').getByText(/cannot be used/).waitFor()
    await page.getByLabel('Name of this computer').fill('desk')
    await page.getByRole('button', { name: 'Save' }).click()
    await expect.poll(async () => (await api.call('prefs')).Hostname, PATIENCE).toBe('desk')
  })

  it('finds a setting on any page', async () => {
    await page.keyboard.press('Escape')
    await page.getByRole('textbox', { name: 'Find a setting' }).fill('certif')
    await page.getByText('1 setting', { exact: true }).waitFor()
    await page.getByText('Trusted certificates').waitFor()
    await page.getByRole('textbox', { name: 'Find a setting' }).fill('no such thing')
    await page.getByText('No setting has these words.').waitFor()
    await page.keyboard.press('Escape')
    await page.getByText('No setting has these words.').waitFor({ state: 'detached' })
  })

  it('shows what a device policy holds with a lock, refuses to move it, and tells when it changes', async () => {
    told()
    const path = join(lab.folder, POLICY_FILE)
    await go('connection')
    writeFileSync(path, JSON.stringify({ AllowIncomingConnections: 'always', Hostname: 'kiosk', UseTailscaleSubnets: 'always', 'AlwaysOn.Enabled': true, ManagedByOrganizationName: 'Fjord Labs', nonesuch: 1 }), { mode: 0o644 })
    await page.getByText('Fjord Labs manages 4 settings here.').waitFor()
    await page.getByText('Fjord Labs changed 4 settings.').waitFor()
    await page.getByText('Set by Fjord Labs · device policy, AllowIncomingConnections').waitFor()
    const incoming = page.getByRole('switch', { name: 'Let other devices connect to this one' })
    await expect.poll(() => incoming.getAttribute('aria-checked'), PATIENCE).toBe('true')
    expect(await incoming.getAttribute('aria-disabled')).toBe('true')
    expect(await page.getByRole('switch', { name: 'Use networks behind other devices' }).getAttribute('aria-disabled')).toBe('true')
    const connection = page.getByRole('switch', { name: /^Connected\. Disconnect/ })
    expect(await connection.getAttribute('aria-disabled')).toBe('true')
    await connection.click({ force: true })
    expect((await api.call('prefs')).WantRunning).toBe(true)
    await incoming.focus()
    await page.keyboard.press('Space')
    expect(await page.evaluate('document.activeElement.getAttribute("role")')).toBe('switch')
    expect((await api.call('prefs')).ShieldsUp).toBe(false)
    expect(await page.getByLabel('Name of this computer').getAttribute('readonly')).not.toBeNull()
    await expect(api.call('editPrefs', { body: { ShieldsUp: true, ShieldsUpSet: true } })).rejects.toThrow(/Fjord Labs.*AllowIncomingConnections/)
    await expectClean(page, 'locked')
    await picture(page, 'settings-locked')
    await page.getByRole('link', { name: 'See all' }).click()
    await page.getByRole('cell', { name: 'Not followed: there is no such key' }).waitFor()
    await expectClean(page, 'policy')
    rmSync(path)
    await page.getByText('Nobody has laid down anything for this computer.').waitFor()
  })

  it('lists certificates that were let in with their fingerprints, and removes the one that is meant', async () => {
    const fingerprint = Array.from({ length: 32 }, (_, i) => (i + 16).toString(16).toUpperCase()).join(':')
    const one = { Subject: 'Lab CA\u202e', Issuer: 'Lab CA', Fingerprint: fingerprint, NotBefore: '2026-01-01T00:00:00Z', NotAfter: '2027-01-01T00:00:00Z', IsAuthority: true, PEM: '' }
    // The lab's server speaks without TLS, so nothing can be let in for it.
    let left = [one]
    let asked: unknown
    await page.route('**/api/call/trust', (route) => route.fulfill({ json: { ok: true, value: { Server: 'https://hs.lab', Certificates: left } } }))
    await page.route('**/api/call/removeTrust', (route) => {
      asked = route.request().postDataJSON()
      left = []
      return route.fulfill({ json: { ok: true, value: one } })
    })
    await go('accounts')
    await page.getByText(fingerprint).waitFor()
    await page.getByText('From Lab CA, until January 1, 2027').waitFor()
    await page.getByRole('button', { name: 'Trust Lab CA\ufffd no longer' }).click()
    await page.getByText('None beside the ones that the system trusts.').waitFor()
    expect(asked).toEqual({ fingerprint })
    await page.unrouteAll({ behavior: 'ignoreErrors' })
  })

  it('shows the licence of each piece of software inside', async () => {
    await go('about')
    await page.getByText('Read it').click()
    await page.getByText(/Permission is hereby granted|Redistribution and use|Licensed under|GNU|License/).first().waitFor()
    await page.getByRole('searchbox', { name: 'Find software or a licence' }).fill('react-dom')
    await page.getByText('1 package', { exact: true }).waitFor()
    await page.getByText('react-dom', { exact: true }).click()
    await page.getByText(/Copyright \(c\) .*(Meta|Facebook)/).first().waitFor()
    await page.getByRole('button', { name: 'Copy versions' }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toMatch(/^Bowline\nWindow: .+\nEngine: \d+/)
  })

  it.each(['general', 'connection', 'names', 'accounts', 'privacy', 'advanced', 'about'])('is free of faults: %s', async (name) => {
    await go(name)
    // A few packages stand for all.
    if (name === 'about') await page.getByRole('searchbox').fill('react')
    await expectClean(page, name)
    await picture(page, `settings-${name}`)
  })
})
