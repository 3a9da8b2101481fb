/**
 * A real Chromium and a real Electron for tests, and axe on whatever page is open.
 */
import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'

export const root = fileURLToPath(new URL('../..', import.meta.url))
export const rendererDir = join(root, 'dist/renderer')
export const picturesDir = join(root, 'test-results/pictures')

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))

/** Why the browser tests cannot run here; undefined when they can. In CI that is a failure, not a skip. */
export function missingBrowser(): string | undefined {
  const missing = CHROMIUM === undefined ? 'chromium is not installed' : !existsSync(join(rendererDir, 'index.html')) ? 'the window is not built: npm run build:js' : undefined
  if (missing !== undefined && process.env['CI'] === 'true') throw new Error(missing)
  return missing
}

/** Folder of a real Electron; undefined when there is none. In CI that is a failure, not a skip. */
export function electronBinary(): string | undefined {
  const override = process.env['ELECTRON_OVERRIDE_DIST_PATH']
  const candidates = [override, join(root, 'node_modules/electron/dist')].filter((path) => path !== undefined).map((path) => join(path, 'electron'))
  const found = candidates.find((path) => existsSync(path))
  if (found === undefined && process.env['CI'] === 'true') throw new Error('no Electron binary: set ELECTRON_OVERRIDE_DIST_PATH')
  return found
}

/** A browser; `flags` are more words of its command line. */
export function launchChromium(...flags: string[]): Promise<Browser> {
  return chromium.launch({
    executablePath: CHROMIUM!,
    args: ['--headless=new', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run', '--disable-component-update', '--disable-sync', ...flags],
  })
}

interface AxeResult {
  readonly violations: readonly { readonly id: string; readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[] }[]
}

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** What axe (WCAG 2.2 AA and best practices) finds wrong on the page, as short lines; [] = nothing. `rules` = these alone. */
export async function axe(page: Page, rules?: readonly string[]): Promise<readonly string[]> {
  await page.evaluate(axeSource)
  const only = rules === undefined ? '' : `, runOnly: { type: 'rule', values: ${JSON.stringify(rules)} }`
  const result = (await page.evaluate(`axe.run(document, { resultTypes: ["violations"]${only} })`)) as AxeResult
  return result.violations.flatMap((violation) => violation.nodes.map((node) => `${violation.id}: ${node.html.slice(0, 160)} ${node.failureSummary ?? ''}`))
}

/** Keeps a picture of the page for a person to look at. */
export async function picture(page: Page, name: string): Promise<void> {
  mkdirSync(picturesDir, { recursive: true })
  await page.screenshot({ path: join(picturesDir, `${name}.png`) })
}

/** Shows the window what it would be told by a server with a public name in place of loopback, while `look` runs. */
export async function withNamedServer(page: Page, look: () => Promise<void>): Promise<void> {
  const calls = '**/api/call/session'
  await page.route(calls, async (route) => {
    const answer = await route.fetch({ postData: '{}' })
    const { ok, value } = (await answer.json()) as { ok: boolean; value: { AuthURL?: string; Server: string } }
    const named = (url: string): string => url.replace(/^http:\/\/127\.0\.0\.1:\d+/, 'https://headscale.example.com')
    await new Promise((resolve) => setTimeout(resolve, 200))
    const told = { ...value, Server: named(value.Server), ...(value.AuthURL === undefined ? {} : { AuthURL: named(value.AuthURL) }) }
    // The page may be gone by now.
    await route.fulfill({ json: { ok, value: told } }).catch(() => undefined)
  })
  await page.reload()
  await look()
  await page.unrouteAll({ behavior: 'ignoreErrors' })
  await page.reload()
}
