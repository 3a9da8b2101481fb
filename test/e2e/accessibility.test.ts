/**
 * Every screen for everybody: axe in light, dark, forced colours and more contrast; in the pretended language, whose words are long, nothing that
 * no catalogue knows and nothing that scrolls sideways when it is narrow; and the way from joining to settings by keyboard alone.
 */
import { afterAll, beforeAll, describe, expect, it, onTestFailed } from 'vitest'
import { axe, missingBrowser } from './browser.ts'
import { plainText } from './scenes/plain-text.ts'
import { SCENES } from './scenes/scenes.ts'
import { LEAST, openStage, SIZE, ZOOMED, type Stage } from './scenes/stage.ts'

const missing = missingBrowser()

/** What of axe depends on colours; the rest is the same in every look. */
const COLOURS = ['color-contrast', 'link-in-text-block']
const LOOKS = {
  dark: { colorScheme: 'dark', forcedColors: null, contrast: null },
  'forced colours': { colorScheme: 'light', forcedColors: 'active', contrast: null },
  'more contrast': { colorScheme: 'light', forcedColors: null, contrast: 'more' },
} as const
const PLAIN = { colorScheme: 'light', forcedColors: null, contrast: null } as const

/** Elements that stick out of the page sideways, as short lines. */
const TOO_WIDE = `(() => {
  const over = document.documentElement.scrollWidth - innerWidth
  if (over <= 0) return []
  return [...document.querySelectorAll('body *')].filter((one) => one.getBoundingClientRect().right > innerWidth + 1).slice(0, 5).map((one) => one.outerHTML.slice(0, 120))
})()`

describe.skipIf(missing !== undefined)(`accessibility of every screen${missing === undefined ? '' : ` (${missing})`}`, () => {
  let stage: Stage

  beforeAll(async () => {
    stage = await openStage({ language: 'pseudo' })
  })

  afterAll(() => stage?.stop())

  it.each(SCENES)('$name has no fault in any look, fits when it is narrow, and says nothing that no catalogue knows', async (scene) => {
    onTestFailed(() => console.error(stage.lab.lines()))
    const { page } = stage
    await scene.reach(stage)
    const faults: Record<string, readonly string[]> = { light: await axe(page) }
    for (const [look, media] of Object.entries(LOOKS)) {
      await page.emulateMedia(media)
      faults[look] = await axe(page, COLOURS)
    }
    await page.emulateMedia(PLAIN)
    faults['plain text'] = await plainText(page)
    for (const viewport of [LEAST, ZOOMED]) {
      await page.setViewportSize(viewport)
      faults[`at ${viewport.width} px`] = (await page.evaluate(TOO_WIDE)) as string[]
    }
    await page.setViewportSize(SIZE)
    expect(Object.fromEntries(Object.entries(faults).filter(([, lines]) => lines.length > 0))).toEqual({})
  })

  it('judges for real: a fault is found in any look', async () => {
    await stage.page.evaluate(`document.querySelector('main').insertAdjacentHTML('beforeend', '<button></button>'); document.querySelector('h1').style.color = '#ccc'`)
    expect((await axe(stage.page)).join(' ')).toMatch(/button-name/)
    expect((await axe(stage.page, COLOURS)).join(' ')).toMatch(/color-contrast/)
  })
})

describe.skipIf(missing !== undefined)('by keyboard alone', () => {
  let stage: Stage

  beforeAll(async () => {
    stage = await openStage()
  })

  afterAll(() => stage?.stop())

  const focused = (): Promise<string> => stage.page.evaluate(`(() => { const one = document.activeElement; return one === document.body ? '' : (one.getAttribute('aria-label') ?? one.labels?.[0]?.textContent ?? one.textContent).trim() })()`)
  /** Presses Tab until something of that name has the focus. */
  const tabTo = async (name: RegExp): Promise<void> => {
    for (let i = 0; i < 60; i++) {
      if (name.test(await focused())) return
      await stage.page.keyboard.press('Tab')
    }
    throw new Error(`Tab reaches nothing named ${name}`)
  }

  it('goes from joining to a device, an exit node, settings and commands', async () => {
    onTestFailed(() => console.error(stage.lab.lines()))
    const { page, lab } = stage
    const { keyboard } = page
    await page.locator('form input').first().waitFor()
    await tabTo(/auth key/i)
    await keyboard.press('Enter')
    await page.getByLabel('Auth key').waitFor()
    await tabTo(/server address/i)
    await keyboard.press('Control+a')
    await keyboard.type(lab.network.control.url)
    await tabTo(/^auth key/i)
    await keyboard.type(lab.network.control.createAuthKey({ login: 'anna' }))
    await keyboard.press('Enter')
    await page.locator('[data-device]').nth(4).waitFor()

    await expect.poll(async () => {
      await keyboard.press('F6')
      return page.evaluate(`document.activeElement?.getAttribute('role') === 'row'`)
    }).toBe(true)
    await keyboard.press('End')
    await expect.poll(focused).toMatch(/^web\./)
    await keyboard.press('Enter')
    await page.locator('.device-page').waitFor()
    await keyboard.press('Escape')
    await page.locator('.device-page').waitFor({ state: 'detached' })
    await expect.poll(focused).toMatch(/^web\./)

    await keyboard.press('Control+e')
    await page.locator('.exit-row').first().waitFor()
    await keyboard.press('Control+k')
    await page.locator('dialog.palette[open]').waitFor()
    await keyboard.type('exit-node')
    await expect.poll(() => page.locator('.palette-item[aria-selected=true]').textContent()).toContain('exit-node')
    while (!/Use exit-node/.test((await page.locator('.palette-item[aria-selected=true]').textContent()) ?? '')) await keyboard.press('ArrowDown')
    await keyboard.press('Enter')
    await page.locator('.knot-exit-node').first().waitFor()

    await keyboard.press('Control+,')
    await page.locator('.settings-pages').waitFor()
    await keyboard.press('?')
    await page.locator('dialog.keyboard[open]').waitFor()
    await keyboard.press('Escape')
    await page.locator('dialog.keyboard').waitFor({ state: 'detached' })
    await keyboard.press('Control+Shift+c')
    await page.locator('.knot-disconnected').first().waitFor()
    await page.locator('.toast').waitFor()
  })
})
