import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import type { PortalTarget } from '../../../main/engine/core/netcheck/captive-portal.ts'
import { makeHttpFetch } from '../../../main/engine/io/http-fetch.ts'
import { probePortal } from '../../../main/engine/io/portal-probe.ts'
import { dial } from '../../support/plain-world.ts'
import { SimDerp } from '../../sim/derp/sim-derp.ts'

const stops: (() => unknown)[] = []
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})

async function serve(answer: RequestListener): Promise<number> {
  const server: Server = createServer(answer)
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  stops.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

const TARGETS: readonly PortalTarget[] = ['203.0.113.1', '203.0.113.2'].map((ip) => ({ url: `http://${ip}/generate_204`, challenge: `ts_${ip}` }))
/** A network where every connection to port 80 ends at this port of ours: what a portal does. */
const caught = (ports: Record<string, number>): ReturnType<typeof makeHttpFetch> =>
  makeHttpFetch((options) => dial({ ...options, host: '127.0.0.1', port: options.port === 80 ? (ports[options.host] ?? ports['*'] ?? 1) : 1 }))

describe('a look for a portal', () => {
  it('finds one that answers with a page, a redirect, an endless page, or a 204 of its own', async () => {
    const pages: RequestListener[] = [
      (_request, response) => response.writeHead(200).end('<html>Sign in'),
      (_request, response) => response.writeHead(302, { location: 'http://portal.example/' }).end(),
      (_request, response) => void response.writeHead(200).write('x'.repeat(1_000_000)),
      (_request, response) => response.writeHead(204).end(),
    ]
    for (const page of pages) expect(await probePortal(TARGETS, 0, caught({ '*': await serve(page) }))).toBe(true)
  })

  it('finds none where a real relay answers, and asks it with its challenge and the time', async () => {
    const relay = new SimDerp()
    await relay.start()
    stops.push(() => relay.stop())
    expect(await probePortal(TARGETS, 0, caught({ '*': relay.port }))).toBe(false)
    const seen: string[] = []
    const port = await serve((request, response) => {
      seen.push(`${request.method} ${request.url} ${request.headers.host} ${String(request.headers['x-tailscale-challenge'])}`)
      response.writeHead(204, { 'X-Tailscale-Response': `response ${String(request.headers['x-tailscale-challenge'])}` }).end()
    })
    expect(await probePortal(TARGETS.slice(0, 1), 5999, caught({ '*': port }))).toBe(false)
    expect(seen).toEqual(['GET /generate_204?t=5 203.0.113.1 ts_203.0.113.1'])
  })

  it('believes a portal over a relay that answers too, and knows nothing when nobody answers', async () => {
    const relay = new SimDerp()
    await relay.start()
    stops.push(() => relay.stop())
    const portal = await serve((_request, response) => response.writeHead(200).end())
    expect(await probePortal(TARGETS, 0, caught({ '203.0.113.1': relay.port, '203.0.113.2': portal }))).toBe(true)
    expect(await probePortal(TARGETS, 0, caught({}))).toBeUndefined()
    expect(await probePortal([], 0, caught({}))).toBeUndefined()
  })
})
