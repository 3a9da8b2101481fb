/**
 * A real Headscale that is hard to reach: with TLS of a private authority, behind a proxy that wants a password, on IPv6
 * alone, from a computer whose clock is hours or decades wrong. Relays are Headscale's own, over the same TLS.
 */
import { spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Child } from '../support/child.ts'
import { ConnectProxy } from '../support/connect-proxy.ts'
import { freeTcpPort } from '../support/ports.ts'
import { waitFor } from '../support/wait.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const tlsFile = (name: string): string => fileURLToPath(new URL(`../vectors/tls/${name}`, import.meta.url))
const tls = { certFile: tlsFile('server.crt'), keyFile: tlsFile('server.key') }
const withTls = { TS_DEBUG_USE_DERP_HTTP: 'false' }
const trusting = { ...withTls, SSL_CERT_FILE: tlsFile('home-ca.crt') }

/** Our own command's `up`; its exit code, and all that a person can read of it. */
async function up(lab: Lab, node: LabNode, ...words: string[]): Promise<{ code: number | null; told: string }> {
  const key = await lab.headscale.authKey({ reusable: true })
  const { code, stdout, stderr } = await node.bowline('up', `--login-server=${lab.headscale.url}`, `--auth-key=${key}`, `--hostname=${node.name}`, '--timeout=25s', ...words)
  return { code, told: stdout + stderr }
}

interface Problem {
  Code: string
  Text: string
  Action: { Kind: string }
}

async function session(node: LabNode): Promise<{ Kind: string; Problem?: Problem }> {
  return JSON.parse((await node.api.call('GET', 'bowline/session')).text) as { Kind: string; Problem?: Problem }
}

/** What stands in the way, by the engine's own account. */
async function problem(node: LabNode, code: string): Promise<Problem> {
  return await waitFor(`${node.name} to tell ${code}`, async () => {
    const page = await session(node)
    if (page.Problem?.Code !== code) throw new Error(JSON.stringify(page.Problem))
    return page.Problem
  }, { withinMs: 30_000 })
}

async function relayed(node: LabNode): Promise<void> {
  await waitFor(`${node.name} to have a relay`, async () => (await node.api.status()).Self.Relay === 'headscale', { withinMs: 30_000 })
  await waitFor(`${node.name} to be at its relay`, () => /region 999 connected/.test(node.log), { withinMs: 30_000 })
}

function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => resolve(true))
    socket.on('error', () => resolve(false))
    socket.on('connect', () => socket.destroy())
  })
}

/** Everything that the engine has written to disk or to its log. */
function written(node: LabNode): string {
  const files = readdirSync(node.folder, { recursive: true, encoding: 'utf8' }).map((name) => join(node.folder, name)).filter((path) => statSync(path).isFile())
  return node.log + files.map((path) => readFileSync(path, 'latin1')).join('\n')
}

labSuite('a server with a certificate of a private authority', { relays: 'embedded', at: { listen: '127.0.0.1', name: 'localhost', tls } }, async () => {}, (lab) => {
  test('is refused with its issuer and the next step, trusted once a person says so, relays and all, and after a restart', async () => {
    const node = await lab().add('bowline', 'lab-ca', { env: withTls })
    const key = await lab().headscale.authKey()
    const first = node.bowline('up', `--login-server=${lab().headscale.url}`, `--auth-key=${key}`, '--timeout=6s')
    const found = await problem(node, 'cert-unknown-issuer')
    expect(found.Text).toMatch(/^The certificate of localhost was issued by "Home Lab Root", an authority that this computer does not know\. If it is your server's own, add it: bowline trust add FILE\.$/)
    expect(found.Action.Kind).toBe('trust-certificate')
    expect((await first).code).not.toBe(0)
    const added = await node.bowline('trust', 'add', tlsFile('home-ca.crt'))
    expect(added).toMatchObject({ code: 0, stdout: expect.stringContaining('Home Lab Root') as unknown })
    await node.waitState('Running', 30_000)
    await relayed(node)
    await node.stop()
    await node.start()
    await node.waitState('Running', 20_000)
    await waitFor('the server to be there', async () => (await session(node)).Kind === 'running', { withinMs: 20_000 })
    const listed = JSON.parse((await node.bowline('trust', 'list', '--json')).stdout) as { Server: string; Certificates: { Fingerprint: string }[] }
    expect(listed).toMatchObject({ Server: lab().headscale.url, Certificates: [{ Subject: 'Home Lab Root' }] })
    expect((await node.bowline('trust', 'remove', listed.Certificates[0]!.Fingerprint)).code).toBe(0)
    await problem(node, 'cert-unknown-issuer')
  })

  test('can be trusted before the first sign-in', async () => {
    const node = await lab().add('bowline', 'before', { env: withTls })
    expect((await node.bowline('trust', 'add', tlsFile('server.crt'), '--login-server', lab().headscale.url)).code).toBe(0)
    expect(await up(lab(), node)).toMatchObject({ code: 0 })
    await relayed(node)
  })

  test('can be taken by the fingerprint that its owner tells, from what the server shows', async () => {
    const node = await lab().add('bowline', 'by-print', { env: withTls })
    const first = up(lab(), node)
    await problem(node, 'cert-unknown-issuer')
    const { fingerprint256 } = new X509Certificate(readFileSync(tls.certFile))
    expect((await node.bowline('trust', 'list')).stdout).toContain(fingerprint256)
    expect(await node.bowline('trust', 'add', '--fingerprint', '0'.repeat(64))).toMatchObject({ code: 1, stderr: expect.stringContaining('shows no certificate with this fingerprint') as unknown })
    expect((await node.bowline('trust', 'add', '--fingerprint', `sha256:${fingerprint256.toLowerCase()}`)).code).toBe(0)
    expect(await first).toMatchObject({ code: 0 })
  })

  test("is trusted by the system's store, and two such devices reach each other", async () => {
    const [one, two] = [await lab().add('bowline', 'store-one', { env: trusting }), await lab().add('bowline', 'store-two', { env: trusting })]
    expect(await up(lab(), one)).toMatchObject({ code: 0 })
    expect(await up(lab(), two)).toMatchObject({ code: 0 })
    await one.waitUsable(two)
    await Promise.all([relayed(one), relayed(two)])
  })

  const node20 = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => existsSync(path) && spawnSync(path, ['--version'], { encoding: 'utf8' }).stdout.startsWith('v20.'))
  test.skipIf(node20 === undefined)(`is trusted by the system's store under Node 20${node20 === undefined ? ' (there is none)' : ''}`, async () => {
    const node = await lab().add('bowline', 'node-20', { env: trusting, nodeProgram: node20! })
    expect(await up(lab(), node)).toMatchObject({ code: 0 })
    await relayed(node)
  })

  test('at an address that begins with http:// is told so', async () => {
    const node = await lab().add('bowline', 'no-tls', { env: trusting })
    void node.bowline('up', `--login-server=${lab().headscale.url.replace('https:', 'http:')}`, '--auth-key=hskey-auth-none', '--timeout=4s')
    expect((await problem(node, 'control-needs-tls')).Text).toMatch(/https:\/\//)
  })
})

labSuite('a server on IPv6 alone', { relays: 'embedded', at: { listen: '[::1]', tls } }, async () => {}, (lab) => {
  test('is joined by its address', async () => {
    const node = await lab().add('bowline', 'six', { env: trusting })
    expect(await up(lab(), node)).toMatchObject({ code: 0 })
    await relayed(node)
  })
})

labSuite('a server behind a proxy that wants a password', { relays: 'embedded', at: { listen: '127.0.0.1', name: 'hs.lab.internal', tls } }, async () => {}, (lab) => {
  const secret = 'p%C3%A4ss%2Fword%40x'
  let proxy: ConnectProxy
  beforeAll(async () => {
    proxy = await new ConnectProxy({ credentials: 'ada:päss/word@x', resolve: (host) => (host === 'hs.lab.internal' ? '127.0.0.1' : undefined) }).start()
  })
  afterAll(() => proxy.stop())
  const by = (credentials: string): Record<string, string> => ({ ...trusting, HTTPS_PROXY: `http://${credentials}127.0.0.1:${proxy.port}` })

  test('is joined through it, by a name that this computer cannot look up, relay and all; the password is written nowhere', async () => {
    const node = await lab().add('bowline', 'by-proxy', { env: by(`ada:${secret}@`) })
    expect(await up(lab(), node)).toMatchObject({ code: 0 })
    await relayed(node)
    expect(new Set(proxy.asked)).toEqual(new Set([`hs.lab.internal:${lab().headscale.port}`]))
    expect(written(node)).not.toMatch(/p%C3%A4ss|päss|cMOkc3|YWRhOn/)
    expect(node.log).toContain(`by the proxy http://127.0.0.1:${proxy.port}`)
  })

  test('is told as the proxy’s doing when there is no password, or a wrong one', async () => {
    const without = await lab().add('bowline', 'no-password', { env: by('') })
    const first = up(lab(), without, '--timeout=4s')
    expect((await problem(without, 'proxy-sign-in')).Text).toMatch(/The proxy http:\/\/127\.0\.0\.1:\d+ wants a user and a password/)
    expect((await first).code).not.toBe(0)
    const wrong = await lab().add('bowline', 'wrong-password', { env: by('ada:nope@') })
    const second = up(lab(), wrong, '--timeout=4s')
    expect((await problem(wrong, 'proxy-sign-in')).Text).toMatch(/does not accept this user and password/)
    expect((await second).code).not.toBe(0)
  })
})

const tinyproxy = ['/usr/bin/tinyproxy', '/usr/sbin/tinyproxy'].find((path) => existsSync(path))
const ownAddress = Object.values(networkInterfaces()).flatMap((all) => all ?? []).find(({ family, internal }) => family === 'IPv4' && !internal)?.address
const lacking = tinyproxy === undefined ? 'tinyproxy is not installed' : ownAddress === undefined ? 'this machine has no address but loopback' : undefined

describe.skipIf(lacking !== undefined)(`a real proxy${lacking === undefined ? '' : ` (${lacking})`}`, () => {
  labSuite('tinyproxy with a password', { relays: 'embedded', at: { listen: ownAddress ?? '127.0.0.1' } }, async () => {}, (lab) => {
    test('lets the engine through to a server without TLS, by CONNECT', async () => {
      const port = await freeTcpPort()
      const config = join(lab().folder, 'tinyproxy.conf')
      writeFileSync(config, `Port ${port}\nListen 127.0.0.1\nTimeout 600\nBasicAuth ada secretword\nConnectPort ${lab().headscale.port}\nLogLevel Connect\n`)
      const proxy = new Child({ name: 'tinyproxy', command: tinyproxy!, args: ['-d', '-c', config] })
      try {
        await waitFor('tinyproxy to listen', () => listens(port), { withinMs: 10_000 })
        const node = await lab().add('bowline', 'tiny', { env: { HTTP_PROXY: `http://ada:secretword@127.0.0.1:${port}` } })
        expect(await up(lab(), node)).toMatchObject({ code: 0 })
        await relayed(node)
        expect(proxy.log).toMatch(/CONNECT/)
        expect(written(node)).not.toContain('secretword')
      } finally {
        await proxy.stop()
      }
    })
  })
})

const faketime = existsSync('/usr/bin/faketime')
describe.skipIf(!faketime)(`a clock that is wrong${faketime ? '' : ' (faketime is not installed)'}`, () => {
  labSuite('and a server with TLS', { relays: 'embedded', at: { listen: '127.0.0.1', name: 'localhost', tls } }, async () => {}, (lab) => {
    const at = (time: string): string[] => ['/usr/bin/faketime', '-f', time]
    const inThe1970s = '@1970-01-02 00:00:00'

    test.each([['-3h', '3 hours behind', 'behind'], ['+10y', '10 years ahead', 'ahead']])('by %s is told in words, and the engine works', async (time, words, name) => {
      const node = await lab().add('bowline', `clock-${name}`, { env: trusting, prefix: at(time) })
      expect(await up(lab(), node)).toMatchObject({ code: 0 })
      await relayed(node)
      await waitFor('the warning', async () => ((await node.api.status()).Health ?? []).some((text) => text.startsWith(`This computer's clock is ${words}.`)), { withinMs: 20_000 })
    })

    test('by decades, before any certificate was made, is told as what is wrong', async () => {
      const node = await lab().add('bowline', 'clock-1970', { env: trusting, prefix: at(inThe1970s) })
      const first = up(lab(), node, '--timeout=5s')
      const found = await problem(node, 'clock-wrong')
      expect(found.Text).toMatch(/^This computer's clock is 57 years behind \(it says 1970-01-0\d \d\d:\d\d UTC\), so the certificate of localhost is not accepted\. Set the clock\.$/)
      expect(found.Action.Kind).toBe('fix-clock')
      expect((await first).code).not.toBe(0)
    })

    test('by decades at the next start keeps nobody out who was in', async () => {
      const preload = /^LD_PRELOAD=(.*)$/m.exec(spawnSync('/usr/bin/faketime', ['-f', '+0', 'env'], { encoding: 'utf8' }).stdout)?.[1] ?? ''
      const [one, two] = [await lab().add('bowline', 'stays-one', { env: trusting }), await lab().add('bowline', 'stays-two', { env: trusting })]
      expect(await up(lab(), one)).toMatchObject({ code: 0 })
      expect(await up(lab(), two)).toMatchObject({ code: 0 })
      await one.waitUsable(two)
      await one.stop()
      await one.start({ LD_PRELOAD: preload, FAKETIME: inThe1970s })
      await waitFor('the server to be there', async () => (await session(one)).Kind === 'running', { withinMs: 30_000 })
      await one.waitUsable(two)
      await waitFor('the warning', async () => ((await one.api.status()).Health ?? []).some((text) => text.startsWith("This computer's clock is 57 years behind.")), { withinMs: 20_000 })
    })
  })
})
