/**
 * Menus and dialogs that open above a screen, each closed again by the next one.
 */
import type { Page } from 'playwright-core'
import type { Scene } from './scene.ts'
import type { Stage } from './stage.ts'

/** Closes the dialog that is open, if any. */
export async function closed(page: Page): Promise<void> {
  if ((await page.locator('dialog[open]').count()) === 0) return
  await page.keyboard.press('Escape')
  await page.locator('dialog[open]').waitFor({ state: 'detached' })
}

const opened = (page: Page): Promise<void> => page.locator('dialog[open]').waitFor()

/** The menu of the device's row. */
async function rowMenu(stage: Stage): Promise<void> {
  const { page } = stage
  await stage.go('#/devices')
  await page.locator('[data-device]').last().click({ button: 'right' })
  await page.locator('.row-menu').waitFor()
}

/** Opens one of the account's dialogs, by its place in the menu. */
async function ofAccount({ page }: Stage, nth: number): Promise<void> {
  await closed(page)
  await page.locator('.account').click()
  await page.locator('.account-box [role=menuitem]').nth(nth).click()
  await opened(page)
}

export const DIALOGS: readonly Scene[] = [
  {
    name: 'exit-mode', narrow: true,
    reach: async (stage) => {
      await stage.go('#/exit-nodes')
      await stage.page.locator('.means .link').click()
      await opened(stage.page)
    },
  },
  {
    name: 'exit-offer', narrow: true,
    reach: async ({ page }) => {
      await closed(page)
      await page.locator('.exit-page .foot .link').click()
      await opened(page)
    },
  },
  {
    name: 'row-menu',
    reach: async (stage) => {
      await closed(stage.page)
      await rowMenu(stage)
    },
  },
  {
    name: 'nickname', narrow: true,
    reach: async (stage) => {
      // Another size of the window has closed the menu.
      await rowMenu(stage)
      await stage.page.locator('.row-menu .lucide-pencil').click()
      await opened(stage.page)
    },
  },
  {
    name: 'devices-view', narrow: true,
    reach: async ({ page }) => {
      await closed(page)
      await page.locator('.lucide-sliders-horizontal').click()
      await opened(page)
    },
  },
  { name: 'account-nickname', reach: (stage) => ofAccount(stage, 1) },
  { name: 'sign-out', narrow: true, reach: (stage) => ofAccount(stage, 2) },
]
