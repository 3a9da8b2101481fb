/**
 * The window and a real Headscale with a real OpenID provider: the person signs in on the provider's own pages, refuses, is
 * refused, has several accounts, renews, runs out, and is removed. Every sentence on screen comes from what happened.
 */
import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { makeLink } from '../../main/engine/core/join/link.ts'
import { WebHost } from '../../main/web/web-host.ts'
import { Lab } from '../interop/lab/lab.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { findPeers } from '../interop/lab/peers.ts'
import { signInAs, WebVisitor } from '../interop/lab/web-visitor.ts'
import { axe, launchChromium, missingBrowser, picture, rendererDir } from './browser.ts'

const missing = missingBrowser()
const peers = missing === undefined ? findPeers() : undefined
const why = missing ?? (peers === undefined ? 'real peers are not built: npm run interop:peers' : undefined)

/** Markup, and characters that turn the reading direction, in a name that somebody chose at the provider. */
const HOSTILE = '<img src=x onerror=alert(1)>\u202egpj.exe'

describe.skipIf(why !== undefined)(`the window and OpenID Connect${why === undefined ? '' : ` (${why})`}`, () => {
  let lab: Lab
  let ours: LabNode
  let host: WebHost
  let browser: Browser
  let context: BrowserContext
  let page: Page
  const surprises: string[] = []

  beforeAll(async () => {
    lab = new Lab(peers!, { relays: 'embedded', identity: 'provider', signInSec: 86_400 })
    await lab.start()
    lab.identity.claims = (name) => ({ name: name === 'mallory' ? HOSTILE : name, preferred_username: name, email: `${name}@lab.internal`, email_verified: true })
    ours = await lab.add('bowline', 'ours')
    await ours.api.patchPrefs({ Hostname: 'ours', HostnameSet: true })
    host = new WebHost({ socketPath: ours.api.socketPath, rendererDir, port: 0 })
    await host.start()
    browser = await launchChromium()
    context = await browser.newContext({ viewport: { width: 1100, height: 720 }, permissions: ['clipboard-read', 'clipboard-write'] })
    context.on('page', (one) => one.on('dialog', (dialog) => {
      surprises.push(dialog.message())
      void dialog.dismiss()
    }))
    page = await context.newPage()
    page.setDefaultTimeout(20_000)
    page.on('pageerror', (error) => surprises.push(error.message))
    await page.goto(host.address())
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    host?.stop()
    await lab?.stop()
    expect(surprises).toEqual([])
  })
  const told = (): void => onTestFailed(async () => {
    console.error(lab.logs())
    await picture(page, 'failed').catch(() => undefined)
  })

  /** Looks at the present screen in light and dark: axe finds nothing; keeps a picture of each. */
  async function lookAt(name: string): Promise<void> {
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme })
      await picture(page, `oidc-${name}-${colorScheme}`)
      expect(await axe(page), `${name}, ${colorScheme}`).toEqual([])
    }
    await page.emulateMedia({ colorScheme: null })
  }
  const link = async (): Promise<string> => (await page.locator('.link-line').textContent())!
  const connected = (): Promise<void> => page.getByText('Connected', { exact: true }).first().waitFor({ timeout: 30_000 })
  /** Presses what asks for a page, and resolves with the page that opens by itself. */
  async function pageFrom(press: () => Promise<void>): Promise<Page> {
    const opened = context.waitForEvent('page')
    await press()
    return opened
  }
  /** Walks the provider's pages as a person does; the provider knows them from the first time on. */
  async function walk(signIn: Page, name: string): Promise<void> {
    const nameField = signIn.getByLabel('Name')
    const next = signIn.locator('form[action*="/register/confirm/"] button')
    await nameField.or(next).or(signIn.getByRole('button', { name: 'Allow' })).first().waitFor()
    if (await nameField.isVisible()) {
      await nameField.fill(name)
      await signIn.getByRole('button', { name: 'Sign in' }).click()
      await signIn.getByRole('button', { name: 'Allow' }).click()
    } else if (!(await next.isVisible())) await signIn.getByRole('button', { name: 'Allow' }).click()
    await next.click()
    await signIn.getByText(/signed in|registered/i).first().waitFor()
    await signIn.close()
  }

  it('shows each step with its time, and goes on by itself when the person is done at the provider', async () => {
    told()
    await page.getByLabel('Server address').fill(lab.headscale.url)
    const signIn = await pageFrom(() => page.getByRole('button', { name: 'Sign in', exact: true }).click())
    await page.getByRole('heading', { name: 'Waiting for your browser' }).waitFor()
    await page.getByText('A page of your server has opened.').waitFor()
    const steps = await page.locator('.step').allTextContents()
    expect(steps).toEqual([
      expect.stringMatching(/^Reached the server, done.*\d s$/), expect.stringMatching(/^Sent the key of this device, done.*\d s$/), expect.stringMatching(/^Got the sign-in page, done\d\d:\d\d:\d\d$/),
      expect.stringMatching(/^Waiting for you to sign in/), expect.stringMatching(/^Let in by the network, not yet$/), expect.stringMatching(/^Got the list of devices, not yet$/),
    ])
    expect(await link()).toContain(`${lab.headscale.url}/register/`)
    await page.getByRole('button', { name: 'Copy link' }).click()
    expect(await page.evaluate('navigator.clipboard.readText()')).toBe(await link())
    await lookAt('waiting')
    await walk(signIn, 'anna')
    await page.getByRole('row', { name: /^ours\. This device/ }).waitFor({ timeout: 30_000 })
    await connected()
  })

  it('keeps several accounts, with nicknames, switches between them and forgets one', async () => {
    told()
    const account = page.getByRole('button', { name: /^Account/ })
    await account.click()
    await page.getByRole('menuitem', { name: 'Nickname…' }).click()
    await page.getByRole('textbox', { name: 'Nickname' }).fill('Work')
    await page.getByRole('button', { name: 'Keep nickname' }).click()
    await page.getByRole('button', { name: /^Account: Work/ }).waitFor()
    await account.click()
    await page.getByRole('menuitem', { name: 'Add account…' }).click()
    await page.getByRole('heading', { name: 'Join your network' }).waitFor()
    await page.getByText('Or go back to').waitFor()
    await lookAt('add-account')
    await page.getByLabel('Server address').fill(lab.headscale.url)
    const opened = await pageFrom(() => page.locator('button[type=submit]').click())
    await opened.close()
    // Another person, in another browser.
    expect((await signInAs(new WebVisitor(), await link(), 'mallory')).status).toBe(200)
    await connected()
    await account.click()
    expect(await page.getByRole('menuitemradio').allTextContents()).toEqual([expect.stringContaining('mallory@lab.internal'), expect.stringMatching(/^Work.*anna@lab\.internal/)])
    await lookAt('accounts')
    await page.keyboard.press('ArrowDown')
    const switchedMs = Date.now()
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: /^Account: Work/ }).waitFor()
    await connected()
    expect(Date.now() - switchedMs).toBeLessThan(8000)
    // Who chose such a name is one of the others on anna's list.
    expect(await page.locator('.place img').count()).toBe(0)
    expect(await page.locator('body').innerText()).not.toContain('\u202e')
    await account.click()
    await page.getByRole('menuitem', { name: 'Remove an account…' }).click()
    await page.getByText('Its server is not told').waitFor()
    await lookAt('remove-account')
    await page.getByRole('button', { name: 'Remove mallory@lab.internal' }).click()
    await page.getByText('No other account is left.').waitFor()
    await page.getByRole('button', { name: 'Done' }).click()
    await account.click()
    expect(await page.getByRole('menuitemradio').count()).toBe(1)
    await page.keyboard.press('Escape')
  })

  it('sees the end of the sign-in coming and renews without leaving the page', async () => {
    told()
    const { id } = await lab.headscale.node('ours')
    await lab.headscale.cli('nodes', 'expire', '-i', String(id), '-e', new Date(Date.now() + 30_000).toISOString())
    await page.getByText(/^Sign-in ends in/).waitFor({ timeout: 40_000 })
    await lookAt('ends-soon')
    const signIn = await pageFrom(() => page.getByRole('button', { name: 'Renew' }).click())
    await page.getByText('Finish signing in in your browser. Existing connections continue.').waitFor()
    await lookAt('renewing')
    await walk(signIn, 'anna')
    await expect.poll(() => page.locator('.notice').count(), { timeout: 20_000 }).toBe(0)
    await connected()
    const leftMs = async (): Promise<number> => Date.parse(((await ours.api.status()).Self as { KeyExpiry?: string }).KeyExpiry!) - Date.now()
    await expect.poll(leftMs, { timeout: 20_000 }).toBeGreaterThan(3_600_000)
  })

  it('says that the sign-in has ended, and is back by one', async () => {
    told()
    const { id } = await lab.headscale.node('ours')
    await lab.headscale.cli('nodes', 'expire', '-i', String(id))
    await page.getByText('Your sign-in has ended. Nothing gets through until you sign in again.').waitFor({ timeout: 20_000 })
    await lookAt('ended')
    await walk(await pageFrom(() => page.getByRole('button', { name: 'Sign in', exact: true }).click()), 'anna')
    await connected()
  })

  it('says that an admin removed this device, and signs in anew from there', async () => {
    told()
    const { id } = await lab.headscale.node('ours')
    await lab.headscale.remove(id)
    // Headscale tells nobody whom it removed; the next connection finds out.
    await lab.headscale.restart()
    await page.locator('.notice', { hasText: /removed/ }).waitFor({ timeout: 30_000 })
    await lookAt('removed')
    await walk(await pageFrom(() => page.getByRole('button', { name: 'Sign in', exact: true }).click()), 'anna')
    await connected()
  })

  it('tells a refusal of the admin, and that the server forgot a link, and gives the new one each time', async () => {
    told()
    await page.getByRole('button', { name: /^Account/ }).click()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    await page.getByLabel('Server address').fill(lab.headscale.url)
    await (await pageFrom(() => page.locator('button[type=submit]').click())).close()
    const refused = await link()
    await lab.headscale.cli('auth', 'reject', '--auth-id', new URL(refused).pathname.split('/').at(-1)!)
    const pages = context.pages().length
    await page.getByText(/refused at the server.*Use the new one\./).waitFor({ timeout: 20_000 })
    const first = await link()
    expect(first).not.toBe(refused)
    await lookAt('refused')
    await lab.headscale.restart()
    await page.getByText(/no longer knew the link before.*Use the new one\./).waitFor({ timeout: 30_000 })
    expect(await link()).not.toBe(first)
    await lookAt('replaced')
    // A link that takes the place of another does not open by itself.
    expect(context.pages()).toHaveLength(pages)
    await walk(await pageFrom(() => page.getByRole('button', { name: 'Open the page' }).click()), 'anna')
    await connected()
  })

  it('joins by a link after its checks, and says where it wants people to sign in', async () => {
    told()
    await page.getByRole('button', { name: /^Account/ }).click()
    await page.keyboard.press('End')
    await page.keyboard.press('Enter')
    await page.getByRole('button', { name: 'Sign out', exact: true }).click()
    const content = { server: lab.headscale.url, org: 'Fjord Labs', contact: 'it@fjord.example', signIn: 'login.fjord.example', pins: [], settings: { names: true, exitNode: 'none' }, untilMs: Date.now() + 86_400_000 }
    const made = makeLink(content, new Uint8Array(32).fill(4), Date.now(), 'https://fjord.example/join')
    await page.getByLabel('Join link or server address').fill(made.kind === 'made' ? made.text : '')
    await page.getByRole('heading', { name: 'Fjord Labs invites you' }).waitFor()
    await page.getByText('11 of 11 checked').waitFor()
    await page.getByText(/^Headscale 0\.\d+\.\d+, speaks our version$/).waitFor()
    await lookAt('invited')
    const signIn = await pageFrom(() => page.getByRole('button', { name: 'Join and sign in' }).click())
    await page.getByText('The invitation says that you sign in at login.fjord.example, and nowhere else.').waitFor()
    await lookAt('invited-waiting')
    await walk(signIn, 'anna')
    await connected()
  })
})
