/**
 * The window in a browser over a demo lab: somebody is signed in and sees the devices.
 */
import type { Page } from 'playwright-core'
import { expect } from 'vitest'
import { WebHost } from '../../main/web/web-host.ts'
import { LocalApi } from '../sim/demo/local-api.ts'
import { axe, launchChromium, rendererDir } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

export interface LabWindow {
  readonly lab: DemoLab
  readonly api: LocalApi
  readonly page: Page
  stop(): Promise<void>
}

/** Nothing in the page is waited for longer than `patienceMs`. Of the devices the laptop is mia's, the others office's. */
export async function openLabWindow(patienceMs: number, login = 'anna'): Promise<LabWindow> {
  const stops: (() => unknown)[] = []
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).toReversed()) await one()
  }
  try {
    const lab = await startDemoLab()
    stops.push(() => lab.stop())
    await lab.signIn(login)
    const host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
    stops.push(() => host.stop())
    await host.start()
    const browser = await launchChromium()
    stops.push(() => browser.close())
    const context = await browser.newContext({ viewport: { width: 1100, height: 720 }, permissions: ['clipboard-read', 'clipboard-write'] })
    const page = await context.newPage()
    page.setDefaultTimeout(patienceMs)
    await page.goto(host.address())
    await page.getByRole('row', { name: /^files\./ }).waitFor()
    return { lab, api: new LocalApi(lab.socketPath), page, stop }
  } catch (error) {
    await stop()
    throw error
  }
}

/** No fault of accessibility in either colour scheme. */
export async function expectClean(page: Page, name: string): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    expect(await axe(page), `${name}, ${colorScheme}`).toEqual([])
  }
  await page.emulateMedia({ colorScheme: null })
}
