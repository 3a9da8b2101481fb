/**
 * The PAC file in a real browser: a page of the network opens by its name, and a page elsewhere learns nothing of it.
 */
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { LocalApi } from '../sim/demo/local-api.ts'
import { launchChromium, missingBrowser } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const missing = missingBrowser()
const PATIENCE = { withinMs: 60_000 }

describe.skipIf(missing !== undefined)(`the PAC file${missing === undefined ? '' : ` (${missing})`}`, () => {
  let lab: DemoLab
  let api: LocalApi
  let pacUrl: string
  let browser: Browser

  beforeAll(async () => {
    lab = await startDemoLab()
    api = new LocalApi(lab.socketPath)
    await lab.signIn('anna')
    await waitFor('the web server to be known', async () => Object.values((await api.call('status')).Peer ?? {}).some((peer) => peer.HostName === 'web'), PATIENCE)
    pacUrl = (await api.call('proxies')).PacUrl!
    browser = await launchChromium(`--proxy-pac-url=${pacUrl}`)
  })

  afterAll(async () => {
    await browser?.close()
    await lab?.stop()
  })

  it('opens a page of the network by its full name, its short name and its address', async () => {
    const { Peer } = await api.call('status')
    const web = Object.values(Peer ?? {}).find((peer) => peer.HostName === 'web')!
    const page = await browser.newPage()
    const hits = lab.network.webHits()
    for (const host of [web.DNSName.replace(/\.$/, ''), 'web', web.TailscaleIPs![0]!]) {
      await page.goto(`http://${host}:${lab.network.webPort}/`, { timeout: 60_000 })
      expect(await page.content()).toContain('Hello from the demo web server')
    }
    expect(lab.network.webHits()).toBeGreaterThanOrEqual(hits + 3)
    await page.close()
  })

  it('leaves this computer\'s own pages alone, which cannot read it', async () => {
    const server = createServer((_, response) => response.setHeader('content-type', 'text/html').end(`<script src="${pacUrl}" onload="document.title='got it'" onerror="document.title='refused'"></script>`))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const page = await browser.newPage()
    await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`, { timeout: 60_000 })
    await waitFor('the browser\'s verdict', async () => (await page.title()) !== '', PATIENCE)
    expect(await page.title()).toBe('refused')
    expect(await page.evaluate(`typeof FindProxyForURL + typeof domains`)).toBe('undefinedundefined')
    expect(await page.evaluate(`fetch(${JSON.stringify(pacUrl)}).then(() => 'read', () => 'refused')`)).toBe('refused')
    await page.close()
    server.close()
  })
})
