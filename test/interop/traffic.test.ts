/**
 * Whole bytes through the tunnels: 1 GB direct and 100 MB relayed, each way, through SOCKS5 and HTTP CONNECT, and from a
 * tailscaled to a service behind us. BOWLINE_TRAFFIC_SCALE (such as 0.05) makes them smaller for a quick look.
 */
import { describe, expect, test } from 'vitest'
import { runOk } from '../support/child.ts'
import { dialVia, ProxyRefusal } from '../support/proxy-client.ts'
import { freeTcpPort } from '../support/ports.ts'
import { labSuite } from './lab/suite.ts'
import { echoOnce, echoService, webService } from './lab/services.ts'
import type { LabNode } from './lab/node.ts'

const scale = Number(process.env['BOWLINE_TRAFFIC_SCALE'] ?? 1)
const DIRECT_BYTES = Math.round(1e9 * scale)
const RELAYED_BYTES = Math.round(1e8 * scale)

let ours: LabNode
let real: LabNode
let realRelayed: LabNode

labSuite(
  'traffic',
  {},
  async (lab) => {
    ;[ours, real, realRelayed] = await Promise.all([
      lab.join('bowline', 'ours'),
      lab.join('tailscaled', 'real'),
      lab.join('tailscaled', 'real-relayed', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    ])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours), ours.waitUsable(realRelayed), realRelayed.waitUsable(ours)])
    await Promise.all([ours.waitDirect(real), real.waitDirect(ours)])
  },
  (lab) => {
    describe.each(['socks5', 'http'] as const)('through our %s proxy', (kind) => {
      test.each(['get', 'put'] as const)('%s of 1 GB over a direct path arrives whole', async (verb) => {
        const { v4 } = await real.ips()
        const result = await lab().transfer(verb, ours.via(kind), v4, DIRECT_BYTES)
        expect(result).toMatchObject({ bytes: DIRECT_BYTES, sha256: result.expected })
        expect((await ours.peer('real'))?.CurAddr).not.toBe('')
      })

      test.each(['get', 'put'] as const)('%s of 100 MB over the relay arrives whole', async (verb) => {
        const { v4 } = await realRelayed.ips()
        const result = await lab().transfer(verb, ours.via(kind), v4, RELAYED_BYTES)
        expect(result).toMatchObject({ bytes: RELAYED_BYTES, sha256: result.expected })
        expect((await ours.peer('real-relayed'))?.CurAddr).toBe('')
      })

      test('short names, full names and both kinds of address lead to the peer', async () => {
        const service = await webService('a page behind the tailscaled')
        try {
          const { v4, v6 } = await real.ips()
          const proxy = kind === 'socks5' ? `socks5h://127.0.0.1:${ours.socksPort}` : `http://127.0.0.1:${ours.httpPort}`
          for (const host of ['real', 'real.lab.internal', v4, `[${v6}]`]) {
            const words = ['-sS', '--max-time', '10', '--proxytunnel', '--proxy', proxy, `http://${host}:${service.port}/`]
            expect(await runOk('curl', words), host).toBe('a page behind the tailscaled')
          }
        } finally {
          await service.close()
        }
      })

      test('a port that nobody serves is refused at once', async () => {
        const { v4 } = await real.ips()
        const startedMs = performance.now()
        await expect(dialVia(ours.via(kind), v4, await freeTcpPort())).rejects.toBeInstanceOf(ProxyRefusal)
        expect(performance.now() - startedMs).toBeLessThan(2000)
      })

      test('a name that does not exist is refused', async () => {
        await expect(dialVia(ours.via(kind), 'nobody.lab.internal', 80)).rejects.toBeInstanceOf(ProxyRefusal)
      })
    })

    test('the HTTP proxy takes plain requests too', async () => {
      const service = await webService('a plain page')
      try {
        const words = ['-sS', '--max-time', '10', '--proxy', `http://127.0.0.1:${ours.httpPort}`, `http://real:${service.port}/x?y=1`]
        expect(await runOk('curl', words)).toBe('a plain page')
      } finally {
        await service.close()
      }
    })

    describe('from a tailscaled to a local service behind us', () => {
      test.each(['get', 'put'] as const)('%s of 1 GB over a direct path arrives whole', async (verb) => {
        const { v4 } = await ours.ips()
        const result = await lab().transfer(verb, real.via(), v4, DIRECT_BYTES)
        expect(result).toMatchObject({ bytes: DIRECT_BYTES, sha256: result.expected })
      })

      test.each(['get', 'put'] as const)('%s of 100 MB over the relay arrives whole', async (verb) => {
        const { v4 } = await ours.ips()
        const result = await lab().transfer(verb, realRelayed.via(), v4, RELAYED_BYTES)
        expect(result).toMatchObject({ bytes: RELAYED_BYTES, sha256: result.expected })
      })

      test('IPv6 and names work, and a closed port is refused at once', async () => {
        const { v4, v6 } = await ours.ips()
        const service = await webService('a page behind us')
        const free = await freeTcpPort()
        try {
          for (const host of ['ours', 'ours.lab.internal', v4, `[${v6}]`]) {
            const words = ['-sS', '--max-time', '10', '--socks5-hostname', `127.0.0.1:${real.socksPort}`, `http://${host}:${service.port}/`]
            expect(await runOk('curl', words), host).toBe('a page behind us')
          }
        } finally {
          await service.close()
        }
        const startedMs = performance.now()
        await expect(dialVia(real.via(), v4, free)).rejects.toThrow()
        expect(performance.now() - startedMs).toBeLessThan(2000)
      })
    })

    test('200 connections at once all work', async () => {
      const service = await echoService()
      try {
        const { v4 } = await real.ips()
        await Promise.all(Array.from({ length: 200 }, () => echoOnce(ours.via(), v4, service.port, 20_000)))
      } finally {
        await service.close()
      }
    })
  },
)
