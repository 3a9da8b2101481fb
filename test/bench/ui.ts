/**
 * `ui`: the window. Times are as the page sees them, from the person's act to the frame that shows what came of it.
 *
 *   first-paint    the window's page begins → its first words are painted (the app in Electron where there is one, else in Chromium), in ms
 *   click-state    the switch is pressed → another state is said, connecting and disconnecting in turns, in ms
 *   list-10000     to the place Devices with 10,000 of them → the list is painted, in ms
 *   filter-p95     a key typed into the search of those, one each 33 ms → the frame that shows what matches: the 95th percentile of all keys of a run, in ms
 *   renderer-heap  the page's JavaScript heap with those, after all that, in MB
 *
 * No peer program has these numbers, so `peer` is the value that passes.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { _electron, type Browser, type Page } from 'playwright-core'
import type { Node, UserProfile } from '../../main/engine/core/tailcfg/types.ts'
import { WebHost } from '../../main/web/web-host.ts'
import { electronBinary, launchChromium, missingBrowser, rendererDir, root } from '../e2e/browser.ts'
import { startDemoLab, type DemoLab } from '../e2e/demo-lab.ts'
import { device, ManyPeers } from './many-peers.ts'
import type { BenchOptions } from './options.ts'
import { print, round, rowOf } from './row.ts'

/** How often a held key repeats on common systems. */
const KEY_EVERY_MS = 33
const PASS = { paint: 1200, click: 200, list: 400, filter: 50, heap: 150 } as const
const MANY = 10_000
const OWNERS = 40
/** Each typed and taken back letter by letter: words, an address, tokens. */
const QUERIES = ['device-77', 'owner 12', '100.64.12', 'tag:db', 'is:online', 'nothing like it', 'path:idle 9']

/** What a page measures of itself; runs there. */
const PROBE = `(() => {
  const painted = (tell) => requestAnimationFrame(() => { const { port1, port2 } = new MessageChannel(); port1.onmessage = () => tell(performance.now()); port2.postMessage(0) })
  const keys = []
  addEventListener('keydown', (event) => painted((at) => keys.push(at - event.timeStamp)), true)
  window.probe = {
    keys,
    until: (isSo) => new Promise((done) => { const look = () => (isSo() ? painted(done) : requestAnimationFrame(look)); look() }),
  }
})()`

/** One of many devices, of many owners, some with tags. */
export function manyDevices(count: number): readonly Node[] {
  return Array.from({ length: count }, (_, i) => {
    const node = device(i + 2)
    return i % 4 === 0 ? { ...node, Tags: [['tag:db', 'tag:ci', 'tag:office'][i % 3]!] } : { ...node, User: 1 + (i % OWNERS) }
  })
}

export const manyOwners: readonly UserProfile[] = Array.from({ length: OWNERS }, (_, i) => ({ ID: i + 1, LoginName: `owner${i + 1}@example.com`, DisplayName: `Owner ${i + 1}` }))

const median = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[values.length >> 1]!
const p95 = (values: readonly number[]): number => values.toSorted((a, b) => a - b)[Math.ceil(values.length * 0.95) - 1]!

async function opened(browser: Browser, host: WebHost): Promise<Page> {
  const page = await browser.newPage({ viewport: { width: 1100, height: 720 } })
  page.setDefaultTimeout(60_000)
  await page.goto(host.address())
  await page.evaluate(PROBE)
  return page
}

const FIRST_WORDS = `new Promise((done) => {
  const told = performance.getEntriesByName('first-contentful-paint')[0]
  if (told) return done(told.startTime)
  new PerformanceObserver((list) => { const one = list.getEntriesByName('first-contentful-paint')[0]; if (one) done(one.startTime) }).observe({ type: 'paint', buffered: true })
})`

/** In Electron, each start a whole new app with its window. */
async function firstPaintInApp(lab: DemoLab, executablePath: string): Promise<number> {
  const userDir = mkdtempSync(join(tmpdir(), 'bowline-bench-'))
  writeFileSync(join(userDir, 'settings.json'), JSON.stringify({ onQuit: 'keep' }))
  const app = await _electron.launch({
    executablePath, args: ['--no-sandbox', '--disable-gpu', root, `--socket=${lab.socketPath}`],
    env: { ...(process.env as Record<string, string>), BOWLINE_USER_DIR: userDir, DBUS_SESSION_BUS_ADDRESS: '' },
  })
  try {
    return (await (await app.firstWindow()).evaluate(FIRST_WORDS)) as number
  } finally {
    await app.close()
    rmSync(userDir, { recursive: true, force: true, maxRetries: 3 })
  }
}

async function firstPaintInBrowser(browser: Browser, host: WebHost): Promise<number> {
  const page = await browser.newPage({ viewport: { width: 1100, height: 720 } })
  try {
    await page.goto(host.address())
    return (await page.evaluate(FIRST_WORDS)) as number
  } finally {
    await page.close()
  }
}

/** Presses the switch and waits for other words beside it. */
const PRESS = `new Promise((done) => {
  const words = () => document.querySelector('.connection-head').textContent
  const before = words()
  addEventListener('click', (event) => window.probe.until(() => words() !== before).then((at) => done(at - event.timeStamp)), { capture: true, once: true })
})`

async function clicks(page: Page, pairs: number): Promise<number[]> {
  const times: number[] = []
  for (let i = 0; i < pairs * 2; i++) {
    const told = page.evaluate(PRESS) as Promise<number>
    await page.getByRole('switch').first().click()
    times.push(await told)
    await page.getByText(i % 2 === 0 ? 'Disconnected' : 'Connected', { exact: true }).first().waitFor()
  }
  return times
}

const OPEN_LIST = `(async () => {
  const from = performance.now()
  document.querySelector('.places a[href="#/devices"]').click()
  return (await window.probe.until(() => document.querySelectorAll('.row.device').length > 10)) - from
})()`

/** A key, and what is left of its time: no faster than a key that is held down repeats. */
async function pressPaced(page: Page, key: string): Promise<void> {
  await Promise.all([page.keyboard.press(key), new Promise((resolve) => setTimeout(resolve, KEY_EVERY_MS))])
}

async function filterKeys(page: Page): Promise<number[]> {
  await page.keyboard.press('/')
  await page.evaluate('void (window.probe.keys.length = 0)')
  for (const query of QUERIES) {
    for (const letter of query) await pressPaced(page, letter === ' ' ? 'Space' : letter)
    for (const _ of query) await pressPaced(page, 'Backspace')
  }
  await page.waitForFunction(`window.probe.keys.length >= ${QUERIES.join('').length * 2}`)
  return (await page.evaluate('window.probe.keys')) as number[]
}

/** In MB, with the page's garbage taken away first. */
async function heapMb(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page)
  for (let i = 0; i < 3; i++) await session.send('HeapProfiler.collectGarbage')
  const { usedSize } = await session.send('Runtime.getHeapUsage')
  return usedSize / 1e6
}

const row = (name: string, unit: string, values: readonly number[], pass: number, extra: Record<string, unknown> = {}): void =>
  print(rowOf({ name, better: 'lower', unit, extra: { p95: round(p95(values)), ...extra } }, values.map((value) => ({ value })), values.map(() => ({ value: pass }))))

async function small(browser: Browser, pairs: number): Promise<void> {
  const lab = await startDemoLab()
  const host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
  try {
    await host.start()
    await lab.signIn('anna')
    const page = await opened(browser, host)
    await page.getByRole('row', { name: /^files\./ }).waitFor()
    const times = await clicks(page, pairs)
    const executablePath = electronBinary()
    const paints: number[] = []
    for (let i = 0; i < pairs; i++) paints.push(executablePath === undefined ? await firstPaintInBrowser(browser, host) : await firstPaintInApp(lab, executablePath))
    row('first-paint', 'ms', paints, PASS.paint, { in: executablePath === undefined ? 'chromium' : 'electron' })
    row('click-state', 'ms', times, PASS.click)
  } finally {
    host.stop()
    await lab.stop()
  }
}

async function large(browser: Browser, pairs: number): Promise<void> {
  const peers = new ManyPeers(manyDevices(MANY), manyOwners)
  await peers.start()
  const host = new WebHost({ socketPath: peers.socketPath, rendererDir, port: 0 })
  const [lists, filters, heaps, all]: [number[], number[], number[], number[]] = [[], [], [], []]
  try {
    await host.start()
    for (let i = 0; i < pairs; i++) {
      const page = await opened(browser, host)
      await page.getByRole('row', { name: /^device-/ }).first().waitFor()
      await page.evaluate("void (location.hash = '#/exit-nodes')")
      await page.locator('[role=grid]').waitFor({ state: 'detached' })
      lists.push((await page.evaluate(OPEN_LIST)) as number)
      const keys = await filterKeys(page)
      all.push(...keys)
      filters.push(p95(keys))
      heaps.push(await heapMb(page))
      console.error(`ui ${i + 1}/${pairs}: list ${round(lists.at(-1))} ms, filter p95 ${round(filters.at(-1))} ms, heap ${round(heaps.at(-1))} MB`)
      await page.close()
    }
  } finally {
    host.stop()
    await peers.stop()
  }
  row('list-10000', 'ms', lists, PASS.list)
  row('filter-p95', 'ms', filters, PASS.filter, { median_key: round(median(all)) })
  row('renderer-heap', 'MB', heaps, PASS.heap)
}

export async function benchUi({ pairs }: BenchOptions): Promise<void> {
  const missing = missingBrowser()
  if (missing !== undefined) throw new Error(missing)
  const browser = await launchChromium()
  try {
    await small(browser, pairs)
    await large(browser, pairs)
  } finally {
    await browser.close()
  }
}
