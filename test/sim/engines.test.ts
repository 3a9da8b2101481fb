/**
 * Whole engines, add-on and all, on the simulated servers: what has to go on when servers go, and what has to stop when
 * the policy says so. On loopback, hermetic, each test with engines of its own.
 */
import dgram from 'node:dgram'
import type net from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { seededRandom } from './clock.ts'
import { ALLOW_ALL } from './control/policy.ts'
import { socksConnect } from './demo/proxied-fetch.ts'
import { FRAME, derpFrame } from './derp/derp-frames.ts'
import { hasAddon, Lab } from './engine-lab.ts'
import type { Engine } from './engine-lab.ts'

const suite = hasAddon ? describe : describe.skip

const RELAY_ONLY = { TS_DEBUG_ALWAYS_USE_DERP: 'true' }

suite(`engines on simulated servers${hasAddon ? '' : ' (the native add-on is not built: npm run build:native)'}`, () => {
  let lab: Lab

  beforeEach(async (context) => {
    lab = new Lab()
    context.onTestFailed(() => console.error(lab.log.join('\n')))
    await lab.start()
  })

  afterEach(() => lab.stop())

  async function pathTo(engine: Engine, name: string): Promise<string | undefined> {
    const { paths } = await engine.api.call('paths')
    return paths.find((path) => path.name.split('.')[0] === name)?.kind
  }

  test('without a gate the path becomes direct; relay-only engines stay on the relay', async () => {
    const [ada] = await lab.pair()
    const isDirect = async (): Promise<boolean> => (await ada.page('web')) === 'hello' && (await pathTo(ada, 'web')) === 'direct'
    await waitFor('a direct path', isDirect, { withinMs: 10_000 })
    await lab.stop()
    lab = new Lab()
    await lab.start()
    const [mia] = await lab.pair(RELAY_ONLY)
    expect(await pathTo(mia, 'web')).toBe('relay')
  })

  test('a netcheck names the relay, its round trip and the address seen outside', async () => {
    const [ada] = await lab.pair()
    expect(await ada.api.call('netcheck', { method: 'POST' })).toMatchObject({
      UDP: true,
      PreferredDERP: lab.derp.region,
      RegionLatency: { [lab.derp.region]: expect.any(Number) },
      GlobalV4: `127.0.0.1:${ada.udpPort}`,
    })
  })

  test('a policy that closes a port cuts new and open connections at once, and opens again', async () => {
    const [ada] = await lab.pair()
    const open = await socksConnect(ada.socks5, 'web', lab.webPort, 3000)
    open.on('error', () => {})
    expect(await answers(open, 2000)).toBe(true)
    lab.control.tailnet.setPolicy({ rules: [{ from: ['*'], to: ['*:1'] }] })
    await waitFor('new connections to be refused', async () => (await ada.page('web')) === 'HTTP 403', { withinMs: 1000 })
    expect(await answers(open, 500)).toBe(false)
    open.destroy()
    lab.control.tailnet.setPolicy(ALLOW_ALL)
    await waitFor('the page again', async () => (await ada.page('web')) === 'hello', { withinMs: 1000 })
  })

  test('tunnels go on while control is away; an engine started meanwhile comes up from its saved map', async () => {
    const [ada, web] = await lab.pair()
    await lab.control.stop()
    expect(await ada.page('web')).toBe('hello')
    await ada.stop()
    await ada.start()
    await ada.state('Running', 3000)
    await waitFor('the page', async () => (await ada.page('web')) === 'hello', { withinMs: 12_000 })
    expect((await web.api.call('status')).BackendState).toBe('Running')
    await lab.control.restart()
    const isOnline = (name: string): boolean => lab.control.tailnet.nodeNamed(name).online
    await lab.control.until(() => (isOnline('ada') && isOnline('web')) || undefined, 'both back', 15_000)
    expect(lab.control.tailnet.nodes.size).toBe(2)
  })

  test('a restarted relay is found again without help', async () => {
    const [ada] = await lab.pair(RELAY_ONLY)
    await lab.derp.restart()
    await waitFor('the page over the new connections', async () => (await ada.page('web')) === 'hello', { withinMs: 10_000 })
  })

  test('a restarted engine is the same node, and running within two seconds', async () => {
    const [ada] = await lab.pair()
    const before = await ada.api.call('status')
    await ada.stop()
    await ada.start()
    const after = await ada.state('Running', 2000)
    expect(after.Self.ID).toBe(before.Self.ID)
    expect(lab.control.tailnet.nodes.size).toBe(2)
  })

  test('rubbish from the relay and from the network does no harm', async () => {
    const [ada] = await lab.pair(RELAY_ONLY)
    const random = seededRandom(4)
    for (let size = 0; size < 400; size += 7) {
      for (const session of lab.derp.clients()) session.send(derpFrame(FRAME.recvPacket, random.bytes(size)))
    }
    const socket = dgram.createSocket('udp4')
    for (let size = 0; size < 3000; size += 11) socket.send(random.bytes(size), ada.udpPort, '127.0.0.1')
    await waitFor('the page after all that', async () => (await ada.page('web')) === 'hello', { withinMs: 10_000 })
    socket.close()
  })

  test('an auth key that was used is refused in the server’s words', async () => {
    const ada = lab.engine('ada')
    await ada.start()
    const AuthKey = lab.control.createAuthKey({ login: 'ada' })
    lab.control.tailnet.authKeys.get(AuthKey)!.used = true
    let said = ''
    const end = ada.api.watch(2, (notify) => (said = notify.ErrMessage ?? said))
    await ada.api.call('start', { body: { AuthKey, UpdatePrefs: { ControlURL: lab.control.url, WantRunning: true } } })
    await waitFor('the refusal', () => said.includes('authkey already used'), { withinMs: 5000 })
    end()
    expect(lab.log.join('\n')).not.toContain(AuthKey)
  })

  test('a node that is signed out is gone from its peers', async () => {
    const [ada, web] = await lab.pair()
    await ada.api.call('logout')
    await ada.state('NeedsLogin')
    await waitFor('ada to be shown as expired or gone', async () => {
      const { Peer } = await web.api.call('status')
      const peer = Object.values(Peer ?? {}).find((one) => one.HostName === 'ada')
      return peer === undefined || peer.Expired === true
    }, { withinMs: 3000 })
  })
})

/** Whether an HTTP server at the other end still answers on this connection. */
function answers(socket: net.Socket, withinMs: number): Promise<boolean> {
  return new Promise((done) => {
    const timer = setTimeout(() => done(false), withinMs)
    const end = (answer: boolean): void => {
      clearTimeout(timer)
      done(answer)
    }
    socket.once('data', () => end(true))
    socket.once('close', () => end(false))
    socket.write('GET / HTTP/1.1\r\nHost: web\r\n\r\n')
  })
}
