/**
 * Looking at a server before joining, and joining by a link: a real Headscale, and every fault really made (closed port, wrong name,
 * certificates that nobody vouches for, wrong clock, proxies, a network's sign-in page).
 */
import { createHash, X509Certificate } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { createServer as createHttp, type Server } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { createServer as createTls, type TlsOptions } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { afterAll, describe, expect, test } from 'vitest'
import type { PreflightPage, PreflightStep } from '../../main/localapi/preflight.ts'
import { ConnectProxy } from '../support/connect-proxy.ts'
import { freeTcpPort } from '../support/ports.ts'
import { tlsPair } from '../support/tls-files.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const tlsFile = (name: string): string => fileURLToPath(new URL(`../vectors/tls/${name}`, import.meta.url))
const tls = { certFile: tlsFile('server.crt'), keyFile: tlsFile('server.key') }
const trusting = { SSL_CERT_FILE: tlsFile('home-ca.crt'), TS_DEBUG_USE_DERP_HTTP: 'false' }
const servers: Server[] = []
const sockets = new Set<Socket>()

/** What our command says of a server: its page, each step by name, and its exit code. */
async function look(node: LabNode, target: string): Promise<{ page: PreflightPage; code: number | null; saw: Record<string, string>; step: (name: string) => PreflightStep }> {
  const { code, stdout, stderr } = await node.bowline('preflight', target, '--json')
  const page = JSON.parse(stdout || stderr) as PreflightPage
  return { page, code, saw: Object.fromEntries((page.Steps ?? []).map(({ Step, Code }) => [Step, Code])), step: (name) => page.Steps.find(({ Step }) => Step === name)! }
}

async function serve(server: Server): Promise<number> {
  servers.push(server)
  server.on('connection', (socket) => void sockets.add(socket))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

/** A TLS server with that certificate, and nothing behind it. */
const shows = (options: TlsOptions): Promise<number> => serve(createTls(options, (socket) => void socket.on('error', () => {}).end('HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n')) as unknown as Server)

afterAll(async () => {
  for (const socket of sockets) socket.destroy()
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
})

labSuite('a plain server on this computer, with its own relay', { relays: 'embedded', at: { listen: '127.0.0.77', stunPort: 3478 } }, async () => {}, (lab) => {
  let node: LabNode
  test('is found good in every step, by its address and by the address of any of its pages', async () => {
    node = await lab().add('bowline', 'plain')
    const { page, code, saw, step } = await look(node, lab().headscale.url)
    expect(page).toMatchObject({ State: 'done', Server: lab().headscale.url })
    expect(saw).toMatchObject({
      name: 'name-address', connection: 'connection-open', certificate: 'certificate-none', server: 'server-headscale', clock: 'clock-agrees', proxy: 'proxy-none', 'sign-in-page': 'page-none', udp: 'udp-open',
      'key-store': 'keys-file', rights: 'rights-none',
    })
    expect(step('server')).toMatchObject({ State: 'good', Text: expect.stringMatching(/^Headscale 0\.29\.\d+, speaks our version$/) as unknown })
    expect(step('udp').Text).toMatch(/seen outside as 127\.0\.0\.\d+:\d+/)
    expect(code).toBe(0)
    for (const path of ['/register/hskey-authreq-abcdef', '/windows', '/apple']) expect((await look(node, `${lab().headscale.url}${path}`)).page.Server).toBe(lab().headscale.url)
    const { stdout } = await node.bowline('preflight', lab().headscale.url)
    expect(stdout).toMatch(/✓ Server +Headscale 0\.29/)
    expect(stdout).toMatch(/can be joined from here/)
  })

  test('is told from a closed port, a name that is none, and a server that is something else', async () => {
    const closed = await look(node, `127.0.0.1:${await freeTcpPort()}`)
    expect(closed.step('connection')).toMatchObject({ State: 'bad', Needed: true, Code: 'connection-refused', Fix: { Kind: 'check-address' } })
    expect(closed.saw).toMatchObject({ certificate: 'not-asked', server: 'not-asked', 'sign-in-page': 'page-unknown' })
    expect(closed.code).toBe(1)
    const nowhere = await look(node, 'no-such-host.invalid')
    expect(['dns-no-such-name', 'dns-failed']).toContain(nowhere.step('name').Code)
    const web = await serve(createHttp((_request, response) => void response.setHeader('content-type', 'text/html').end('<title>Router</title>')))
    expect((await look(node, `127.0.0.1:${web}`)).step('server')).toMatchObject({ State: 'bad', Code: 'control-wrong-server', Text: expect.stringContaining('"Router"') as unknown })
    const portal = await serve(createHttp((_request, response) => void response.writeHead(302, { location: 'http://wifi.example/login' }).end()))
    const held = await look(node, `127.0.0.1:${portal}`)
    expect(held.step('sign-in-page')).toMatchObject({ State: 'bad', Needed: true, Code: 'captive-portal', Fix: { Kind: 'open-page' } })
    for (const text of ['', 'javascript:alert(1)', 'ftp://hs.example', 'https://user:pw@hs.example']) expect((await node.bowline('preflight', '--json', '--', text)).stdout).toContain('no-address')
  })

  test('is joined by a link, as by signing in, and the key of the link is known from then on', async () => {
    const keyFile = join(lab().folder, 'join.key')
    const makeLink = async (...words: string[]): Promise<{ Link: string; Fingerprint: string }> => {
      const { code, stdout, stderr } = await node.bowline('join', 'make', '--json', `--server=${lab().headscale.url}`, '--org=Fjord Labs', '--contact=it@fjord.example', `--key-file=${keyFile}`, ...words)
      expect(stderr + String(code)).toBe('0')
      return JSON.parse(stdout) as { Link: string; Fingerprint: string }
    }
    const made = await makeLink('--routes', '--names=false', '--exit-node=none')
    expect(statSync(keyFile).mode & 0o777).toBe(0o600)
    const first = await look(node, made.Link)
    expect(first.page.Link).toMatchObject({ Org: 'Fjord Labs', Contact: 'it@fjord.example', Settings: { routes: true, names: false, exitNode: 'none' }, SignedBy: { Fingerprint: made.Fingerprint, Known: 'new' } })
    // Nobody is there to be asked.
    const unasked = await node.bowline('join', made.Link)
    expect(unasked).toMatchObject({ code: 2, stderr: expect.stringMatching(/Fjord Labs[\s\S]*for the first time[\s\S]*networks behind devices on, names off, exit node none[\s\S]*--yes/) as unknown })
    expect((await node.api.status()).BackendState).toBe('NeedsLogin')
    const joined = await node.bowline('join', made.Link, '--yes', `--auth-key=${await lab().headscale.authKey()}`, '--timeout=30s')
    expect(joined.stderr + joined.stdout).toContain('Connected')
    expect(JSON.parse((await node.api.call('GET', 'prefs')).text)).toMatchObject({ ControlURL: lab().headscale.url, RouteAll: true, CorpDNS: false })
    expect((await look(node, made.Link)).page.Link?.SignedBy).toMatchObject({ Known: 'known' })
    const stranger = await node.bowline('join', 'make', '--json', `--server=${lab().headscale.url}`, '--org=Fjord Labs', `--key-file=${keyFile}.other`)
    expect((await look(node, (JSON.parse(stranger.stdout) as { Link: string }).Link)).page.Link?.SignedBy.Known).toBe('other-key')
    // Who is signed in is not moved elsewhere by a link.
    const body = { Run: (await look(node, made.Link)).page.Run }
    expect((await node.api.call('POST', 'bowline/join', body)).text).toMatch(/is signed in/)
    const damaged = `${made.Link.slice(0, -4)}AAAA`
    expect((await node.bowline('preflight', '--json', damaged)).stdout).toMatch(/link-bad-(signature|form)/)
    expect(node.log).not.toContain(readFileSync(keyFile, 'utf8').split('\n')[1])
  })
})

labSuite('a server with a certificate of a private authority', { relays: 'embedded', at: { listen: '127.0.0.1', name: 'localhost', tls } }, async () => {}, (lab) => {
  const pinOf = (name: string): string => createHash('sha256').update(new X509Certificate(readFileSync(tlsFile(name))).publicKey.export({ type: 'spki', format: 'der' })).digest('hex')
  const linkFor = async (lab: Lab, node: LabNode, certificate: string): Promise<string> => {
    const { stdout } = await node.bowline('join', 'make', `--server=${lab.headscale.url}`, '--org=Home', `--key-file=${join(lab.folder, 'home.key')}`, `--certificate=${tlsFile(certificate)}`)
    return stdout.trim()
  }

  test('is refused by who issued it, with what it shows; trusted by a link that names it, for this server alone', async () => {
    const node = await lab().add('bowline', 'private', { env: { TS_DEBUG_USE_DERP_HTTP: 'false' } })
    const { step, saw, page } = await look(node, lab().headscale.url)
    expect(step('certificate')).toMatchObject({ State: 'bad', Needed: true, Code: 'cert-unknown-issuer', Fix: { Kind: 'trust-certificate' }, Text: expect.stringContaining('Home Lab Root') as unknown })
    expect(saw['server']).toBe('not-asked')
    expect(page.Shown?.[0]?.Fingerprint).toBe(new X509Certificate(readFileSync(tls.certFile)).fingerprint256)
    const good = await linkFor(lab(), node, 'server.crt')
    expect(pinOf('server.crt')).not.toBe(pinOf('home-ca.crt'))
    expect((await look(node, good)).saw).toMatchObject({ certificate: 'certificate-pinned', server: 'server-headscale' })
    // A look changes nothing.
    expect((await look(node, lab().headscale.url)).saw['certificate']).toBe('cert-unknown-issuer')
    const joined = await node.bowline('join', good, '--yes', `--auth-key=${await lab().headscale.authKey()}`, '--timeout=30s')
    expect(joined.stderr + joined.stdout).toContain('Connected')
    expect((await look(node, lab().headscale.url)).saw['certificate']).toBe('certificate-added')
  })

  test('is not what a link names when that names another one, though this computer trusts it', async () => {
    const node = await lab().add('bowline', 'not-pinned', { env: trusting })
    expect((await look(node, lab().headscale.url)).step('certificate')).toMatchObject({ State: 'good', Code: 'certificate-good', Args: { issuer: 'Home Lab Root' } })
    const other = await linkFor(lab(), node, 'localhost.crt')
    const { step, page } = await look(node, other)
    expect(step('certificate')).toMatchObject({ State: 'bad', Needed: true, Code: 'certificate-not-pinned' })
    expect((await node.api.call('POST', 'bowline/join', { Run: page.Run })).text).toMatch(/does not show the certificate/)
    expect((await node.bowline('join', other, '--yes')).code).toBe(1)
    // The authority's own key is named, and stands at the end of what is verified.
    expect((await look(node, await linkFor(lab(), node, 'home-ca.crt'))).saw['certificate']).toBe('certificate-pinned')
  })

  test('is told from certificates that are wrong in other ways, and from TLS where there is none', async () => {
    const node = await lab().add('bowline', 'others', { env: trusting })
    for (const [name, code] of [['other-name', 'cert-wrong-name'], ['expired', 'cert-expired'], ['intercepted', 'cert-intercepted'], ['localhost', 'cert-self-signed']] as const) {
      const found = await look(node, `https://localhost:${await shows(tlsPair(name))}`)
      expect([name, found.step('certificate').Code, found.step('certificate').State]).toEqual([name, code, 'bad'])
    }
    const plain = await serve(createHttp((_request, response) => void response.end()))
    expect((await look(node, `https://localhost:${plain}`)).step('certificate')).toMatchObject({ Code: 'control-no-tls', Fix: { Kind: 'use-http' } })
    expect((await look(node, lab().headscale.url.replace('https:', 'http:'))).step('server')).toMatchObject({ Code: 'control-needs-tls', Fix: { Kind: 'use-https' } })
  })

  test('is reached by a proxy, and a proxy that stands in the way is told as such', async () => {
    const proxy = await new ConnectProxy({ resolve: () => '127.0.0.1' }).start()
    const strict = await new ConnectProxy({ credentials: 'ada:secret' }).start()
    try {
      const url = `https://hs.lab.internal:${lab().headscale.port}`
      const by = await lab().add('bowline', 'proxied', { env: { ...trusting, HTTPS_PROXY: `http://127.0.0.1:${proxy.port}` } })
      expect((await look(by, url)).saw).toMatchObject({ name: 'name-by-proxy', connection: 'connection-by-proxy', certificate: 'certificate-good', server: 'server-headscale', proxy: 'proxy-through', udp: 'udp-unknown' })
      const kept = await lab().add('bowline', 'kept-out', { env: { ...trusting, HTTPS_PROXY: `http://ada:wrong@127.0.0.1:${strict.port}` } })
      const { step, page } = await look(kept, url)
      expect(step('proxy')).toMatchObject({ State: 'bad', Needed: true, Code: 'proxy-sign-in', Fix: { Kind: 'fix-proxy' } })
      expect(JSON.stringify(page)).not.toContain('wrong')
    } finally {
      await Promise.all([proxy.stop(), strict.stop()])
    }
  })

  const faketime = existsSync('/usr/bin/faketime')
  describe.skipIf(!faketime)(`with a clock that is wrong${faketime ? '' : ' (faketime is not installed)'}`, () => {
    test('by hours is a warning, by decades it is what is wrong with the certificate', async () => {
      const behind = await lab().add('bowline', 'clock-3h', { env: trusting, prefix: ['/usr/bin/faketime', '-f', '-3h'] })
      const hours = await look(behind, lab().headscale.url)
      expect(hours.step('clock')).toMatchObject({ State: 'bad', Needed: false, Code: 'clock-differs', Args: { skew: '3 hours behind' }, Fix: { Kind: 'fix-clock' } })
      expect(hours.step('server').State).toBe('good')
      const old = await lab().add('bowline', 'clock-1970', { env: trusting, prefix: ['/usr/bin/faketime', '-f', '@1970-01-02 00:00:00'] })
      const decades = await look(old, lab().headscale.url)
      expect(decades.step('certificate')).toMatchObject({ State: 'bad', Code: 'clock-wrong', Fix: { Kind: 'fix-clock' } })
      expect(decades.step('clock')).toMatchObject({ State: 'bad', Code: 'clock-differs' })
    })
  })
})
