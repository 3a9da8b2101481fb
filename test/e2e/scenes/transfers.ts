/**
 * Files on their way, between the person's engine and another device of theirs: nobody to send to, a queue with all that can become of a
 * file, an ask, what is chosen and waits for a device.
 */
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DEFAULT_TAILDROP, type TransferRow } from '../../../main/localapi/transfers.ts'
import { waitFor } from '../../support/wait.ts'
import type { DemoEngine } from '../../sim/demo/demo-network.ts'
import { closed } from './dialogs.ts'
import type { Scene } from './scene.ts'
import type { Stage } from './stage.ts'

const STUDIO = 'anna-office'
const PATIENCE = { withinMs: 60_000, everyMs: 50 }
/** So much that it is still moving when it is paused. */
const LARGE_BYTES = 400_000_000
const PHOTOS = 6

/** Files of the person, in the lab's folder. */
function files(stage: Stage): { readonly few: readonly string[]; readonly photos: readonly string[]; readonly large: string } {
  const folder = join(stage.lab.folder, 'mine')
  const path = (name: string): string => join(folder, name)
  mkdirSync(path('Survey 2026'), { recursive: true })
  for (const name of ['Survey 2026/one.csv', 'Survey 2026/two.csv', 'Q3-budget.xlsx', 'whiteboard.heic', 'contract-draft.pdf']) writeFileSync(path(name), `${name}\n`.repeat(2000))
  const photos = Array.from({ length: PHOTOS }, (_, i) => path(`IMG_${2040 + i}.jpg`))
  for (const photo of photos) writeFileSync(photo, photo.repeat(500))
  writeFileSync(path('release-4.2-symbols.tar'), '')
  truncateSync(path('release-4.2-symbols.tar'), LARGE_BYTES)
  return { few: [path('Survey 2026'), path('whiteboard.heic')], photos, large: path('release-4.2-symbols.tar') }
}

/** Another device of the same person. */
async function startStudio({ lab }: Stage): Promise<DemoEngine> {
  const { control } = lab.network
  const studio = await lab.network.startEngine(STUDIO, false)
  await studio.api.call('start', { body: { AuthKey: control.createAuthKey({ login: 'anna' }), UpdatePrefs: { ControlURL: control.url, WantRunning: true, Hostname: STUDIO } } })
  return studio
}

async function send(engine: Pick<DemoEngine, 'api'>, Peer: string, paths: readonly string[]): Promise<void> {
  await engine.api.call('transferAction', { body: { Do: 'send', Peer, Items: paths.map((Path) => ({ Path })) } })
}

const rowOf = async ({ api }: Stage, is: (row: TransferRow) => boolean): Promise<TransferRow | undefined> => (await api.call('transfers')).Rows.find(is)

const studios = new WeakMap<Stage, DemoEngine>()

export const TRANSFERS: readonly Scene[] = [
  {
    name: 'transfers-nobody', narrow: true,
    reach: async (stage) => {
      await stage.go('#/transfers')
      await stage.page.locator('.target.cannot').first().waitFor()
    },
  },
  {
    name: 'transfers-why', narrow: true,
    reach: async ({ page }) => {
      await page.locator('.target.cannot').first().click()
      await page.locator('dialog.target-why[open]').waitFor()
    },
  },
  {
    name: 'transfers', narrow: true,
    reach: async (stage) => {
      await closed(stage.page)
      const studio = await startStudio(stage)
      studios.set(stage, studio)
      const id = await waitFor(`${STUDIO} among the devices`, () => stage.idOf(STUDIO).catch(() => undefined), PATIENCE)
      await waitFor('a place to send to', async () => (await stage.api.call('transferTargets')).Targets.some(({ ID, Usable }) => ID === id && Usable), PATIENCE)
      const mine = files(stage)
      await send(stage, id, mine.few)
      await send(stage, id, mine.photos)
      await waitFor('all delivered', async () => (await stage.api.call('transfers')).Rows.filter(({ State }) => State === 'delivered').length === mine.few.length + PHOTOS, PATIENCE)
      await send(stage, id, [mine.large])
      const moving = await waitFor('the large one on its way', () => rowOf(stage, ({ Size, Done }) => Size === LARGE_BYTES && Done > 0), PATIENCE)
      await stage.api.call('transferAction', { body: { Do: 'pause', ID: moving.ID } })
      await stage.page.locator('.transfer-bar.paused').waitFor()
      await stage.page.locator('.target:not(.cannot)').first().waitFor()
    },
  },
  {
    name: 'transfers-batch', narrow: true,
    reach: async ({ page }) => {
      await page.locator('.transfer-fold').click()
      await page.locator('.transfer.part').first().waitFor()
    },
  },
  {
    name: 'transfers-menu',
    reach: async ({ page }) => {
      await page.locator('.transfer [data-act=menu]').first().click()
      await page.locator('.row-menu').waitFor()
    },
  },
  {
    name: 'transfers-cancel', narrow: true,
    reach: async ({ page }) => {
      await page.keyboard.press('Escape')
      await page.locator('.transfer [data-act=cancel]').first().click()
      await page.locator('dialog[open]').waitFor()
    },
  },
  {
    name: 'transfers-ask', narrow: true,
    reach: async (stage) => {
      await closed(stage.page)
      const studio = studios.get(stage)!
      await stage.api.call('editExtras', { body: { Taildrop: { ...DEFAULT_TAILDROP, Own: 'ask' } } })
      const { Self } = await stage.api.call('status')
      const folder = join(stage.lab.folder, 'mine')
      await send(studio, Self.ID, ['Q3-budget.xlsx', 'contract-draft.pdf', 'Survey 2026'].map((name) => join(folder, name)))
      await stage.page.locator('.ask').waitFor()
      await stage.page.locator('.ask .link').first().click()
      await stage.page.locator('.ask-names').waitFor()
    },
  },
  {
    name: 'transfers-offer', narrow: true,
    reach: async ({ page }) => {
      await page.locator('.ask .button.ink').click()
      await page.locator('.ask').waitFor({ state: 'detached' })
      const chooser = page.waitForEvent('filechooser')
      await page.locator('.transfers .bar .button:not(.ghost)').click()
      await (await chooser).setFiles([{ name: 'demo-take-3.mov', mimeType: 'video/quicktime', buffer: Buffer.alloc(3_000_000) }, { name: 'notes.txt', mimeType: 'text/plain', buffer: Buffer.from('notes') }])
      await page.locator('.offer-strip').waitFor()
    },
  },
  {
    name: 'device-transfers', narrow: true,
    reach: async (stage) => {
      await stage.page.locator('.offer-strip .button').click()
      await stage.go(`#/devices/${await stage.idOf(STUDIO)}`)
      await stage.page.locator('.device-transfers').waitFor()
    },
  },
  {
    name: 'settings-files', narrow: true,
    reach: async (stage) => {
      await stage.api.call('editExtras', { body: { Taildrop: { ...DEFAULT_TAILDROP, Senders: { [await stage.idOf(STUDIO)]: 'accept' } } } })
      await stage.go('#/settings/files')
      await stage.page.locator('.senders select').waitFor()
      // It leaves the network as it was.
      await studios.get(stage)!.stop()
    },
  },
]
