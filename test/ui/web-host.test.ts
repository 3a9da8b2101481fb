import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { mayOpen } from '../../main/web/may-open.ts'
import { WebHost } from '../../main/web/web-host.ts'
import { waitFor } from '../support/wait.ts'

/** An engine that answers just what the host asks; each test sees the paths it was asked for. */
interface FakeEngine {
  readonly server: Server
  readonly asked: string[]
  /** What was given to the spool. */
  readonly spooled: string[]
  /** How many uploads broke off. */
  broken: number
  full: boolean
  killStreams(): void
}

function fakeEngine(socketPath: string): FakeEngine {
  const asked: string[] = []
  const streams = new Set<{ destroy(): void }>()
  const server = createServer((req, res) => {
    asked.push(`${req.method} ${req.url}`)
    if (req.url?.includes('watch-ipn-bus')) {
      res.writeHead(200, { 'content-type': 'application/json' })
      res.write(`${JSON.stringify({ Version: '1', State: 6 })}\n`)
      streams.add(res)
      return
    }
    if (req.url?.endsWith('bowline/spool')) return void spool(req, res)
    res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ BackendState: 'Running' }))
  })
  server.listen(socketPath)
  const fake: FakeEngine = { server, asked, spooled: [], broken: 0, full: false, killStreams: () => streams.forEach((stream) => stream.destroy()) }
  const spool = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    if (fake.full) {
      // Said at once, on a connection that stays until the other side leaves it.
      res.writeHead(507, { 'content-type': 'text/plain', 'content-length': 16 }).write('the disk is full')
      req.on('error', () => undefined).resume()
      return
    }
    try {
      let text = ''
      for await (const part of req as AsyncIterable<Buffer>) text += part.toString()
      fake.spooled.push(text)
      res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ Spool: 's1', Size: text.length }))
    } catch {
      fake.broken++
    }
  }
  return fake
}

interface Reply {
  readonly status: number
  readonly text: string
  readonly headers: IncomingMessage['headers']
}

describe('web host', () => {
  let folder: string
  let engine: ReturnType<typeof fakeEngine>
  let host: WebHost
  let port: number
  let cookie: string

  const ask = (path: string, options: { method?: string; headers?: Record<string, string>; body?: string } = {}): Promise<Reply> =>
    new Promise((resolve, reject) => {
      const req = request({ host: '127.0.0.1', port, path, method: options.method ?? 'GET', headers: options.headers ?? {}, agent: false }, (res) => {
        let text = ''
        res.setEncoding('utf8')
        res.on('data', (part: string) => (text += part))
        res.on('end', () => resolve({ status: res.statusCode!, text, headers: res.headers }))
      })
      req.on('error', reject)
      req.end(options.body)
    })
  const call = (name: string, send: unknown, headers: Record<string, string> = {}): Promise<Reply> =>
    ask(`/api/call/${name}`, { method: 'POST', headers: { cookie, 'content-type': 'application/json', ...headers }, body: JSON.stringify(send) })

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), 'bowline-web-'))
    writeFileSync(join(folder, 'index.html'), '<p>window</p>')
    engine = fakeEngine(join(folder, 'engine.sock'))
    host = new WebHost({ socketPath: join(folder, 'engine.sock'), rendererDir: folder, port: 0 })
    port = await host.start()
    const admitted = await ask(new URL(host.address()).pathname + new URL(host.address()).search)
    cookie = admitted.headers['set-cookie']![0]!.split(';')[0]!
  })

  afterEach(() => {
    host.stop()
    engine.killStreams()
    engine.server.close()
    rmSync(folder, { recursive: true })
  })

  const upload = (headers: Record<string, string> = {}, body = 'content'): Promise<Reply> => ask('/api/spool', { method: 'PUT', headers: { cookie, 'content-type': 'application/octet-stream', ...headers }, body })

  it('streams a file that the page hands over to the engine, and answers as to a request', async () => {
    expect(JSON.parse((await upload()).text)).toEqual({ ok: true, value: { Spool: 's1', Size: 7 } })
    expect(engine.spooled).toEqual(['content'])
  })

  it('takes files of nobody else: without the cookie, from another page, as a form, or for a window that only reads', async () => {
    expect((await upload({ cookie: '' })).status).toBe(403)
    expect((await upload({ origin: 'https://evil.example' })).status).toBe(403)
    expect((await upload({ 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await upload({ 'content-type': 'multipart/form-data' })).status).toBe(415)
    const reader = new WebHost({ socketPath: join(folder, 'engine.sock'), rendererDir: folder, port: 0, readOnly: true })
    const other = { port: await reader.start(), path: new URL(reader.address()) }
    const [mine, own] = [port, cookie]
    port = other.port
    cookie = (await ask(other.path.pathname + other.path.search)).headers['set-cookie']![0]!.split(';')[0]!
    expect(JSON.parse((await upload()).text)).toMatchObject({ ok: false, code: 'read-only' })
    reader.stop()
    ;[port, cookie] = [mine, own]
    expect(engine.spooled).toEqual([])
  })

  it('tells the page why the engine took no file, also when that is said before its end', async () => {
    engine.full = true
    expect(JSON.parse((await upload({}, 'x'.repeat(8_000_000))).text)).toMatchObject({ ok: false, message: 'the disk is full' })
  })

  it('ends the engine\'s part when the page goes away in between', async () => {
    const req = request({ host: '127.0.0.1', port, path: '/api/spool', method: 'PUT', headers: { cookie, 'content-type': 'application/octet-stream', 'content-length': '1000' }, agent: false })
    req.on('error', () => undefined)
    req.write('half')
    await waitFor('the engine to be asked', () => engine.asked.includes('PUT /localapi/v0/bowline/spool'), { withinMs: 30_000 })
    req.destroy()
    await waitFor('the upload to break off', () => engine.broken === 1, { withinMs: 30_000 })
    expect(engine.spooled).toEqual([])
  })

  it('opens once by its link, and sets a cookie that no script and no other site can use', async () => {
    const link = new URL(host.address())
    const first = await ask(link.pathname + link.search)
    expect(first.status).toBe(303)
    expect(first.headers['set-cookie']![0]).toMatch(/HttpOnly; SameSite=Strict/)
    expect((await ask(link.pathname + link.search)).status).toBe(403)
  })

  it('has the cookie go to a folder of its own that nobody can guess, since browsers send it to other ports too', async () => {
    const link = new URL(host.address())
    const { headers } = await ask(link.pathname + link.search)
    const folder = headers.location!
    expect(folder).toMatch(/^\/[0-9a-f]{32}\/$/)
    expect(headers['set-cookie']![0]!.split('; ')).toContain(`Path=${folder}`)
    expect((await ask(folder, { headers: { cookie } })).text).toContain('window')
    expect((await ask(folder)).status).toBe(403)
    const said = await ask(`${folder}api/call/status`, { method: 'POST', headers: { cookie, 'content-type': 'application/json' }, body: '{}' })
    expect(JSON.parse(said.text)).toMatchObject({ ok: true })
    expect((await ask(`${folder}api/call/status`, { method: 'POST', headers: { cookie, 'content-type': 'application/json', 'sec-fetch-site': 'same-site' }, body: '{}' })).status).toBe(403)
  })

  it('serves nothing without the cookie, and says how to get in', async () => {
    const page = await ask('/')
    expect(page.status).toBe(403)
    expect(page.text).toContain('bowline web')
    expect((await ask('/', { headers: { cookie: `${cookie.slice(0, -1)}x` } })).status).toBe(403)
    expect((await ask('/', { headers: { cookie } })).text).toContain('window')
  })

  it('refuses a name that is not its own, as DNS rebinding brings', async () => {
    expect((await ask('/', { headers: { cookie, host: `evil.example:${port}` } })).status).toBe(403)
    expect((await ask('/', { headers: { cookie, host: `localhost:${port}` } })).status).toBe(403)
  })

  it('refuses requests that another page made', async () => {
    expect((await call('status', {}, { origin: 'https://evil.example' })).status).toBe(403)
    expect((await call('status', {}, { origin: 'null' })).status).toBe(403)
    expect((await call('status', {}, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    expect((await call('status', {}, { 'content-type': 'text/plain' })).status).toBe(415)
    expect((await ask('/api/call/status', { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{}' })).status).toBe(403)
  })

  it('allows the page nothing but its own files', async () => {
    const policy = (await ask('/', { headers: { cookie } })).headers['content-security-policy']!
    expect(policy).toContain("default-src 'none'")
    expect(policy).not.toMatch(/unsafe|\*/)
  })

  it.each(['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '/engine.sock', '/a%00.html', '/%', '//evil.example/x.html'])('gives no file for %s', async (path) => {
    const { status } = await ask(path, { headers: { cookie } })
    expect(status).toBeGreaterThanOrEqual(400)
  })

  it('passes a good request on and answers with its value', async () => {
    const reply = await call('status', {})
    expect(JSON.parse(reply.text)).toEqual({ ok: true, value: { BackendState: 'Running' } })
    expect(engine.asked).toContain('GET /localapi/v0/status?versions=true')
  })

  it.each([
    ['nonesuch', {}], ['__proto__', {}], ['constructor', {}], ['ping', { ip: '100.64.0.1', type: 'rm -rf' }], ['ping', { ip: '100.64.0.1&type=x', type: 'disco' }], ['ping', {}],
    ['editPrefs', { OperatorUser: 'eve', OperatorUserSet: true }], ['editPrefs', { WantRunning: 'yes', WantRunningSet: true }], ['editPrefs', { ControlURL: 'x'.repeat(5000), ControlURLSet: true }],
    ['useExitNode', { id: '../prefs' }], ['useExitNode', { id: 7 }], ['useExitNode', { id: 'a b' }], ['setExitNodeFailure', { failure: 'explode' }], ['setExitNodeFailure', {}],
    ['useRoute', { prefix: '10.0.0.1/8', use: true }], ['useRoute', { prefix: '10.0.0.0/8', use: 'no' }], ['offer', { prefixes: ['10.0.0.0/8', 'x'], on: true }], ['offer', { prefixes: 'all', on: true }],
    ['offer', { prefixes: Array.from({ length: 1001 }, () => '10.0.0.0/8'), on: true }], ['addForward', { Proto: 'icmp', Listen: '5432', To: 'db:5432' }], ['addForward', { Listen: 5432, To: 'db:5432' }],
    ['addForward', { Listen: '5432', To: 'x'.repeat(301) }], ['removeForward', { id: 'f1&x=y' }], ['removeForward', {}],
    ['removeTrust', { fingerprint: 'AA:BB' }], ['removeTrust', { fingerprint: '../x' }], ['removeTrust', {}], ['editPrefs', { RelayServerPort: 70_000, RelayServerPortSet: true }], ['editPrefs', { RelayServerPort: '0', RelayServerPortSet: true }],
    ['openForward', { To: 'db:5432', Scheme: 'file' }], ['openForward', { To: 7 }], ['openForward', {}], ['start', { AuthKey: 7 }], ['status', []], ['status', null], ['status', 'x'],
  ])('refuses %s with %j', async (name, send) => {
    const before = engine.asked.length
    const reply = JSON.parse((await call(name, send)).text) as { ok: boolean; code: string }
    expect(reply).toMatchObject({ ok: false, code: 'bad-argument' })
    expect(engine.asked.length).toBe(before)
  })

  it('refuses a body that never ends', async () => {
    expect((await call('start', { AuthKey: 'x'.repeat(100_000) })).status).toBe(413)
  })

  it('tells its windows within two seconds that the engine is gone, and when it is back', async () => {
    const seen: string[] = []
    const req = request({ host: '127.0.0.1', port, path: '/api/events', headers: { cookie }, agent: false })
    const wait = (word: string): Promise<number> => new Promise((resolve) => {
      const since = Date.now()
      const timer = setInterval(() => {
        if (!seen.some((text) => text.includes(word))) return
        clearInterval(timer)
        resolve(Date.now() - since)
      }, 10)
    })
    req.on('response', (res) => res.setEncoding('utf8').on('data', (part: string) => seen.push(part)))
    req.end()
    await wait('"engine":"running"')
    seen.length = 0
    engine.server.close()
    engine.killStreams()
    expect(await wait('"engine":"stopped"')).toBeLessThan(2000)
    engine = fakeEngine(join(folder, 'engine.sock'))
    await wait('"restarts":1')
    req.destroy()
  })
})

describe('what may be opened', () => {
  it.each(['file:///etc/passwd', 'javascript:alert(1)', 'data:text/html,x', 'ms-settings:', 'http://evil.example/', 'https://user:pw@host/', 'not an address', 'smb://host/x'])('refuses %s', (url) => {
    expect(mayOpen(url, 'https://headscale.example')).toBeUndefined()
  })

  it('allows secure pages, pages of this machine, and plain pages of a plain server', () => {
    expect(mayOpen('https://sso.example/login', 'https://headscale.example')).toBe('https://sso.example/login')
    expect(mayOpen('http://127.0.0.1:8080/register/x', 'https://headscale.example')).toBeDefined()
    expect(mayOpen('http://headscale.lab/register/x', 'http://headscale.lab')).toBeDefined()
  })
})
