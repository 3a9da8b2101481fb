/**
 * Our PeerAPI as a real tailscaled meets it, and beside that daemon's own: who may ask, what is answered, what a page may not do.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect as connectHttp2 } from 'node:http2'
import type { AddressInfo, Socket } from 'node:net'
import { expect, test } from 'vitest'
import { launchChromium, missingBrowser } from '../e2e/browser.ts'
import { dialVia } from '../support/proxy-client.ts'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let real: LabNode
/** Asks; the other two answer it. */
let asker: LabNode
let ourPort = 0
let realPort = 0
const PIECE_BYTES = 64 << 10

async function peerApiPort(seenBy: LabNode, name: string): Promise<number> {
  return await waitFor(`${seenBy.name} to know the PeerAPI of ${name}`, async () => {
    const urls = (await seenBy.peer(name))?.PeerAPIURL ?? []
    return urls.length === 2 ? Number(new URL(urls[0]!).port) : undefined
  }, { withinMs: 30_000 })
}

/** Sends in pieces, as long as there is no answer: bytes that nobody reads would reset the connection, and the answer with it. */
async function send(socket: Socket, request: string | Uint8Array, isAnswered: () => boolean): Promise<void> {
  const bytes = Buffer.from(request)
  for (let at = 0; at < bytes.length && !isAnswered() && !socket.destroyed; at += PIECE_BYTES) {
    if (!socket.write(bytes.subarray(at, at + PIECE_BYTES))) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => undefined)
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** Sends `request` to a node's PeerAPI and reads a whole answer, or to the end. */
async function exchange(node: LabNode, port: number, request: string | Uint8Array, family: 'v4' | 'v6' = 'v4'): Promise<string> {
  const socket = await dialVia(asker.via(), (await node.ips())[family], port)
  try {
    return await new Promise<string>((resolve, reject) => {
      let got = ''
      const timer = setTimeout(() => reject(new Error(`no whole answer: ${JSON.stringify(got)}`)), 30_000)
      const done = (): void => {
        clearTimeout(timer)
        resolve(got)
      }
      socket.on('data', (bytes) => {
        got += bytes.toString('latin1')
        const [head, body] = got.split('\r\n\r\n')
        const length = /^content-length: (\d+)/im.exec(head ?? '')?.[1]
        if (body !== undefined && length !== undefined && (body.length >= Number(length) || String(request).startsWith('HEAD'))) done()
      })
      socket.once('close', done)
      // Who is answered before all is sent may be reset at the end.
      socket.once('error', (error) => (got === '' ? reject(error) : done()))
      socket.resume()
      void send(socket, request, () => got !== '')
    })
  } finally {
    socket.destroy()
  }
}

const statusOf = (answer: string): number => Number(answer.split(' ')[1])

labSuite(
  'PeerAPI',
  {},
  async (lab) => {
    ;[ours, real, asker] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'asker')])
    await Promise.all([asker.waitUsable(ours), asker.waitUsable(real), ours.waitUsable(real), real.waitUsable(ours)])
    ;[ourPort, realPort] = await Promise.all([peerApiPort(asker, 'ours'), peerApiPort(asker, 'real')])
  },
  () => {
    test.each(['v4', 'v6'] as const)('a tailscaled pings our PeerAPI at our %s address', async (family) => {
      const ip = (await ours.ips())[family]
      const { code, stdout } = await real.tailscale('ping', '--peerapi', ip)
      expect(stdout).toMatch(new RegExp(`^hit peerapi of ${ip.replaceAll('.', '\\.')} \\(ours\\..*\\) at http://\\S+:${ourPort} in \\S+\n$`))
      expect(code).toBe(0)
    })

    test('a TSMP pong of ours names the port that the list of devices names', async () => {
      for (const ip of Object.values(await ours.ips())) expect(await real.api.ping(ip, 'TSMP')).toMatchObject({ Err: '', PeerAPIPort: ourPort })
      const { Self } = await ours.api.status()
      expect(Self.PeerAPIURL).toHaveLength(2)
      expect(new URL(Self.PeerAPIURL![0]!).port).toBe(String(ourPort))
    })

    const host = '@HOST@'
    const requests: [string, string][] = [
      ['a GET of /', `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
      ['a HEAD of /', `HEAD / HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
      ['a POST with a small body', `POST / HTTP/1.1\r\nHost: ${host}\r\nContent-Length: 3\r\n\r\nabc`],
      ['the host name "peer"', 'GET / HTTP/1.1\r\nHost: peer\r\n\r\n'],
      ['the host name "PEER"', 'GET / HTTP/1.1\r\nHost: PEER\r\n\r\n'],
      ['a target that names the host', 'GET http://peer/ HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
      ['a foreign host name', 'GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n'],
      ['no host', 'GET / HTTP/1.0\r\n\r\n'],
      ['HTTP/1.1 without a host', 'GET / HTTP/1.1\r\n\r\n'],
      ['a request of a web page', `GET / HTTP/1.1\r\nHost: ${host}\r\nOrigin: http://evil.example\r\n\r\n`],
      ['a request of a link', `GET / HTTP/1.1\r\nHost: ${host}\r\nReferer: http://evil.example/\r\n\r\n`],
      ['a path of nobody', `GET /nope HTTP/1.1\r\nHost: ${host}\r\n\r\n`],
      ['a head that is too long', `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(1100 << 10)}\r\n\r\n`],
    ]
    test.each(requests)('%s gets the status that a tailscaled gives', async (_name, request) => {
      const [answer, theirs] = await Promise.all(([[ours, ourPort], [real, realPort]] as const).map(async ([node, port]) => {
        const { v4 } = await node.ips()
        return await exchange(node, port, request.replace(host, `${v4}:${port}`))
      }))
      expect(statusOf(answer!), answer).toBe(statusOf(theirs!))
      const typeOf = (text: string): string | undefined => /^content-type: ([^\r]*)/im.exec(text)?.[1]
      if (statusOf(theirs!) < 400) expect(typeOf(answer!)).toBe(typeOf(theirs!))
    })

    test('HTTP/2 with prior knowledge works through the tunnel, at our IPv6 address too', async () => {
      for (const ip of Object.values(await ours.ips())) {
        const authority = `${ip.includes(':') ? `[${ip}]` : ip}:${ourPort}`
        const socket = await dialVia(asker.via(), ip, ourPort)
        const session = connectHttp2(`http://${authority}`, { createConnection: () => socket })
        const stream = session.request({ ':path': '/', ':authority': authority })
        const [answer] = (await once(stream, 'response')) as [Record<string, unknown>]
        expect(answer[':status']).toBe(200)
        session.destroy()
      }
    })

    test('the filter lets nobody in elsewhere, and shields do not keep devices from our PeerAPI, as in a tailscaled', async () => {
      await Promise.all([ours, real].map((node) => node.api.patchPrefs({ ShieldsUp: true, ShieldsUpSet: true })))
      for (const [node, port] of [[ours, ourPort], [real, realPort]] as const) {
        const { v4 } = await node.ips()
        expect(await asker.api.ping(v4, 'peerapi')).toMatchObject({ Err: '' })
        expect(statusOf(await exchange(node, port, 'HEAD / HTTP/1.1\r\nHost: peer\r\n\r\n'))).toBe(200)
      }
      await Promise.all([ours, real].map((node) => node.api.patchPrefs({ ShieldsUp: false, ShieldsUpSet: true })))
    })

    test('a device with a thousand connections neither keeps them nor keeps another device out', async () => {
      const { v4 } = await ours.ips()
      const sockets: Socket[] = []
      const open = async (): Promise<void> => {
        const socket = await dialVia(asker.via(), v4, ourPort).catch(() => undefined)
        socket?.on('error', () => {}).resume()
        if (socket) sockets.push(socket)
      }
      for (let i = 0; i < 20; i++) await Promise.all(Array.from({ length: 50 }, open))
      expect(sockets.length).toBeGreaterThan(500)
      expect(await real.api.ping(v4, 'peerapi')).toMatchObject({ Err: '' })
      await waitFor('most to be closed', () => sockets.filter((socket) => !socket.destroyed).length <= 64, { withinMs: 60_000 })
      for (const socket of sockets) socket.destroy()
      await waitFor('the device to be served again', async () => (await asker.api.ping(v4, 'peerapi')).Err === '', { withinMs: 60_000 })
      expect((await ours.api.call('GET', 'metrics')).text).toMatch(/^bowline_peerapi_too_many_total [1-9]\d+$/m)
    })

    test.skipIf(missingBrowser() !== undefined)('a page in a browser whose system is in the network reads nothing of our PeerAPI', async () => {
      const { v4 } = await ours.ips()
      const page = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'))
      page.listen(0, '127.0.0.1')
      await once(page, 'listening')
      const browser = await launchChromium()
      try {
        const context = await browser.newContext({ proxy: { server: `socks5://127.0.0.1:${asker.socksPort}`, bypass: '127.0.0.1' } })
        const target = `http://${v4}:${ourPort}/`
        const tab = await context.newPage()
        // A person who opens the address is greeted: so the way there works.
        expect((await tab.goto(target))?.status()).toBe(200)
        expect(await tab.textContent('h1')).toContain('Hello, alice')
        await tab.goto(`http://127.0.0.1:${(page.address() as AddressInfo).port}/`)
        const read = await tab.evaluate(async (url) => {
          const tries: Record<string, () => Promise<string>> = {
            cors: async () => (await fetch(url)).text(),
            post: async () => (await fetch(url, { method: 'POST', body: 'x' })).text(),
            opaque: async () => (await fetch(url, { mode: 'no-cors', referrerPolicy: 'no-referrer' })).text(),
            credentials: async () => (await fetch(url, { credentials: 'include', referrerPolicy: 'no-referrer' })).text(),
            frame: () => new Promise((resolve) => {
              const frame = Object.assign(document.createElement('iframe'), { src: url, referrerPolicy: 'no-referrer' })
              frame.onload = () => resolve(frame.contentDocument?.body.textContent ?? '')
              document.body.append(frame)
            }),
          }
          const out: Record<string, string> = {}
          for (const [name, attempt] of Object.entries(tries)) out[name] = await attempt().catch(() => 'failed')
          return out
        }, target)
        for (const [name, text] of Object.entries(read)) expect(['', 'failed'], `${name}: ${text}`).toContain(text)
        // A name that leads to our address, as after DNS rebinding: same origin for its page, refused by us.
        const rebound = await tab.goto(`http://ours.lab.internal:${ourPort}/`)
        expect(rebound?.status()).toBe(403)
        expect(await rebound?.text()).toBe('invalid peerapi request\n')
      } finally {
        await browser.close()
        page.close()
      }
    })
  },
)
