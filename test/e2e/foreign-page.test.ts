/**
 * A page of somebody else in the browser that has the window open: it tries to read, to ask, to frame and to send a form, by address and by a name
 * that resolves to this computer. Nothing of it gets through.
 */
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { WebHost } from '../../main/web/web-host.ts'
import { LocalApi } from '../sim/demo/local-api.ts'
import { launchChromium, missingBrowser, rendererDir } from './browser.ts'
import { startDemoLab, type DemoLab } from './demo-lab.ts'

const missing = missingBrowser()

describe.skipIf(missing !== undefined)(`a foreign page beside the window${missing === undefined ? '' : ` (${missing})`}`, () => {
  let lab: DemoLab
  let host: WebHost
  let browser: Browser
  let foreign: Server

  beforeAll(async () => {
    lab = await startDemoLab()
    await lab.signIn('anna')
    host = new WebHost({ socketPath: lab.socketPath, rendererDir, port: 0 })
    await host.start()
    foreign = createServer((_req, res) => res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>foreign</title><iframe name="in"></iframe>'))
    await new Promise<void>((resolve) => foreign.listen(0, '127.0.0.1', resolve))
    // The name is the attacker's, who lets it resolve to this computer (rebinding).
    browser = await launchChromium('--host-resolver-rules=MAP evil.example 127.0.0.1')
  })

  afterAll(async () => {
    await browser?.close()
    foreign?.close()
    host?.stop()
    await lab?.stop()
  })

  it.each(['127.0.0.1', 'evil.example'])('gets nothing and changes nothing from %s', async (name) => {
    const context = await browser.newContext()
    const own = await context.newPage()
    await own.goto(host.address())
    await own.locator('[data-device]').first().waitFor()
    const target = new URL(own.url())
    const page = await context.newPage()
    await page.goto(`http://${name}:${(foreign.address() as AddressInfo).port}/`)
    const bases = [target.href, `http://${name}:${target.port}${target.pathname}`, `http://${name}:${target.port}/`]
    const tries = (await page.evaluate(`(async () => {
      const out = []
      for (const base of ${JSON.stringify(bases)}) {
        for (const [path, init] of [
          ['api/call/status', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' }],
          ['api/call/editPrefs', { method: 'POST', headers: { 'content-type': 'text/plain' }, body: '{"WantRunning":false,"WantRunningSet":true}' }],
          ['api/call/logout', { method: 'POST', mode: 'no-cors', credentials: 'include', body: '{}' }],
          ['api/events', { credentials: 'include' }],
          ['?token=guess', {}],
        ]) out.push(await fetch(base + path, init).then(async (response) => response.type === 'opaque' ? 'opaque' : response.status + ' ' + await response.text(), () => 'blocked'))
      }
      return out
    })()`)) as string[]
    expect(tries.filter((one) => one !== 'opaque' && one !== 'blocked' && !one.startsWith('403'))).toEqual([])
    await page.evaluate(`new Promise((done) => {
      const form = Object.assign(document.createElement('form'), { action: ${JSON.stringify(`${target.href}api/call/logout`)}, method: 'post', target: 'in', enctype: 'text/plain' })
      document.body.append(form)
      frames[0].frameElement.addEventListener('load', done, { once: true })
      form.submit()
    })`)
    expect(await page.evaluate(`new Promise((done) => {
      const frame = Object.assign(document.createElement('iframe'), { src: ${JSON.stringify(target.href)} })
      frame.addEventListener('load', () => { try { done(frame.contentDocument ? 'seen' : 'closed') } catch { done('closed') } }, { once: true })
      document.body.append(frame)
    })`)).toBe('closed')
    const status = await new LocalApi(lab.socketPath).call('status')
    expect([status.BackendState, status.HaveNodeKey]).toEqual(['Running', true])
    await context.close()
  })
})
