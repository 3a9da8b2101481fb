/**
 * Where scenes are played: the demo tailnet with a person's own engine, signed out at first, and the window in a real Chromium.
 */
import type { BrowserContext, Page } from 'playwright-core'
import type { AppSettingsPatch } from '../../../main/localapi/app-settings.ts'
import type { Notify } from '../../../main/localapi/types.ts'
import type { Speech } from '../../../main/words/words.ts'
import { WebHost } from '../../../main/web/web-host.ts'
import { LocalApi } from '../../sim/demo/local-api.ts'
import { launchChromium, rendererDir } from '../browser.ts'
import { startDemoLab, type DemoLab } from '../demo-lab.ts'

export const SIZE = { width: 1100, height: 720 }
/** The least window, and that one at 200 % zoom. */
export const LEAST = { width: 720, height: 520 }
export const ZOOMED = { width: 360, height: 260 }

export interface Stage {
  readonly lab: DemoLab
  readonly api: LocalApi
  readonly context: BrowserContext
  readonly page: Page
  /** Shows a place, as its address hash says. */
  go(hash: string): Promise<void>
  /** Has the window hear a message of the bus that its engine does not send here: of a whole computer, which is not ours to take. */
  tell(part: Partial<Notify>): Promise<void>
  /** Changes the window's settings. */
  set(settings: AppSettingsPatch): Promise<void>
  /** The stable ID of a device of the lab. */
  idOf(name: string): Promise<string>
  stop(): Promise<void>
}

const SILENT = { Version: '', ErrMessage: null, LoginFinished: null, State: null, Prefs: null, NetMap: null, Engine: null, BrowseToURL: null, DriveShares: null }

export interface StageOptions {
  readonly language?: Speech
  readonly patienceMs?: number
  readonly scale?: number
}

export async function openStage({ language = 'en', patienceMs = 30_000, scale = 1 }: StageOptions = {}): Promise<Stage> {
  const stops: (() => unknown)[] = []
  const stop = async (): Promise<void> => {
    for (const one of stops.splice(0).toReversed()) await one()
  }
  try {
    const lab = await startDemoLab()
    stops.push(() => lab.stop())
    const host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
    stops.push(() => host.stop())
    await host.start()
    const browser = await launchChromium()
    stops.push(() => browser.close())
    const context = await browser.newContext({ viewport: SIZE, colorScheme: 'light', deviceScaleFactor: scale, reducedMotion: 'reduce', permissions: ['clipboard-read', 'clipboard-write'] })
    const page = await context.newPage()
    page.setDefaultTimeout(patienceMs)
    await page.addInitScript('window.EventSource = class extends EventSource { constructor(...given) { super(...given); window.busEvents = this } }')
    await page.goto(host.address())
    const api = new LocalApi(lab.socketPath)
    const stage: Stage = {
      lab, api, context, page, stop,
      go: (hash) => page.evaluate(`location.hash = ${JSON.stringify(hash)}`).then(() => undefined),
      tell: (part) => page.evaluate(`window.busEvents.dispatchEvent(new MessageEvent('notify', { data: ${JSON.stringify(JSON.stringify({ ...SILENT, ...part }))} }))`).then(() => undefined),
      set: (settings) => page.evaluate(`fetch('./api/call/editSettings', { method: 'POST', headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(JSON.stringify(settings))} }).then(() => undefined)`).then(() => undefined),
      idOf: async (name) => {
        const status = await api.call('status')
        const peer = [status.Self, ...Object.values(status.Peer ?? {})].find((one) => one.DNSName.startsWith(`${name}.`))
        if (!peer) throw new Error(`no device ${name}`)
        return peer.ID
      },
    }
    if (language !== 'en') await stage.set({ language })
    return stage
  } catch (error) {
    await stop()
    throw error
  }
}
