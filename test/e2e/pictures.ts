/**
 * `npm run pictures`: every screen of the window, from the real demo network in a real Chromium, in light, dark and forced colours, into
 * test-results/pictures.
 *
 *   --language=de     en (default), de, fr, es, ja, zh-CN, pseudo: into a folder of its own
 *   --only=palette    screens whose name begins so; several with commas
 *   --readme          writes the README's picture too
 */
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type { Page } from 'playwright-core'
import { LANGUAGES, type Speech } from '../../main/words/words.ts'
import { missingBrowser, picturesDir, root } from './browser.ts'
import { SCENES } from './scenes/scenes.ts'
import { LEAST, openStage, SIZE, ZOOMED } from './scenes/stage.ts'

const LOOKS = { light: { colorScheme: 'light', forcedColors: null }, dark: { colorScheme: 'dark', forcedColors: null }, 'forced-colours': { colorScheme: 'light', forcedColors: 'active' } } as const
const README_SCENE = 'device-path-relayed'

async function take(page: Page, folder: string, name: string): Promise<void> {
  // Transitions and fonts settle within a frame or two.
  await page.waitForTimeout(120)
  await page.screenshot({ path: join(folder, `${name}.png`) })
}

async function pictures(language: Speech, wanted: (name: string) => boolean, folder: string): Promise<number> {
  const stage = await openStage({ language, scale: 1.5 })
  const { page } = stage
  let taken = 0
  try {
    for (const scene of SCENES) {
      await scene.reach(stage)
      if (!wanted(scene.name)) continue
      for (const [look, media] of Object.entries(LOOKS)) {
        await page.emulateMedia(media)
        await take(page, folder, `${scene.name}-${look}`)
        taken++
      }
      await page.emulateMedia(LOOKS.light)
      for (const [size, viewport] of scene.narrow === true ? ([['720x520', LEAST], ['zoom-200', ZOOMED]] as const) : []) {
        await page.setViewportSize(viewport)
        await take(page, folder, `${scene.name}-${size}`)
        taken++
      }
      await page.setViewportSize(SIZE)
    }
    return taken
  } catch (error) {
    await take(page, folder, 'failed')
    console.error(stage.lab.lines())
    throw error
  } finally {
    await stage.stop()
  }
}

async function main(): Promise<number> {
  const missing = missingBrowser()
  const { values } = parseArgs({ options: { language: { type: 'string', default: 'en' }, only: { type: 'string', default: '' }, readme: { type: 'boolean', default: false } } })
  const language = [...LANGUAGES, 'pseudo' as const].find((one) => one === values.language)
  if (missing !== undefined || language === undefined) {
    console.error(missing === undefined ? `No language ${values.language}.` : `No pictures: ${missing}.`)
    return 1
  }
  const startMs = Date.now()
  const starts = values.only.split(',').filter((start) => start !== '')
  const folder = language === 'en' ? picturesDir : join(picturesDir, language)
  mkdirSync(folder, { recursive: true })
  const taken = await pictures(language, (name) => starts.length === 0 || starts.some((start) => name.startsWith(start)), folder)
  if (values.readme) {
    mkdirSync(join(root, 'build/pictures'), { recursive: true })
    copyFileSync(join(folder, `${README_SCENE}-light.png`), join(root, 'build/pictures/devices.png'))
    copyFileSync(join(folder, `${README_SCENE}-dark.png`), join(root, 'build/pictures/devices-dark.png'))
  }
  console.log(`${taken} pictures in ${folder.slice(root.length)}, in ${((Date.now() - startMs) / 1000).toFixed(0)} s`)
  return 0
}

process.exit(await main())
