/**
 * Notifications in real Electron, with a notification service of the test's own; and a desktop without a place for a tray icon.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { waitFor } from '../support/wait.ts'
import type { TestApp } from './app.ts'
import { axe, electronBinary, picture } from './browser.ts'
import type { DemoLab } from './demo-lab.ts'
import { DBUS_DAEMON, NoticeHost } from './desktop-bus.ts'
import { DesktopLab } from './desktop-lab.ts'

const missing = electronBinary() === undefined ? 'no Electron binary here' : existsSync(DBUS_DAEMON) ? undefined : 'no dbus-daemon here'
const PATIENCE = { withinMs: 60_000, everyMs: 100 }

describe.skipIf(missing !== undefined)(`notifications${missing === undefined ? '' : ` (${missing})`}`, () => {
  let desktop: DesktopLab<NoticeHost>
  let lab: DemoLab
  let host: NoticeHost
  let app: TestApp
  let api: LocalApi

  beforeAll(async () => {
    desktop = await DesktopLab.start((own) => new NoticeHost(own))
    ;({ lab, api, host } = desktop)
    app = await desktop.launch()
  })
  afterAll(async () => {
    await app?.end()
    await desktop?.stop()
  })

  const egress = async (): Promise<string> => {
    const { Egress } = await api.call('exitNodes')
    return Egress.Kind === 'direct' ? 'direct' : `${Egress.Kind} ${Egress.Name.split('.')[0]}`
  }
  const use = async (name: string): Promise<void> => {
    await waitFor(`${name} to be there`, async () => (await api.call('exitNodes')).Nodes.some((node) => node.Name.split('.')[0] === name && (node.Unavailable ?? '') === ''), PATIENCE)
    await api.call('exitNodeAction', { body: { Do: 'use', Node: name } })
    await waitFor(`traffic through ${name}`, async () => (await egress()) === `exit ${name}`, PATIENCE)
  }
  const seen = (visible: boolean): Promise<unknown> => waitFor(`the window ${visible ? 'on screen' : 'away'}`, () => app.app.evaluate(({ BrowserWindow }, wanted) => BrowserWindow.getAllWindows()[0]?.isVisible() === wanted, visible), PATIENCE)

  it('stand in the window while that is seen, and once say there that this desktop has no tray', async () => {
    const page = await app.page()
    page.setDefaultTimeout(PATIENCE.withinMs)
    await seen(true)
    await use('exit-node')
    await api.call('editExtras', { body: { ExitNodeFailure: 'next' } })
    await lab.peer('exit-node').stop()
    await page.getByRole('status').filter({ hasText: 'Internet traffic goes through files now' }).waitFor()
    await page.getByText('AppIndicator and KStatusNotifierItem Support').waitFor()
    expect(await axe(page)).toEqual([])
    await picture(page, 'electron-notices')
    await page.getByRole('status').filter({ hasText: 'Internet traffic goes through files now' }).getByRole('button', { name: 'Close this line' }).click()
    await page.getByText('Internet traffic goes through files now').waitFor({ state: 'detached' })
    const told = JSON.parse(readFileSync(join(app.userDir, 'settings.json'), 'utf8')) as { told: string[] }
    expect(told.told).toContain('tray-missing')
    await page.reload()
    await page.getByRole('row', { name: /^files\./ }).waitFor()
    await page.getByText('AppIndicator').waitFor({ state: 'detached' })
    expect(host.shown).toEqual([])
  })

  it('are shown otherwise, once for a cause, in the same place when it changes, and do what their buttons say', async () => {
    await api.call('editExtras', { body: { ExitNodeFailure: 'block' } })
    await use('files')
    await app.app.evaluate(({ BrowserWindow }) => BrowserWindow.getAllWindows()[0]!.close())
    await seen(false)
    await lab.peer('files').stop()
    const first = await waitFor('a notification', () => host.shown[0], PATIENCE)
    expect(first).toMatchObject({ title: 'files cannot be used, so your internet is blocked', body: 'Your devices stay reachable.', replaces: 0 })
    expect(Object.values(first.actions)).toContain('Turn off')
    await lab.network.startEngine('exit-node', false)
    await waitFor('the other one to answer', async () => {
      const { Nodes } = await api.call('exitNodeAction', { body: { Do: 'check' } })
      return Nodes.some((node) => node.Name.startsWith('exit-node') && (node.Unavailable ?? '') === '')
    }, { ...PATIENCE, everyMs: 500 })
    const second = await waitFor('what can be done now', () => host.shown.find(({ actions }) => Object.values(actions).includes('Use exit-node')), PATIENCE)
    expect(second.replaces).toBe(first.id)
    expect(host.closed).toEqual([])
    host.press(second, 'Use exit-node')
    await waitFor('traffic through the other one', async () => (await egress()) === 'exit exit-node', PATIENCE)
    await waitFor('the notification closed', () => host.closed.includes(first.id), PATIENCE)
    expect(new Set(host.shown.map(({ id }) => id))).toEqual(new Set([first.id]))
  })
})
