/**
 * `bowline web` as a person runs it: a process beside an engine, its one-time address, what other pages may not do, its end.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer, request, type IncomingHttpHeaders } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Child, run } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { launchChromium, missingBrowser, root } from './browser.ts'

const missing = missingBrowser()
const command = join(root, 'build/scripts/bowline.mjs')

interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
}

describe.skipIf(missing !== undefined)(`bowline web${missing === undefined ? '' : ` (${missing})`}`, () => {
  let folder: string
  let socket: string
  let engine: Child
  let web: Child
  let address: URL

  const ask = (path: string, headers: Record<string, string> = {}, method = 'GET', body?: string): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port: address.port, path, method, headers: { host: address.host, ...headers }, agent: false }, (res) => {
        let text = ''
        res.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => resolve({ status: res.statusCode!, headers: res.headers, text }))
      })
      req.on('error', reject)
      req.end(body)
    })
  const serve = async (...words: string[]): Promise<Child> => {
    const child = new Child({ name: 'web', command: process.execPath, args: [command, `--socket=${socket}`, 'web', '--no-open', ...words] })
    await waitFor('the address', () => {
      child.assertRunning()
      return child.stdout.includes('}') || child.stdout.includes('Ctrl-C')
    }, { withinMs: 15_000 })
    return child
  }

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bowline-web-'))
    socket = join(folder, 'engine.sock')
    engine = new Child({ name: 'engine', command: process.execPath, args: [command, 'daemon', `--statedir=${folder}`, `--socket=${socket}`] })
    await waitFor('the engine', () => engine.log.includes('ready: serving'), { withinMs: 20_000 })
    web = await serve('--json')
    const said = JSON.parse(web.stdout) as { url: string; port: number }
    address = new URL(said.url)
    expect(said.port).toBe(Number(address.port))
    expect(address.hostname).toBe('127.0.0.1')
  })
  afterAll(async () => {
    await Promise.all([web?.stop(), engine?.stop()])
    rmSync(folder, { recursive: true, force: true })
  })

  it('says how to start an engine when none runs', async () => {
    const { code, stdout, stderr } = await run(process.execPath, [command, `--socket=${join(folder, 'none.sock')}`, 'web', '--no-open'])
    expect(code).toBe(3)
    expect(stdout).toBe('')
    expect(stderr).toMatch(/No engine is running at .*none\.sock\. Start one with: bowline daemon/)
  })

  it('tells nothing to who has no session, to another host name, or to another page', async () => {
    expect((await ask('/')).status).toBe(403)
    expect((await ask('/api/events')).status).toBe(403)
    for (const host of ['evil.example', `evil.example:${address.port}`, `localhost:${address.port}`, '127.0.0.1']) {
      expect(JSON.parse((await ask(address.pathname + address.search, { host })).text), host).toMatchObject({ code: 'wrong-host' })
    }
    for (const origin of ['https://evil.example', 'null', `http://localhost:${address.port}`]) {
      expect(JSON.parse((await ask(address.pathname + address.search, { origin })).text), origin).toMatchObject({ code: 'wrong-origin' })
    }
  })

  it('lets the address in once, for a cookie that scripts and other sites do not get', async () => {
    const first = await ask(address.pathname + address.search)
    expect(first.status).toBe(303)
    const cookie = first.headers['set-cookie']![0]!
    expect(cookie).toMatch(/HttpOnly/)
    expect(cookie).toMatch(/SameSite=Strict/)
    const again = await ask(address.pathname + address.search)
    expect(again.status).toBe(403)
    expect(again.text).toContain('used already')
    const session = { cookie: cookie.split(';')[0]! }
    const page = await ask('/', session)
    expect(page.status).toBe(200)
    expect(page.headers['content-security-policy']).toContain("default-src 'none'")
    const call = (headers: Record<string, string>): Promise<Reply> => ask('/api/call/status', { ...session, 'content-type': 'application/json', ...headers }, 'POST', '{}')
    expect(JSON.parse((await call({})).text)).toMatchObject({ ok: true, value: { BackendState: 'NeedsLogin' } })
    expect((await call({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await call({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await call({ 'content-type': 'text/plain' })).status).toBe(415)
  })

  it('opens in a browser, keeps its session over a reload, and is closed to a page of another origin', async () => {
    const second = await serve('--json')
    const cookies: unknown[] = []
    const elsewhere = createServer((req, res) => {
      cookies.push(req.headers.cookie)
      res.writeHead(200, { 'content-type': 'text/html' }).end('<p>another page</p>')
    }).listen(0, '127.0.0.1')
    await once(elsewhere, 'listening')
    const browser = await launchChromium()
    try {
      const context = await browser.newContext()
      const page = await context.newPage()
      const { url } = JSON.parse(second.stdout) as { url: string }
      await page.goto(url)
      await page.getByRole('heading', { name: 'Join your network' }).waitFor()
      expect(page.url()).not.toContain('token')
      await page.reload()
      await page.getByRole('heading', { name: 'Join your network' }).waitFor()
      // The same host on another port, as a device's page that is opened on this computer: cookies do not stop at ports.
      const stranger = await context.newPage()
      await stranger.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`)
      expect(cookies.length).toBeGreaterThan(0)
      expect(cookies.filter((sent) => sent !== undefined)).toEqual([])
      const { origin } = new URL(url)
      const attempt = (init: string): Promise<unknown> => stranger.evaluate(`fetch('${origin}/api/call/editPrefs', ${init}).then((r) => r.status, (error) => String(error))`)
      expect(await attempt(`{ method: 'POST', credentials: 'include', headers: { 'content-type': 'application/json' }, body: '{"WantRunning":true,"WantRunningSet":true}' }`)).toMatch(/TypeError/)
      expect(await attempt(`{ method: 'POST', mode: 'no-cors', credentials: 'include', body: '{"WantRunning":true,"WantRunningSet":true}' }`)).toMatch(/TypeError/)
      expect(await stranger.evaluate(`new Promise((done) => { const events = new EventSource('${origin}/api/events', { withCredentials: true }); events.onmessage = () => done('heard'); events.onerror = () => done('refused') })`)).toBe('refused')
      const prefs = JSON.parse((await run(process.execPath, [command, `--socket=${socket}`, 'debug', 'prefs'])).stdout) as { WantRunning: boolean }
      expect(prefs.WantRunning).toBe(false)
    } finally {
      await browser.close()
      elsewhere.close()
      await second.stop()
    }
  })

  it('says that a port is taken, and ends with 0 on Ctrl-C', async () => {
    const taken = await run(process.execPath, [command, `--socket=${socket}`, 'web', '--no-open', `--port=${address.port}`])
    expect(taken.code).toBe(1)
    expect(taken.stderr).toContain(`Port ${address.port} is in use`)
    web.signal('SIGINT')
    expect(await web.exited).toEqual({ code: 0, signal: null })
  })
})
