/**
 * Bad input gets a clear error or a silent counted drop, and nothing is lost by it.
 */
import { createSocket } from 'node:dgram'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { Child, run, usageOf } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { waitFor } from '../support/wait.ts'
import { GarbageRelay } from './lab/garbage-relay.ts'
import { labSuite } from './lab/suite.ts'
import { echoOnce, echoService, type Service } from './lab/services.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'

/** All that a person can see of why `up` failed: the command's output and the engine's health. */
async function upFails(node: LabNode, ...words: string[]): Promise<string> {
  const { code, stdout, stderr } = await node.bowline('up', '--timeout=8s', ...words)
  const status = await node.api.status()
  expect(code, 'the status of up').not.toBe(0)
  expect(status.BackendState).not.toBe('Running')
  expect(stderr).not.toMatch(/^\s+at /m)
  return [stdout, stderr, ...(status.Health ?? [])].join('\n')
}

let lab: () => Lab
labSuite(
  'a login that cannot succeed',
  {},
  async () => undefined,
  (given) => {
    lab = given

    test('an unreachable server is named, and nothing crashes', async () => {
      const node = await lab().add('bowline', 'unreachable')
      const port = await freeTcpPort()
      const told = await upFails(node, `--login-server=http://127.0.0.1:${port}`, '--auth-key=hskey-auth-none')
      expect(told).toMatch(new RegExp(`127\\.0\\.0\\.1:${port}|refused|unreachable`))
    })

    test('a web server that is no control server is told apart', async () => {
      const web = createHttpServer((_, response) => response.end('<html>hello</html>'))
      await new Promise<void>((resolve) => web.listen(0, '127.0.0.1', resolve))
      try {
        const node = await lab().add('bowline', 'wrong-server')
        const told = await upFails(node, `--login-server=http://127.0.0.1:${(web.address() as AddressInfo).port}`, '--auth-key=hskey-auth-none')
        expect(told).toMatch(/not a|no control server|server key|unexpected|invalid/i)
      } finally {
        web.close()
        web.closeAllConnections()
      }
    })

    test('a used auth key is refused with the reason, and the key is not repeated', async () => {
      const key = await lab().headscale.authKey()
      await (await lab().add('bowline', 'first-user')).up(key)
      const second = await lab().add('bowline', 'second-user')
      const told = await upFails(second, `--login-server=${lab().headscale.url}`, `--auth-key=${key}`)
      expect(told).toMatch(/auth ?key|already|used|invalid/i)
      expect(told + second.log).not.toContain(key)
    })

    test('an expired auth key is refused with the reason, and a good one then works', async () => {
      const key = await lab().headscale.authKey({ expiration: '1s' })
      const node = await lab().add('bowline', 'late')
      await waitFor('the key to expire', async () => {
        const keys = JSON.parse(await lab().headscale.cli('-o', 'json', 'preauthkeys', 'list')) as { id: number; expiration: { seconds: number } }[]
        // The newest key is ours; its seconds are rounded down.
        const newest = keys.toSorted((a, b) => a.id - b.id).at(-1)
        return newest !== undefined && Date.now() / 1000 > newest.expiration.seconds + 1.5
      }, { withinMs: 20_000 })
      const told = await upFails(node, `--login-server=${lab().headscale.url}`, `--auth-key=${key}`)
      expect(told).toMatch(/auth ?key|expired|invalid/i)
      await node.up(await lab().headscale.authKey(), '--reset')
    })

    test('a key of nobody is refused', async () => {
      const node = await lab().add('bowline', 'stranger')
      expect(await upFails(node, `--login-server=${lab().headscale.url}`, '--auth-key=rubbish')).toMatch(/auth ?key|invalid|not found/i)
    })
  },
)

let ours: LabNode
let real: LabNode
let echo: Service

labSuite(
  'a running engine',
  {},
  async (started) => {
    echo = await echoService()
    ;[ours, real] = await Promise.all([started.join('bowline', 'ours'), started.join('tailscaled', 'real')])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
  },
  (running) => {
    /** Traffic and pings still work. */
    const stillWell = async (): Promise<void> => {
      ours.child.assertRunning()
      await waitFor('an echo', async () => {
        await echoOnce(ours.via(), 'real', echo.port, 3000)
        return true
      }, { withinMs: 20_000 })
      await ours.waitUsable(real)
    }

    test('UDP rubbish of every size changes nothing', async () => {
      const socket = createSocket('udp4')
      const heads = [Buffer.alloc(0), Buffer.from('TS💬'), Buffer.of(1, 0, 0, 0), Buffer.of(2, 0, 0, 0), Buffer.of(3, 0, 0, 0), Buffer.of(4, 0, 0, 0), Buffer.from('010100002112a442', 'hex')]
      const noise = randomBytes(65_507)
      const send = (bytes: Uint8Array): Promise<void> => new Promise((resolve) => socket.send(bytes, ours.udpPort, '127.0.0.1', () => resolve()))
      const before = usageOf(ours.pid)
      for (let size = 0; size <= 65_507; size += size < 3000 ? 1 : 37) {
        const head = heads[size % heads.length] ?? Buffer.alloc(0)
        const bytes = Buffer.from(noise.subarray(0, size))
        head.copy(bytes)
        await send(bytes)
      }
      await send(noise)
      await new Promise<void>((resolve) => socket.close(() => resolve()))
      await stillWell()
      expect(usageOf(ours.pid).rssMb).toBeLessThan(before.rssMb + 64)
    })

    test('a socket that is already served is left alone, and the second engine says so', async () => {
      const { command, args } = ours.command
      const other = await run(command, args.map((word) => word.replace(/^--(socks5-server|outbound-http-proxy-listen)=.*/, '--$1=127.0.0.1:0').replace(/^--statedir=.*/, `--statedir=${ours.folder}-2`)), { env: ours.env, timeoutMs: 15_000 })
      expect(other.code).not.toBe(0)
      expect(other.code).not.toBeNull()
      expect(other.stdout + other.stderr).toMatch(/already|in use|another/i)
      await stillWell()
    })

    test('a state folder that another engine uses is refused or shared harmlessly', async () => {
      const { command, args } = ours.command
      const socket = `${ours.api.socketPath}-2`
      const second = new Child({ name: 'second', command, args: args.map((word) => word.replace(/^--socket=.*/, `--socket=${socket}`).replace(/^--(socks5-server|outbound-http-proxy-listen)=.*/, '--$1=127.0.0.1:0')), env: ours.env })
      await waitFor('the second engine to end or to serve', () => second.exit !== undefined || existsSync(socket), { withinMs: 15_000 })
      await second.stop()
      await stillWell()
      await ours.stop()
      await ours.start()
      await ours.waitState('Running', 10_000)
      await stillWell()
    })

    test('a proxy port that is taken is a clear error', async () => {
      const taken = createServer()
      await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
      const { port } = taken.address() as AddressInfo
      const { command, args } = ours.command
      const words = args.map((word) => word
        .replace(/^--(statedir|socket)=(.*)/, '--$1=$2-3')
        .replace(/^--socks5-server=.*/, `--socks5-server=127.0.0.1:${port}`)
        .replace(/^--outbound-http-proxy-listen=.*/, '--outbound-http-proxy-listen=127.0.0.1:0'))
      try {
        const result = await run(command, words, { env: ours.env, timeoutMs: 15_000 })
        expect(result.code).not.toBe(0)
        expect(result.code).not.toBeNull()
        expect(result.stderr).toMatch(new RegExp(`${port}`))
        expect(result.stderr).toMatch(/in use|taken|cannot listen/i)
      } finally {
        taken.close()
      }
    })

    test('a UDP port that is taken is replaced by another', async () => {
      const blocker = createSocket('udp4')
      await ours.stop()
      await new Promise<void>((resolve) => blocker.bind(ours.udpPort, '0.0.0.0', resolve))
      try {
        await ours.start()
        await ours.waitState('Running', 10_000)
        await stillWell()
        expect((await ours.waitDirect(real)).Endpoint).not.toBe('')
      } finally {
        await ours.stop()
        await new Promise<void>((resolve) => blocker.close(() => resolve()))
        await ours.start()
      }
      await stillWell()
    })

    test('another user may look and may not change', async () => {
      const asNobody = ['/usr/bin/setpriv', '--reuid=65534', '--regid=65534', '--clear-groups', '--']
      const call = (method: string, path: string, body?: string): Promise<{ stdout: string }> =>
        run('curl', ['-sS', '--max-time', '10', '-o', '/dev/null', '-w', '%{http_code}', '-X', method, '--unix-socket', ours.api.socketPath, ...(body === undefined ? [] : ['-d', body]), `http://local-tailscaled.sock/localapi/v0/${path}`], { prefix: asNobody })
      expect((await call('GET', 'status')).stdout).toBe('200')
      for (const [method, path, body] of [['PATCH', 'prefs', '{"WantRunning":false,"WantRunningSet":true}'], ['POST', 'logout'], ['POST', 'login-interactive'], ['POST', 'start', '{}'], ['GET', 'profiles/']] as const) {
        expect((await call(method, path, body)).stdout, `${method} ${path}`).toBe('403')
      }
      expect((await ours.api.status()).BackendState).toBe('Running')
      expect(await ours.api.prefs()).toMatchObject({ WantRunning: true })
    })

    test('a web page cannot use the socket', async () => {
      for (const headers of [{ Origin: 'http://evil.example' }, { Referer: 'http://evil.example/' }, { Host: 'evil.example' }]) {
        expect((await ours.api.call('GET', 'status', undefined, headers as Record<string, string>)).status, JSON.stringify(headers)).toBe(403)
      }
    })

    test('rubbish bodies on the socket get an error and change nothing', async () => {
      for (const body of ['', '{', '[]', 'null', '"x"', `{"WantRunningSet":true,"WantRunning":"${'x'.repeat(100_000)}"}`, randomBytes(1000).toString('latin1')]) {
        const { status } = await ours.api.call('PATCH', 'prefs', body)
        expect([200, 400], `${body.slice(0, 20)} → ${status}`).toContain(status)
      }
      expect((await ours.api.call('POST', 'ping?ip=rubbish&type=disco')).status).toBe(400)
      expect((await ours.api.call('GET', 'whois?addr=rubbish')).status).toBe(400)
      expect((await ours.api.call('GET', 'no-such-thing')).status).toBe(404)
      expect(await ours.api.prefs()).toMatchObject({ WantRunning: true })
      await stillWell()
    })

    test('state files of rubbish are kept aside and told, and the engine starts', async () => {
      await ours.stop()
      const files = readdirSync(ours.folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(ours.folder, name)).isFile())
      expect(files.length).toBeGreaterThan(0)
      const rubbish = randomBytes(5000)
      for (const name of files) writeFileSync(join(ours.folder, name), rubbish)
      await ours.start()
      await ours.waitState('NeedsLogin', 10_000)
      const status = await ours.api.status()
      expect((status.Health ?? []).join('\n')).toMatch(/state/i)
      const kept = readdirSync(ours.folder, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(ours.folder, name)).isFile())
      expect(kept.some((name) => statSync(join(ours.folder, name)).size === rubbish.length)).toBe(true)
      await ours.up(await running().headscale.authKey(), '--force-reauth')
      await stillWell()
    })
  },
)

// Only what our engine is sent counts; a stand-in (BOWLINE_LAB_ENGINE) does not give its name.
const relay = new GarbageRelay((head) => ours.kind === 'tailscaled' || head.includes('User-Agent: bowline'))
afterAll(() => relay.stop())

labSuite(
  'a relay that sends garbage',
  { relays: 'derper' },
  async (started) => {
    echo = await echoService()
    ;[ours, real] = await Promise.all([started.join('bowline', 'ours'), started.join('tailscaled', 'real')])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
  },
  (running) => {
    test('is survived in bounded memory, and a good relay is used again', async () => {
      const home = (await ours.api.status()).Self.Relay
      const derper = running().derpers.find(({ code }) => code === home)
      if (derper === undefined) throw new Error(`no relay ${home}`)
      await ours.waitDirect(real)
      const before = usageOf(ours.pid)
      await derper.stop('kill')
      await relay.start(derper.host, derper.port)
      try {
        await waitFor('every kind of garbage', () => relay.served >= relay.kinds.length, { withinMs: 100_000, everyMs: 250 })
        await echoOnce(ours.via(), 'real', echo.port, 10_000)
        expect(usageOf(ours.pid).peakRssMb).toBeLessThan(before.peakRssMb + 96)
      } finally {
        await relay.stop()
      }
      await derper.resume()
      ours.child.assertRunning()
      await waitFor('the node to be usable', async () => {
        await echoOnce(ours.via(), 'real', echo.port, 3000)
        await echoOnce(real.via(), 'ours', echo.port, 3000)
        return true
      }, { withinMs: 60_000 })
      await ours.waitUsable(real)
    })
  },
)
