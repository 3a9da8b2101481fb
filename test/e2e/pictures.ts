/**
 * `npm run pictures`: every screen of the window, from the real demo network in a real Chromium, in light, dark and forced
 * colours, into test-results/pictures. `--readme` writes the README's picture too.
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { BrowserContext, Page } from 'playwright-core'
import { WebHost } from '../../main/web/web-host.ts'
import { LocalApi } from '../sim/demo/local-api.ts'
import { launchChromium, missingBrowser, picture, picturesDir, rendererDir, root, withNamedServer } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const SIZE = { width: 1100, height: 720 }
const SMALL = { width: 720, height: 520 }
/** The least window at 200 % zoom. */
const ZOOMED = { width: 360, height: 260 }

class Photographer {
  readonly #page: Page
  taken = 0

  constructor(page: Page) {
    this.#page = page
  }

  /** The present screen in its three looks. */
  async all(name: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await this.#page.emulateMedia({ colorScheme })
      await this.one(`${name}-${colorScheme}`)
    }
    await this.#page.emulateMedia({ colorScheme: 'light', forcedColors: 'active' })
    await this.one(`${name}-forced-colours`)
    await this.#page.emulateMedia({ colorScheme: 'light', forcedColors: null })
  }

  /** The present screen in a small window and at 200 % zoom. */
  async small(name: string): Promise<void> {
    await this.#page.setViewportSize(SMALL)
    await this.one(`${name}-720x520`)
    await this.#page.setViewportSize(ZOOMED)
    await this.one(`${name}-zoom-200`)
    await this.#page.setViewportSize(SIZE)
  }

  async one(name: string): Promise<void> {
    // Transitions and fonts settle within a frame or two.
    await this.#page.waitForTimeout(120)
    await picture(this.#page, name)
    this.taken++
  }
}

async function signedOut(page: Page, take: Photographer, lab: DemoLab, context: BrowserContext): Promise<void> {
  await page.getByRole('heading', { name: 'Join your network' }).waitFor()
  await take.all('sign-in')
  await take.small('sign-in')
  await page.getByLabel('Server address').fill('http://127.0.0.1:1')
  await page.getByRole('button', { name: 'Sign in', exact: true }).click()
  await page.getByText('connection refused').waitFor()
  await take.all('sign-in-problem')
  await take.small('sign-in-problem')
  await page.getByLabel('Server address').fill(lab.network.control.url)
  const opened = context.waitForEvent('page')
  await page.getByRole('button', { name: 'Try again' }).click()
  await page.getByRole('heading', { name: 'Waiting for your browser' }).waitFor()
  const signIn = await opened
  await page.bringToFront()
  await withNamedServer(page, async () => {
    await page.getByRole('img', { name: 'The link as a QR code' }).waitFor()
    await page.getByText('For your admin').click()
    await take.all('waiting-browser')
    await take.small('waiting-browser')
  })
  await page.getByRole('heading', { name: 'Waiting for your browser' }).waitFor()
  await signIn.locator('input[name=name]').fill('anna')
  await signIn.locator('button, input[type=submit]').first().click()
  await page.getByRole('row', { name: /^web\./ }).waitFor({ timeout: 20_000 })
  await signIn.close()
}

async function ping(page: Page, name: string): Promise<void> {
  await page.getByRole('row', { name: new RegExp(`^${name}\\.`) }).click()
  await page.getByRole('button', { name: 'Ping' }).click()
  await page.locator('.layers').getByText(/ms/).first().waitFor({ timeout: 15_000 })
}

async function devices(page: Page, take: Photographer, lab: DemoLab): Promise<void> {
  await take.all('devices-idle')
  await ping(page, 'laptop')
  await ping(page, 'web')
  await page.locator('.drawing-relay').waitFor({ timeout: 10_000 })
  await take.all('device-relayed')
  await take.small('device-relayed')
  await page.getByRole('button', { name: 'Show the evidence' }).click()
  await page.getByRole('table', { name: 'Addresses of the device' }).scrollIntoViewIfNeeded()
  await page.getByRole('table', { name: 'What happened lately' }).scrollIntoViewIfNeeded()
  await take.all('device-evidence')
  await take.small('device-evidence')
  await page.getByRole('button', { name: 'Hide the evidence' }).click()
  lab.network.gate.open()
  for (let i = 0; i < 40 && !(await page.locator('.drawing-direct').isVisible()); i++) {
    await page.getByRole('button', { name: 'Ping' }).click()
    await page.waitForTimeout(500)
  }
  await take.all('device-direct')
  await page.keyboard.press('Escape')
  await page.getByRole('row', { name: /^web\..*Direct/ }).waitFor()
  await take.all('devices')
  await take.small('devices')
  await page.setViewportSize({ width: 900, height: 620 })
  await take.one('devices-900')
  await page.setViewportSize(SIZE)
  await page.keyboard.press('/')
  await page.keyboard.type('nobody has this name')
  await page.getByText('No device matches').waitFor()
  await take.all('devices-empty-filter')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: /^Account/ }).click()
  await take.all('account-menu')
  await page.getByRole('menuitem', { name: 'Nickname…' }).click()
  await page.getByRole('dialog').waitFor()
  await take.all('nickname')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitem', { name: 'Sign out…' }).click()
  await page.getByRole('dialog').waitFor()
  await take.all('sign-out')
  await take.small('sign-out')
  await page.keyboard.press('Escape')
}

/** Networks behind a device, its services, forwards, and what was blocked. */
async function networks(page: Page, take: Photographer, lab: DemoLab): Promise<void> {
  await page.getByRole('row', { name: /^files\./ }).click()
  await page.getByRole('button', { name: 'Open a service' }).click()
  await page.getByRole('button', { name: 'SSH' }).click()
  await page.getByRole('region', { name: 'Open a service' }).getByRole('alert').waitFor()
  await take.all('service-refused')
  await page.getByLabel('port').fill(String(lab.network.filesPort))
  await page.getByRole('button', { name: 'Get an address' }).click()
  await page.locator('.door').waitFor()
  await take.all('service')
  await take.small('service')
  await page.getByRole('button', { name: 'Keep this forward' }).click()
  await page.getByText('also after a restart').waitFor()
  const behind = page.getByRole('region', { name: 'Networks behind this device' })
  await behind.getByRole('switch').click()
  await behind.getByText('Used', { exact: true }).waitFor()
  await page.getByRole('region', { name: 'Details' }).scrollIntoViewIfNeeded()
  await take.all('networks')
  await take.small('networks')
  await page.getByRole('row', { name: /^my-computer\./ }).click()
  await page.getByLabel('Network to offer').fill('10.30.0.0/24')
  await page.getByRole('button', { name: 'Offer it' }).click()
  await page.getByText(/^Approved/).waitFor()
  await take.all('own-networks')
  await page.getByRole('button', { name: 'Apps only' }).click()
  await page.getByRole('dialog').waitFor()
  await take.all('mode')
  await take.small('mode')
  await page.keyboard.press('Escape')
}

/** Exit nodes: none, in use, automatic, paused, offered, blocked. The one that stops stays away. */
async function exitNodes(page: Page, take: Photographer, lab: DemoLab): Promise<void> {
  await page.keyboard.press('Control+e')
  await page.getByRole('group', { name: 'Suggested' }).waitFor()
  await take.all('exit-none')
  await take.small('exit-none')
  await page.getByRole('radio', { name: /^exit-node\./ }).click()
  await page.getByRole('region', { name: 'In use' }).getByRole('heading', { name: 'exit-node' }).waitFor()
  await page.getByRole('button', { name: 'Check again' }).click()
  await page.waitForTimeout(4000)
  await take.all('exit-in-use')
  await take.small('exit-in-use')
  await page.setViewportSize({ width: 860, height: 620 })
  await take.one('exit-in-use-860')
  await page.setViewportSize(SIZE)
  const api = new LocalApi(lab.socketPath)
  await api.call('exitNodeAction', { body: { Do: 'pause' } })
  await page.getByText('In use again in').first().waitFor()
  await take.all('exit-paused')
  await take.small('exit-paused')
  await page.getByRole('button', { name: 'Use it again now' }).first().click()
  await page.getByRole('button', { name: 'Turn on…' }).click()
  await page.getByRole('dialog').waitFor()
  await take.all('exit-offer')
  await take.small('exit-offer')
  await page.keyboard.press('Escape')
  await lab.peer('exit-node').stop()
  await page.getByText(/exit-node cannot be used/).waitFor({ timeout: 30_000 })
  await take.all('exit-blocked')
  await take.small('exit-blocked')
  await page.keyboard.press('Control+1')
  await page.keyboard.press('Escape')
  await take.all('exit-blocked-devices')
  await page.keyboard.press('Control+e')
  await page.getByRole('radio', { name: /^Choose automatically/ }).click()
  await page.getByText('now files').waitFor({ timeout: 30_000 })
  await take.all('exit-automatic')
  await page.getByRole('button', { name: 'Stop using it' }).click()
  await page.getByRole('heading', { name: 'None in use' }).waitFor()
  await page.keyboard.press('Control+1')
}

/** A second account, and the way back. */
async function accounts(page: Page, take: Photographer, lab: DemoLab): Promise<void> {
  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitem', { name: 'Add account…' }).click()
  await page.getByText('Or go back to').waitFor()
  await take.all('add-account')
  await take.small('add-account')
  await page.getByRole('button', { name: 'I have an auth key' }).click()
  await page.getByLabel('Server address').fill(lab.network.control.url)
  await page.getByLabel('Auth key').fill(lab.network.control.createAuthKey({ login: 'ben' }))
  await page.locator('button[type=submit]').click()
  await page.getByRole('row', { name: /^web\./ }).waitFor({ timeout: 20_000 })
  await page.getByRole('button', { name: /^Account/ }).click()
  await take.all('accounts')
  await page.getByRole('menuitem', { name: 'Remove an account…' }).click()
  await page.getByRole('dialog').waitFor()
  await take.all('remove-account')
  await page.keyboard.press('Escape')
  await page.getByRole('button', { name: /^Account/ }).click()
  await page.getByRole('menuitemradio', { name: /anna/ }).click()
  await page.getByRole('button', { name: /^Account: .*anna/ }).waitFor()
}

/** What the server says, and what it wants of the person. */
async function words(page: Page, take: Photographer, lab: DemoLab): Promise<void> {
  const { control } = lab.network
  const me = [...control.tailnet.nodes.values()].find((node) => node.user.login === 'anna')!
  control.sendTo(me, { DisplayMessages: {
    full: { Title: 'The network is full', Text: 'No more devices can join until the plan is renewed.', Severity: 'high', ImpactsConnectivity: true, PrimaryAction: { URL: 'https://headscale.example.com/plan', Label: 'Open the plan' } },
    late: { Title: 'Maintenance tonight', Text: 'The server is away from 22:00 to 22:15.', Severity: 'medium' },
  } })
  await page.getByText('The network is full').waitFor()
  await take.all('messages')
  await take.small('messages')
  control.sendTo(me, { DisplayMessages: { '*': null } })
  control.tailnet.letIn(me, false)
  await page.getByRole('heading', { name: 'Waiting for approval' }).waitFor()
  await take.all('waiting-approval')
  await take.small('waiting-approval')
  control.tailnet.letIn(me, true)
  await page.getByText('Connected', { exact: true }).first().waitFor()
  control.tailnet.expire(me, 50_000)
  await page.getByText(/^Sign-in ends in/).waitFor({ timeout: 60_000 })
  await take.all('ends-soon')
  await take.small('ends-soon')
  await page.getByRole('button', { name: 'Renew' }).click()
  await page.getByText('Existing connections continue.').waitFor()
  await page.bringToFront()
  await take.all('renewing')
  await take.small('renewing')
  await page.getByRole('button', { name: 'Cancel' }).click()
  await page.getByText('Connected', { exact: true }).first().waitFor()
}

async function troubles(page: Page, take: Photographer, lab: DemoLab): Promise<void> {
  await page.getByRole('switch').click()
  await page.getByText('Disconnected', { exact: true }).first().waitFor()
  await take.all('disconnected')
  await page.getByRole('switch').click()
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 15_000 })
  await lab.stopEngine()
  await page.getByText('The engine stopped').waitFor()
  await take.all('engine-stopped')
  await take.small('engine-stopped')
  await lab.startEngine()
  await page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 20_000 })
  lab.network.control.tailnet.expire(lab.network.control.tailnet.nodeNamed('my-computer'))
  await page.getByText('Your sign-in has ended').waitFor({ timeout: 20_000 })
  await take.all('signed-out')
  await take.small('signed-out')
}

async function main(): Promise<number> {
  const missing = missingBrowser()
  if (missing !== undefined) {
    console.error(`No pictures: ${missing}.`)
    return 1
  }
  const startMs = Date.now()
  const lab = await startDemoLab()
  const host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
  await host.start()
  const browser = await launchChromium()
  try {
    const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light', deviceScaleFactor: 1.5, permissions: ['clipboard-write'] })
    const page = await context.newPage()
    page.setDefaultTimeout(15_000)
    const take = new Photographer(page)
    await page.goto(host.address())
    await signedOut(page, take, lab, context)
    await devices(page, take, lab)
    await networks(page, take, lab)
    await accounts(page, take, lab)
    await exitNodes(page, take, lab)
    await words(page, take, lab)
    await troubles(page, take, lab)
    if (process.argv.includes('--readme')) {
      mkdirSync(join(root, 'build/pictures'), { recursive: true })
      copyFileSync(join(picturesDir, 'device-relayed-light.png'), join(root, 'build/pictures/devices.png'))
      copyFileSync(join(picturesDir, 'device-relayed-dark.png'), join(root, 'build/pictures/devices-dark.png'))
    }
    console.log(`${take.taken} pictures in test-results/pictures, in ${((Date.now() - startMs) / 1000).toFixed(0)} s`)
    return 0
  } catch (error) {
    console.error(lab.lines())
    throw error
  } finally {
    await browser.close()
    host.stop()
    await lab.stop()
  }
}

process.exit(await main())
