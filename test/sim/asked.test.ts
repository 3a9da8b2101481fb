/**
 * What a control server asks of a node through the map stream, and what it tells it of its peers, on whole engines.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { nodeView, selfView } from './control/node-view.ts'
import type { SimNode } from './control/tailnet.ts'
import { hasAddon, Lab } from './engine-lab.ts'

const suite = hasAddon ? describe : describe.skip

suite(`what control asks and tells${hasAddon ? '' : ' (the native add-on is not built: npm run build:native)'}`, () => {
  let lab: Lab

  beforeEach(async (context) => {
    lab = new Lab()
    context.onTestFailed(() => console.error(lab.log.join('\n')))
    await lab.start()
  })

  afterEach(() => lab.stop())

  const node = (name: string): SimNode => lab.control.tailnet.nodeNamed(name)

  /** Headers and body of a raw answer. */
  const answered = async (request: string): Promise<{ status: number; body: string }> => {
    const raw = await lab.control.askNode(node('ada'), request)
    return { status: Number(raw.split(' ')[1]), body: raw.slice(raw.indexOf('\r\n\r\n') + 4) }
  }

  test('proves that it is alive, and pings peers every way, over Noise and outside it', async () => {
    await lab.pair()
    expect(await lab.control.ask(node('ada'), {})).toMatchObject({ method: 'HEAD', overNoise: false })
    expect(await lab.control.ask(node('ada'), { URLIsNoise: true })).toMatchObject({ method: 'HEAD', overNoise: true })
    const [ip] = node('web').ips
    for (const [Types, URLIsNoise] of [['disco', true], ['TSMP', false], ['ICMP', true]] as const) {
      const { method, overNoise, body } = await lab.control.ask(node('ada'), { Types, IP: ip, URLIsNoise })
      expect({ method, overNoise }).toEqual({ method: 'POST', overNoise: URLIsNoise })
      const result = JSON.parse(body) as Record<string, unknown>
      expect(result).toMatchObject({ Type: Types, IP: ip, NodeIP: ip, Err: '' })
      expect(result['LatencySeconds']).toBeGreaterThan(0)
    }
  })

  test('answers requests to this node with facts and never with a secret', async () => {
    const [ada] = await lab.pair()
    expect(await answered('POST /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello')).toEqual({ status: 200, body: 'hello' })
    const all = [await answered('GET /debug/prefs HTTP/1.1\r\n\r\n'), await answered('GET /debug/netmap HTTP/1.1\r\n\r\n'), await answered('GET /debug/health HTTP/1.1\r\n\r\n'), await answered('GET /debug/metrics HTTP/1.1\r\n\r\n')]
    expect(all.map(({ status }) => status)).toEqual([200, 200, 200, 200])
    expect(JSON.parse(all[0]!.body)).toMatchObject({ ControlURL: lab.control.url, WantRunning: true })
    expect((JSON.parse(all[1]!.body) as { current: { Peers: { Key: string }[] } }).current.Peers[0]!.Key).toBe(node('web').nodeKey)
    expect(JSON.parse(all[2]!.body)).toHaveProperty('Warnings')
    const files = readdirSync(`${lab.folder}/ada`, { withFileTypes: true, recursive: true }).filter((file) => file.isFile())
    const secrets = files.flatMap((file) => readFileSync(join(file.parentPath, file.name), 'utf8').match(/privkey:[0-9a-f]{64}/g) ?? [])
    expect(secrets.length).toBeGreaterThan(0)
    for (const secret of secrets) expect(JSON.stringify(all)).not.toContain(secret.slice('privkey:'.length))
    expect((await ada.api.call('status')).BackendState).toBe('Running')
  })

  test('refuses what it does not know, what has another method, and settings from afar', async () => {
    const ada = lab.engine('ada')
    await ada.start()
    await ada.join()
    const refused: [string, number][] = [
      ['GET /nonsense HTTP/1.1\r\n\r\n', 400], ['GET /wol HTTP/1.1\r\n\r\n', 405], ['GET /debug/goroutines HTTP/1.1\r\n\r\n', 501], ['rubbish', 400],
      ['PATCH /remoteapi/localapi/v0/prefs HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}', 403],
    ]
    for (const [request, status] of refused) expect([request, (await answered(request)).status]).toEqual([request, status])
    const before = await ada.api.call('prefs')
    expect(JSON.parse((await answered('POST /update HTTP/1.1\r\n\r\n')).body)).toMatchObject({ Err: 'not enabled', Supported: false, Started: false })
    expect(await ada.api.call('prefs')).toEqual(before)
  })

  test('nothing comes in from a jailed peer but replies', async () => {
    const [ada, web] = await lab.pair()
    const jail = (IsJailed: boolean): void => lab.control.sendTo(node('web'), { PeersChanged: [{ ...nodeView(lab.control.tailnet, node('ada'), 131), IsJailed }] })
    jail(true)
    await waitFor('ada to be kept out', async () => (await ada.page('web', 1000).catch(() => 'no answer')) !== 'hello', { withinMs: 10_000 })
    await waitFor('replies to come in', async () => (await web.page('ada')) === 'hello', { withinMs: 10_000 })
    expect(await ada.page('web', 1000).catch(() => 'no answer')).not.toBe('hello')
    jail(false)
    await waitFor('ada to be let in again', async () => (await ada.page('web').catch(() => '')) === 'hello', { withinMs: 10_000 })
  })

  test('another UDP port is taken when the server wants that, and traffic goes on', async () => {
    const [ada] = await lab.pair()
    const self = selfView(lab.control.tailnet, node('ada'), 131)
    lab.control.sendTo(node('ada'), { Node: { ...self, CapMap: { ...self.CapMap, 'randomize-client-port': null } } })
    await waitFor('the new port', () => lab.log.some((line) => line.includes(`ada: UDP port ${ada.udpPort} → `) && line.includes('the server wants any port')), { withinMs: 30_000 })
    await waitFor('the page over the new port', async () => (await ada.page('web').catch(() => '')) === 'hello', { withinMs: 10_000 })
  })

  test("a peer's new key, and its end and return, take effect at once", async () => {
    const [ada] = await lab.pair()
    const seen = async (): Promise<unknown> => Object.values((await ada.api.call('status')).Peer ?? {}).find((peer) => peer.HostName === 'web')
    const { nodeKey } = node('web')
    lab.control.sendTo(node('ada'), { PeersChangedPatch: [{ NodeID: node('web').id, KeyExpiry: '2020-01-01T00:00:00Z' }] })
    await waitFor('the expiry', async () => (await ada.page('web', 1000).catch(() => 'no answer')) !== 'hello', { withinMs: 10_000 })
    lab.control.sendTo(node('ada'), { PeersChangedPatch: [{ NodeID: node('web').id, KeyExpiry: '0001-01-01T00:00:00Z' }] })
    await waitFor('its return', async () => (await ada.page('web').catch(() => '')) === 'hello', { withinMs: 10_000 })
    const other = `nodekey:${'a1'.repeat(32)}`
    lab.control.sendTo(node('ada'), { PeersChangedPatch: [{ NodeID: node('web').id, Key: other }] })
    await waitFor('the new key', async () => (await seen() as { PublicKey: string }).PublicKey === other, { withinMs: 10_000 })
    lab.control.sendTo(node('ada'), { PeersChangedPatch: [{ NodeID: node('web').id, Key: nodeKey }] })
    await waitFor('the way with the old key', async () => (await ada.page('web').catch(() => '')) === 'hello', { withinMs: 10_000 })
  })
})
