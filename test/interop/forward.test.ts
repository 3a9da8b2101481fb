/**
 * Forwards, the PAC file and datagrams through the proxies, with a real tailscaled at the other end.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { createContext, runInContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { Child, run, runOk } from '../support/child.ts'
import { freeTcpPort } from '../support/ports.ts'
import { dialVia, ProxyRefusal } from '../support/proxy-client.ts'
import { SocksUdp } from '../support/socks-udp.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import type { ForwardRow, ForwardsPage, OpenedForward, ProxiesPage } from '../../main/localapi/forwards.ts'
import { ALLOW_ALL } from './lab/headscale.ts'
import type { LabNode } from './lab/node.ts'
import { echoOnce, echoService, webService } from './lab/services.ts'
import { labSuite } from './lab/suite.ts'

const BYTES = 20_000_000
const PATIENCE = { withinMs: 60_000 }
const bowline = fileURLToPath(new URL('../../build/scripts/bowline.mjs', import.meta.url))
const nodeProgram = fileURLToPath(new URL('../../node_modules/.bin/node', import.meta.url))

let ours: LabNode
let real: LabNode

/** Sends datagrams back from 127.0.0.1. */
async function udpEcho(): Promise<{ port: number; close(): void }> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, close: () => void socket.close() }
}

async function udpClient(): Promise<UdpSocket> {
  const socket = createSocket('udp4')
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

/** Asks again and again until this very payload is back: datagrams may get lost. */
async function udpBack(socket: UdpSocket, port: number, payload: Buffer): Promise<void> {
  await waitFor(`${payload.length} bytes to come back`, async () => {
    const answer = new Promise<boolean>((resolve) => {
      const take = (bytes: Buffer): void => resolve(bytes.equals(payload))
      socket.once('message', take)
      setTimeout(() => {
        socket.off('message', take)
        resolve(false)
      }, 1000)
    })
    socket.send(payload, port, '127.0.0.1')
    return await answer
  }, PATIENCE)
}

const forwards = async (): Promise<readonly ForwardRow[]> => (JSON.parse((await ours.bowline('forward', 'list', '--json')).stdout) as ForwardsPage).Forwards
const row = async (id: string): Promise<ForwardRow | undefined> => (await forwards()).find((one) => one.ID === id)

async function add(...words: string[]): Promise<ForwardRow> {
  const { code, stdout, stderr } = await ours.bowline('forward', 'add', ...words, '--json')
  expect(code, stdout + stderr).toBe(0)
  return JSON.parse(stdout) as ForwardRow
}

const portOf = ({ Listen }: { Listen: string }): number => Number(Listen.split(':').at(-1))

labSuite(
  'forwards',
  {},
  async (lab) => {
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours)])
  },
  (lab) => {
    test('a TCP forward carries whole streams both ways to a device by its name', async () => {
      const forward = await add('0', `real:${lab().bytePort}`)
      for (const verb of ['get', 'put'] as const) {
        const result = await lab().transfer(verb, { kind: 'none' }, '127.0.0.1', BYTES, 'hash', portOf(forward))
        expect(result).toMatchObject({ bytes: BYTES, sha256: result.expected })
      }
      expect(await row(forward.ID)).toMatchObject({ State: 'listening', Total: 2 })
    })

    test('a UDP forward carries datagrams of every size for several programs', async () => {
      const echo = await udpEcho()
      const forward = await add('0', `real:${echo.port}`, '--udp')
      const clients = await Promise.all([udpClient(), udpClient(), udpClient()])
      try {
        await Promise.all(clients.map(async (client, i) => {
          // The largest travels in fragments.
          for (const size of [1, 1200, 8000]) await udpBack(client, portOf(forward), Buffer.alloc(size, i + 1))
        }))
        expect(await row(forward.ID)).toMatchObject({ Open: 3, Total: 3 })
      } finally {
        for (const client of clients) client.close()
        echo.close()
      }
    })

    test('datagrams through the SOCKS5 proxy go by name and both kinds of address, in fragments where they are large', async () => {
      const echo = await udpEcho()
      const { v4, v6 } = await real.ips()
      const udp = await SocksUdp.open(ours.socksPort)
      try {
        for (const host of ['real', 'real.lab.internal', v4, v6]) {
          // A stock daemon takes no fragments of IPv6.
          for (const size of host === v6 ? [1, 1200] : [1, 1200, 8000]) {
            const payload = Buffer.alloc(size, host)
            await waitFor(`${size} bytes back from ${host}`, async () => Buffer.from((await udp.ask(host, echo.port, payload, 2000)) ?? []).equals(payload), PATIENCE)
          }
        }
        expect(await udp.ask('nobody.lab.internal', echo.port, Buffer.from('x'), 300)).toBeUndefined()
      } finally {
        udp.close()
        echo.close()
      }
    })

    test('the network\'s own name server answers by the proxy and by a forward', async () => {
      const query = Buffer.from('123401000001000000000000047265616c036c616208696e7465726e616c0000010001', 'hex')
      const { v4 } = await real.ips()
      const isAnswer = (bytes: Uint8Array | undefined): boolean => bytes !== undefined && Buffer.from(bytes).readUInt16BE(0) === 0x1234 && [...bytes.subarray(-4)].join('.') === v4
      const udp = await SocksUdp.open(ours.socksPort)
      const client = await udpClient()
      try {
        await waitFor('an answer by the proxy', async () => isAnswer(await udp.ask('100.100.100.100', 53, query, 2000)), PATIENCE)
        const forward = await add('0', '100.100.100.100:53', '--udp')
        const answered = once(client, 'message')
        client.send(query, portOf(forward), '127.0.0.1')
        expect(isAnswer(((await answered) as [Buffer])[0])).toBe(true)
        const tcp = await dialVia(ours.via(), '100.100.100.100', 53)
        const told = once(tcp, 'data')
        tcp.resume()
        tcp.write(Buffer.concat([Buffer.of(0, query.length), query]))
        const [bytes] = (await told) as [Buffer]
        expect(isAnswer(bytes.subarray(2))).toBe(true)
        tcp.destroy()
      } finally {
        udp.close()
        client.close()
      }
    })

    test('the PAC file sends the network to the proxies and nothing else', async () => {
      const page = JSON.parse((await ours.bowline('proxy', '--json')).stdout) as ProxiesPage
      expect(page).toMatchObject({ Mode: 'apps', Socks5: `127.0.0.1:${ours.socksPort}`, Http: `127.0.0.1:${ours.httpPort}` })
      const text = await runOk('curl', ['-sSf', '--max-time', '30', page.PacUrl!])
      const context = createContext({})
      runInContext(text, context)
      const find = (host: string): string => runInContext(`FindProxyForURL("http://${host}/", "${host}")`, context) as string
      const chain = `PROXY ${page.Http}; SOCKS5 ${page.Socks5}`
      expect([find('real.lab.internal'), find('100.64.0.2'), find('real'), find('example.com')]).toEqual([chain, chain, `${chain}; DIRECT`, 'DIRECT'])
      for (const header of ['Origin: http://evil.example', 'Host: evil.example', 'Sec-Fetch-Site: cross-site']) {
        expect((await run('curl', ['-sS', '-o', '/dev/null', '-w', '%{http_code}', '-H', header, page.PacUrl!], { timeoutMs: 30_000 })).stdout).toBe('403')
      }
    })

    test('a page of a device opens by an address of this computer', async () => {
      const service = await webService('a page behind the tailscaled')
      try {
        const { v4 } = await real.ips()
        const opened = await ours.api.call('POST', 'bowline/open', { To: `${v4}:${service.port}`, Scheme: 'http' })
        expect(opened.status).toBe(200)
        const { URL, ID } = JSON.parse(opened.text) as OpenedForward
        expect(await runOk('curl', ['-sSf', '--max-time', '30', URL!])).toBe('a page behind the tailscaled')
        expect(await row(ID)).toMatchObject({ Temporary: true, Total: 1 })
        const nobody = await ours.api.call('POST', 'bowline/open', { To: `${v4}:${await freeTcpPort()}` })
        expect(nobody.status).toBe(404)
        expect(nobody.text).toContain('nothing listens on that port')
      } finally {
        await service.close()
      }
    })

    test('what the device\'s policy forbids ends at once, and every way says so', async () => {
      const service = await echoService()
      const forward = await add('0', `real:${service.port}`)
      const { v4 } = await real.ips()
      try {
        await echoOnce({ kind: 'none' }, '127.0.0.1', portOf(forward), 30_000)
        await lab().headscale.setPolicy({ acls: [{ action: 'accept', src: ['*'], dst: ['*:1'] }] })
        await waitFor('the refusal', () => dialVia(ours.via('socks5'), v4, service.port).then(
          (socket) => void socket.destroy(),
          (error: unknown) => error instanceof ProxyRefusal && error.reply === 2,
        ), PATIENCE)
        await expect(dialVia(ours.via('http'), v4, service.port)).rejects.toMatchObject({ reply: 403 })
        const said = await run('curl', ['-sS', '-i', '--max-time', '30', '--proxy', `http://127.0.0.1:${ours.httpPort}`, `http://${v4}:${service.port}/`], { timeoutMs: 40_000 })
        expect(said.stdout).toContain("Tailscale-Connect-Error: blocked by the peer's policy")
        await expect(echoOnce({ kind: 'none' }, '127.0.0.1', portOf(forward), 30_000)).rejects.toThrow()
        await waitFor('the reason', async () => (await row(forward.ID))?.LastError?.Text.includes('its policy forbids it'), PATIENCE)
      } finally {
        await lab().headscale.setPolicy(ALLOW_ALL)
        await service.close()
      }
    })

    test('forwards listen again after a restart; one whose port another program has says which, until it is free', async () => {
      const service = await echoService()
      const [kept, lost] = [await add('0', `real:${service.port}`), await add('0', `real:${service.port}`)]
      await ours.stop()
      const squatter = createServer().listen(portOf(lost), '127.0.0.1')
      await once(squatter, 'listening')
      try {
        await ours.start()
        await ours.waitState('Running', 60_000)
        await waitFor('the first to carry', () => echoOnce({ kind: 'none' }, '127.0.0.1', portOf(kept), 5000).then(() => true, () => false), PATIENCE)
        const failed = await waitFor('the second to fail', async () => {
          const found = await row(lost.ID)
          return found?.State === 'failed' && found
        }, PATIENCE)
        expect(failed.Why).toContain(`Port ${portOf(lost)} of this computer is in use by `)
        expect(failed.Why).toContain(`(process ${process.pid})`)
        const refused = await ours.bowline('forward', 'add', String((squatter.address() as AddressInfo).port), 'real:80', '--udp')
        expect(refused.code).toBe(0)
        squatter.close()
        await waitFor('the second to listen', async () => (await row(lost.ID))?.State === 'listening', PATIENCE)
      } finally {
        squatter.close()
        await service.close()
      }
    })

    test('a forward that is removed is gone, and "all" leaves none', async () => {
      const service = await echoService()
      try {
        const forward = await add('0', `real:${service.port}`)
        const open = await dialVia({ kind: 'none' }, '127.0.0.1', portOf(forward))
        open.on('error', () => {})
        open.write('x')
        await once(open, 'data')
        const ended = new Promise<void>((resolve) => open.once('close', () => resolve()))
        const { stdout } = await ours.bowline('forward', 'remove', String(portOf(forward)))
        expect(stdout).toContain(`no longer leads to real:${service.port}`)
        await ended
        await expect(dialVia({ kind: 'none' }, '127.0.0.1', portOf(forward))).rejects.toThrow('ECONNREFUSED')
        expect((await ours.bowline('forward', 'remove', 'all')).code).toBe(0)
        expect(await forwards()).toEqual([])
        const none = await ours.bowline('forward', 'remove', 'f1')
        expect([none.code, none.stderr]).toEqual([1, expect.stringContaining('There is no forward "f1"')])
      } finally {
        await service.close()
      }
    })
  },
)

describe('an engine without flags', () => {
  test('serves proxies at a port of this computer that it keeps', async () => {
    const folder = makeTempDir('proxies')
    const socket = join(folder, 's')
    const start = async (...flags: string[]): Promise<{ child: Child; page: ProxiesPage }> => {
      const child = new Child({ name: 'engine', command: nodeProgram, args: [bowline, 'daemon', `--statedir=${folder}`, `--socket=${socket}`, '--encrypt-state=false', ...flags] })
      const page = await waitFor('the engine', async () => {
        child.assertRunning()
        const { code, stdout } = await run(nodeProgram, [bowline, `--socket=${socket}`, 'proxy', '--json'], { timeoutMs: 30_000 })
        return code === 0 && (JSON.parse(stdout) as ProxiesPage)
      }, PATIENCE)
      return { child, page }
    }
    try {
      const first = await start()
      expect(first.page.Http).toMatch(/^127\.0\.0\.1:\d+$/)
      expect(first.page.Socks5).toBe(first.page.Http)
      await first.child.stop()
      const second = await start()
      // Somebody else on this machine may have taken the port meanwhile; then that is said.
      if (second.page.Http !== first.page.Http) expect(second.page.Why).toContain(`Port ${first.page.Http!.split(':')[1]!}`)
      await second.child.stop()
      const off = await start('--socks5-server=off')
      expect(off.page.Http ?? off.page.Socks5 ?? off.page.PacUrl).toBeUndefined()
      await off.child.stop()
    } finally {
      removeTempDir(folder)
    }
  })
})
