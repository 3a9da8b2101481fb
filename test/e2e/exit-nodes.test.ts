/**
 * Exit nodes in the window, over real engines: what a person chooses is what the engine then does, and what happens to it is said.
 */
import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import type { ExitNodesPage } from '../../preload/contract.ts'
import type { LocalApi } from '../sim/demo/local-api.ts'
import { missingBrowser } from './browser.ts'
import { POLICY_FILE, type DemoLab } from './demo-lab.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 40_000 }

describe.skipIf(missing !== undefined)(`exit nodes in the window${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let lab: DemoLab
  let api: LocalApi
  let page: Page

  beforeAll(async () => {
    open = await openLabWindow(40_000)
    ;({ lab, api, page } = open)
  })
  afterAll(() => open?.stop())

  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const now = (): Promise<ExitNodesPage> => api.call('exitNodes')
  const egress = async (): Promise<string> => {
    const { Egress } = await now()
    return Egress.Kind === 'direct' ? 'direct' : `${Egress.Kind} ${Egress.Name}`
  }
  const row = (name: string): ReturnType<Page['getByRole']> => page.getByRole('radio', { name: new RegExp(`^${name}\\.`) })
  const clean = (name: string): Promise<void> => expectClean(page, name)

  it('opens by Ctrl E, with every node measured once and one suggested with its reason', async () => {
    told()
    await page.keyboard.press('Control+e')
    await page.getByRole('heading', { name: 'Exit nodes', exact: true }).waitFor()
    await page.getByRole('heading', { name: 'None in use' }).waitFor()
    for (const name of ['exit-node', 'files']) await expect.poll(() => row(name).innerText(), PATIENCE).toMatch(/\d ms/)
    await expect.poll(() => page.getByRole('group', { name: 'Suggested' }).getByRole('radio').getAttribute('aria-label'), PATIENCE).toMatch(/^(exit-node|files)\. Suggested: /)
    await clean('none in use')
  })

  it('is used from the keyboard, and moves only when the engine says so', async () => {
    told()
    await row('exit-node').focus()
    await page.keyboard.press('Home')
    expect(await page.evaluate("document.activeElement.getAttribute('aria-label')")).toMatch(/^Choose automatically\./)
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('ArrowDown')
    expect(await egress()).toBe('direct')
    await row('exit-node').focus()
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'In use' }).getByRole('heading', { name: 'exit-node' }).waitFor()
    expect(await egress()).toBe('exit exit-node')
    expect(await row('exit-node').getAttribute('aria-checked')).toBe('true')
    await page.getByLabel('Account and connection').getByText('exit-node', { exact: true }).waitFor()
    await clean('in use')
  })

  it('shows what a device policy holds with a lock, keeps the focus there, and lets nobody move it', async () => {
    told()
    const path = join(lab.folder, POLICY_FILE)
    const { Nodes, Failure } = await now()
    const held = Nodes.find(({ Name }) => Name.startsWith('exit-node'))!
    writeFileSync(path, JSON.stringify({ ExitNodeID: held.ID, ManagedByOrganizationName: 'Fjord Labs' }), { mode: 0o644 })
    await expect.poll(() => page.getByText('Set by Fjord Labs · device policy, ExitNodeID').count(), PATIENCE).toBe(2)
    expect(await row('exit-node').getAttribute('aria-checked')).toBe('true')
    await row('exit-node').focus()
    await page.keyboard.press('ArrowUp')
    await page.keyboard.press('Enter')
    expect(await page.evaluate("document.activeElement.getAttribute('role')")).toBe('radio')
    expect(await row('files').getAttribute('aria-disabled')).toBe('true')
    await row('files').click({ force: true })
    const direct = page.getByRole('radio', { name: 'Go direct' })
    await direct.focus()
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.textContent')).toBe('Go direct')
    expect(await page.getByRole('button', { name: 'Stop using it' }).count()).toBe(0)
    expect(await now()).toMatchObject({ Chosen: { Kind: 'node', ID: held.ID }, Failure: 'block' })
    await clean('held')
    rmSync(path)
    await page.getByText('Set by Fjord Labs').first().waitFor({ state: 'detached' })
    await page.getByRole('button', { name: 'Stop using it' }).waitFor()
    expect((await now()).Failure).toBe(Failure)
  })

  it('claims nothing that nobody looked at', async () => {
    const checked = new Map((await now()).Proofs.map((proof) => [proof.What, proof.Ok]))
    const lines = await page.getByRole('list', { name: 'What was checked' }).getByRole('listitem').allInnerTexts()
    expect(lines).toHaveLength(4)
    for (const [i, what] of (['ipv4', 'ipv6', 'names', 'leak'] as const).entries()) if (checked.get(what) === undefined) expect(lines[i]).toMatch(/: not [a-z ]+/)
  })

  it('keeps or drops the local network, and what happens when it stops working, as the engine then has it', async () => {
    told()
    const lan = page.getByRole('switch', { name: 'Reach the local network' })
    const before = (await now()).AllowLAN
    expect(await lan.getAttribute('aria-checked')).toBe(String(before))
    await lan.click()
    await expect.poll(() => lan.getAttribute('aria-checked'), PATIENCE).toBe(String(!before))
    expect((await now()).AllowLAN).toBe(!before)
    const failure = page.getByRole('radiogroup', { name: 'If it stops working' })
    await failure.getByRole('radio', { name: 'Block' }).focus()
    await page.keyboard.press('ArrowRight')
    expect((await now()).Failure).toBe('block')
    await page.keyboard.press('Enter')
    await expect.poll(() => failure.getByRole('radio', { name: 'Next node' }).getAttribute('aria-checked'), PATIENCE).toBe('true')
    expect((await now()).Failure).toBe('next')
    await failure.getByRole('radio', { name: 'Block' }).click()
    await expect.poll(async () => (await now()).Failure, PATIENCE).toBe('block')
  })

  it('shows a pause with its time, and ends it', async () => {
    told()
    await api.call('exitNodeAction', { body: { Do: 'pause', Seconds: 300 } })
    const notice = page.getByRole('status').filter({ hasText: 'is paused' })
    await notice.getByText(/In use again in 4 min \d+ s\./).waitFor()
    await clean('paused')
    await notice.getByRole('button', { name: 'Use it again now' }).click()
    await expect.poll(egress, PATIENCE).toBe('exit exit-node')
    await expect.poll(() => notice.count(), PATIENCE).toBe(0)
  })

  it('says that the internet is blocked when it is gone, on every page, and goes on with the next one', async () => {
    told()
    await page.keyboard.press('Control+1')
    await lab.peer('exit-node').stop()
    const banner = page.getByRole('alert').filter({ hasText: 'is blocked' })
    await banner.getByText(/exit-node cannot be used/).waitFor()
    expect(await egress()).toBe('blocked exit-node')
    expect(await page.title()).toBe('Bowline: Internet blocked')
    await clean('blocked, devices')
    await page.keyboard.press('Control+e')
    await page.getByRole('region', { name: 'In use' }).getByText(/^Nothing leaves\./).waitFor()
    await expect.poll(() => row('exit-node').getAttribute('aria-disabled'), PATIENCE).toBe('true')
    await clean('blocked')
    await banner.getByRole('button', { name: 'Use files' }).click()
    await expect.poll(egress, PATIENCE).toBe('exit files')
    await expect.poll(() => banner.count(), PATIENCE).toBe(0)
  })

  it('is chosen by the engine when a person leaves it to it', async () => {
    told()
    await page.getByRole('radio', { name: /^Choose automatically/ }).click()
    await expect.poll(async () => (await now()).Chosen.Kind, PATIENCE).toBe('auto')
    await expect.poll(egress, PATIENCE).toBe('exit files')
    await page.getByText('now files').waitFor()
    await clean('automatic')
  })

  it('is let go of on the device’s own page', async () => {
    told()
    await page.keyboard.press('Control+1')
    await page.getByRole('row', { name: /^files\./ }).click()
    await page.getByRole('button', { name: 'Stop using as exit node' }).click()
    await page.getByRole('button', { name: 'Use as exit node' }).waitFor()
    expect(await egress()).toBe('direct')
  })

  it('offers this device behind a sentence that says what that means, and takes it back', async () => {
    told()
    await page.keyboard.press('Control+e')
    await page.getByRole('button', { name: 'Turn on…' }).click()
    const dialog = page.getByRole('dialog')
    await dialog.getByText('your connection carries their traffic').waitFor()
    await clean('offer')
    await dialog.getByRole('button', { name: 'Turn on', exact: true }).click()
    await dialog.getByText('Approved.').waitFor()
    expect((await now()).Offer).toMatchObject({ Advertised: true, Approved: true })
    await dialog.getByRole('button', { name: 'Turn off' }).click()
    await expect.poll(async () => (await now()).Offer.Advertised, PATIENCE).toBe(false)
    await page.getByText('Let other devices leave through this one: off').waitFor()
  })

  it('says what somebody has to do when no device offers to be one', async () => {
    told()
    await lab.peer('files').api.call('editPrefs', { body: { AdvertiseRoutes: [], AdvertiseRoutesSet: true } })
    const { tailnet } = lab.network.control
    const gone = tailnet.nodeNamed('exit-node')
    tailnet.approve(gone, [])
    await row('files').waitFor({ state: 'detached' })
    tailnet.remove(gone)
    await page.getByRole('heading', { name: 'No device of your network offers to be an exit node.' }).waitFor()
    await clean('empty')
    await page.setViewportSize({ width: 720, height: 520 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(720)
    await clean('empty, small')
  })
})
