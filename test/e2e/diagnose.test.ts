/**
 * Diagnose in the window, over real engines: whether a place can be reached, rung by rung; the network here; who answered a name.
 */
import { createServer, type Server } from 'node:net'
import type { AddressInfo } from 'node:net'
import type { Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { missingBrowser, picture } from './browser.ts'
import type { DemoLab } from './demo-lab.ts'
import { expectClean, openLabWindow, type LabWindow } from './lab-window.ts'

const missing = missingBrowser()
const PATIENCE = { timeout: 40_000 }

describe.skipIf(missing !== undefined)(`diagnose in the window${missing === undefined ? '' : ` (${missing})`}`, () => {
  let open: LabWindow
  let lab: DemoLab
  let page: Page
  let service: Server
  let port: number

  beforeAll(async () => {
    service = createServer((socket) => socket.on('error', () => {}).end('hello'))
    await new Promise<void>((resolve) => void service.listen(0, '127.0.0.1', resolve))
    port = (service.address() as AddressInfo).port
    open = await openLabWindow(40_000)
    ;({ lab, page } = open)
  })
  afterAll(async () => {
    await open?.stop()
    service?.close()
  })

  const told = (): void => onTestFailed(() => console.error(lab.lines()))
  const reach = (): ReturnType<Page['getByRole']> => page.getByRole('region', { name: 'Can it be reached?' })
  const rungs = async (): Promise<string[]> => (await reach().getByRole('listitem').allInnerTexts()).map((text) => text.replaceAll(/\s+/g, ' '))
  const ask = async (target: string): Promise<void> => {
    await page.getByLabel('What to check: a device, a name, or device:port').fill(target)
    await page.keyboard.press('Enter')
  }
  const verdict = async (target: string, words: string | RegExp): Promise<void> => {
    await ask(target)
    await reach().getByRole('heading', { name: words }).waitFor()
    await expect.poll(() => reach().getAttribute('aria-busy'), PATIENCE).toBe('false')
  }

  /** Asks until what was changed has come to the other device. */
  const until = async (target: string, words: string): Promise<void> => {
    await expect.poll(async () => {
      await ask(target)
      await expect.poll(() => reach().getAttribute('aria-busy'), PATIENCE).toBe('false')
      return reach().getByRole('heading').first().innerText()
    }, PATIENCE).toBe(words)
  }

  it('looks at this network when it opens: a sentence, what was seen, relays with home marked', async () => {
    told()
    await page.keyboard.press('Control+4')
    await page.getByRole('heading', { name: 'Diagnose', exact: true }).waitFor()
    await page.getByText('Direct paths may work here.').waitFor()
    const facts = page.getByRole('region', { name: 'This network' })
    for (const fact of ['UDP', 'IPv4', 'IPv6', 'NAT', 'Port mapping', 'Sign-in page', 'Proxy', 'Another VPN', 'Clock']) await facts.getByText(fact, { exact: true }).waitFor()
    await facts.getByText('Gets out', { exact: true }).waitFor()
    await facts.getByText(/is your home relay: others find you there\./).waitFor()
    await facts.getByRole('button', { name: 'Check again' }).click()
    await facts.getByText('checked now').or(facts.getByText(/^checked \d s ago$/)).first().waitFor()
    await expectClean(page, 'this network')
  })

  it('climbs from a name to an open port', async () => {
    told()
    lab.network.control.tailnet.setPolicy({ rules: [{ from: ['*'], to: ['*:*'] }] })
    await until(`files:${port}`, `files:${port} can be reached.`)
    await expect.poll(rungs, PATIENCE).toEqual([
      expect.stringMatching(/^Yes: Name found 100\./), 'Yes: Device known, rules show it files', expect.stringMatching(/^Yes: Traffic goes there 100\./), expect.stringMatching(/^Yes: Keys agreed/),
      expect.stringMatching(/^Yes: Path: .+ms$/), expect.stringMatching(/^Yes: Device answers inside the tunnel .+ms$/), expect.stringMatching(/^Yes: System answers .+ms$/), expect.stringMatching(new RegExp(`^Yes: Port ${port} open .+ms$`)),
    ])
    await expectClean(page, 'reached')
    await picture(page, 'diagnose-light')
  })

  it('says that nothing listens, and shows the evidence', async () => {
    told()
    service.close()
    await reach().getByRole('button', { name: 'Try again' }).click()
    await reach().getByRole('heading', { name: `files is up, but nothing listens on port ${port}.` }).waitFor()
    await reach().getByText('No rule is in the way.').waitFor()
    await reach().getByRole('button', { name: 'Show the evidence' }).click()
    await reach().getByText('"Code": "nothing-listens"').waitFor()
    await expectClean(page, 'nothing listens')
  })

  it('says what the device said, and only then has a request for an admin', async () => {
    told()
    await lab.peer('files').api.call('editPrefs', { body: { ShieldsUp: true, ShieldsUpSet: true } })
    await until(`files:${port}`, 'files is up, but takes no connections from others for now.')
    expect(await reach().getByRole('button', { name: 'Copy request for admin' }).count()).toBe(0)
    await lab.peer('files').api.call('editPrefs', { body: { ShieldsUp: false, ShieldsUpSet: true } })
    const { tailnet } = lab.network.control
    tailnet.setPolicy({ rules: [{ from: ['*'], to: ['*:1'] }] })
    await until(`files:${port}`, `files is up, but your network's rules do not let you reach port ${port}.`)
    await reach().getByRole('button', { name: 'Copy request for admin' }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toContain(`"ip":["tcp:${port}"]`)
    await expectClean(page, 'policy')
    await picture(page, 'diagnose-policy-light')
    await page.emulateMedia({ colorScheme: 'dark' })
    await picture(page, 'diagnose-policy-dark')
    await page.emulateMedia({ colorScheme: null })
  })

  it('tells what is no device of the network, and takes nothing hostile', async () => {
    told()
    await verdict('nobody-at-all', 'There is no nobody-at-all.')
    await verdict('192.0.2.7:80', '192.0.2.7 is not in your network.')
    for (const hostile of ['<img src=x onerror=alert(1)>', 'files; reboot', 'files:99999', '\u202eselif']) {
      await ask(hostile)
      await page.getByRole('alert').getByText('That is no device, no name and no address.', { exact: false }).waitFor()
    }
  })

  it('says who answered a name, and pings four ways', async () => {
    told()
    await page.getByLabel('Name to look up').fill('files.demo.internal')
    await page.getByRole('button', { name: 'Look up' }).click()
    await page.getByRole('table', { name: 'Who was asked' }).getByText('This one counts').waitFor()
    await page.getByText(/^files\.demo\.internal is 100\.\d+\.\d+\.\d+\.$/).waitFor()
    await page.getByLabel('Device to ping').fill('laptop-that-is-not')
    await page.getByRole('button', { name: 'Ping', exact: true }).click()
    await page.getByText('No device is called laptop-that-is-not.').waitFor()
    await page.getByLabel('Device to ping').fill('files')
    await page.getByRole('button', { name: 'Ping', exact: true }).click()
    await expect.poll(async () => (await page.locator('.ping-layers dd').allInnerTexts()).filter((text) => text.endsWith(' ms')).length, PATIENCE).toBeGreaterThanOrEqual(3)
    await expectClean(page, 'tools')
  })

  it('names the device that does not answer', async () => {
    told()
    await lab.peer('files').stop()
    await verdict('files:22', /^files does not answer/)
    expect((await rungs()).at(-1)).toBe('Not checked: Port 22')
  })

  it('fits a small window', async () => {
    await page.setViewportSize({ width: 720, height: 520 })
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(720)
    expect(await page.evaluate(`(() => { const body = document.querySelector('.page-body'); return body.scrollWidth - body.clientWidth })()`)).toBe(0)
    await expectClean(page, 'small')
    await picture(page, 'diagnose-small')
  })

  it('says so when the engine stops', async () => {
    await page.setViewportSize({ width: 1100, height: 720 })
    await lab.stopEngine()
    await page.getByText('The engine does not run, so nothing can be checked.').first().waitFor()
    await expectClean(page, 'engine stopped')
  })
})
