/**
 * Our PeerAPI as a real tailscaled meets it, and beside that daemon's own: who may ask, what is answered, what a page may not do.
 */
import { expect, test } from 'vitest'
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

async function peerApiPort(seenBy: LabNode, name: string): Promise<number> {
  return await waitFor(`${seenBy.name} to know the PeerAPI of ${name}`, async () => {
    const urls = (await seenBy.peer(name))?.PeerAPIURL ?? []
    return urls.length === 2 ? Number(new URL(urls[0]!).port) : undefined
  }, { withinMs: 30_000 })
}

/** Sends `request` to a node's PeerAPI and reads until `isWhole` says so, or the end. */
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
      socket.once('error', reject)
      socket.resume()
      socket.write(request)
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
      ['a head that is too long', `GET / HTTP/1.1\r\nHost: ${host}\r\nX: ${'x'.repeat(2 << 20)}\r\n\r\n`],
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
  },
)
