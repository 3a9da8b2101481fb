import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { Env } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { DerpNode, DerpRegion } from '../../../main/engine/core/tailcfg/types.ts'
import { measureLatency } from '../../../main/engine/derp/latency-check.ts'
import { dialRelay } from '../../support/plain-world.ts'
import { SimDerp } from '../../sim/derp/sim-derp.ts'
import { systemClock, systemRandom } from '../../sim/clock.ts'
import { tlsPair } from '../../support/tls-files.ts'

const env: Env = { clock: systemClock, random: systemRandom, log: silentLog, journal: { add: () => {} } }
const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function serve(server: Server): Promise<number> {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const open = new Set<Socket>()
  server.on('connection', (socket) => open.add(socket))
  stops.push(() => {
    for (const socket of open) socket.destroy()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const region = (...nodes: Partial<DerpNode>[]): DerpRegion => ({ RegionID: 1, RegionCode: '', RegionName: '', Nodes: nodes.map((one, i) => ({ Name: `1${i}`, RegionID: 1, HostName: '127.0.0.1', IPv4: '127.0.0.1', IPv6: 'none', ...one })) })
const measure = (of: DerpRegion, plain = true, timeoutMs = 30_000): ReturnType<typeof measureLatency> => measureLatency({ env, dial: dialRelay }, of, () => plain, timeoutMs)

describe('the round trip to a relay by HTTP', () => {
  it('is that of the exchange, and the family is that of the address', async () => {
    const relay = new SimDerp()
    await relay.start()
    stops.push(() => relay.stop())
    const found = await measure(relay.derpRegion())
    expect(found.family).toBe(4)
    expect(found.ms).toBeGreaterThan(0)
  })

  it('is taken after TLS, from the next relay where the first one is not there', async () => {
    let hellos = 0
    const slow = createTlsServer({ ...tlsPair('server'), SNICallback: (_name, done) => done(null) }, (socket) => socket.on('data', () => socket.end('HTTP/1.1 200 OK\r\n\r\n')))
    slow.on('secureConnection', () => hellos++)
    const port = await serve(slow)
    const closed = await serve(createServer((socket) => socket.destroy()))
    await measure(region({ STUNOnly: true }, { DERPPort: 1 }, { DERPPort: port, InsecureForTests: true }), false)
    expect(hellos).toBe(1)
    await expect(measure(region({ DERPPort: closed }))).rejects.toMatchObject({ code: 'relay-failed' })
  })

  it.each(['HTTP/1.1 302 Found\r\nLocation: http://portal/\r\n\r\n', 'HTTP/1.1 407 Proxy\r\n\r\n', 'SSH-2.0-OpenSSH_9\r\n\r\n', 'HTTP/1.1 2'])('is not known when %j answers', async (answer) => {
    const port = await serve(createServer((socket) => void socket.end(answer)))
    await expect(measure(region({ DERPPort: port }))).rejects.toMatchObject({ code: 'relay-failed' })
  })

  it('is not known when nobody answers in time, and of a certificate that is not the pinned one', async () => {
    const silent = await serve(createServer(() => {}))
    await expect(measure(region({ DERPPort: silent }), true, 50)).rejects.toMatchObject({ code: 'timeout' })
    const tls = await serve(createTlsServer(tlsPair('server'), () => {}))
    await expect(measure(region({ DERPPort: tls, CertName: `sha256-raw:${'0'.repeat(64)}` }), false)).rejects.toThrow('not the pinned one')
    await expect(measure(region({ STUNOnly: true }))).rejects.toThrow('no relay')
  })
})
