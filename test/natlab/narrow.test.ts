/**
 * Roads that lose every packet longer than 1280 bytes and say nothing (as some tunnels and routers do): small packets make a
 * direct path, full-size ones need the relay. Ours with a tailscaled, which never looks at sizes, and ours with ours.
 */
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { NodeKind } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { Child, run, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { NatLab } from './nat-lab.ts'
import type { Site } from './networks.ts'
import { waitKnowsItself } from './time-to-direct.ts'

const LINE = { mtu: 1280 } as const
const BYTES = 300_000
/** Takes what is posted, and answers with as much. */
const SERVER = `
const server = require('node:http').createServer((request, answer) => {
  let got = 0
  request.on('data', (part) => { got += part.length })
  request.on('end', () => answer.end(Buffer.alloc(got, 97)))
}).listen(0, '127.0.0.1', () => console.log(server.address().port))`

const lab = new NatLab(requirePeers())

beforeAll(() => lab.start(), 120_000)
afterAll(() => lab.stop(), 60_000)

/** A site whose TCP is told to keep to small segments, as providers of such roads do: the relays have to be reached. */
async function narrowSite(): Promise<Site> {
  const site = await lab.networks.add('easy', LINE)
  const prefix = ['ip', 'netns', 'exec', site.router!]
  await runOk('nft', ['table ip clamp { chain through { type filter hook forward priority mangle; tcp flags syn tcp option maxseg size set 1200; }; }'], { prefix })
  return site
}

test.each([['tailscaled'], ['bowline']] as const)('full-size packets get through by the relay between ours and a %s', { timeout: 180_000 }, async (farKind: NodeKind) => {
  const sites = [await narrowSite(), await narrowSite()] as const
  const [near, far] = await Promise.all([lab.join('bowline', `near-${farKind}`, sites[0]), lab.join(farKind, `far-${farKind}`, sites[1])])
  await Promise.all([waitKnowsItself(near, sites[0].address), waitKnowsItself(far, sites[1].address)])
  const server = new Child({ name: 'server', command: process.execPath, args: ['-e', SERVER], prefix: sites[1].prefix })
  try {
    const port = await waitFor('the server', () => (server.stdout.includes('\n') ? server.stdout.trim() : undefined), { withinMs: 30_000 })
    const { v4 } = await far.ips()
    await near.waitUsable(far)
    await waitFor('the narrow path to be known', async () => (await pathSentence(near, v4)).includes('narrow'), { withinMs: 60_000 })
    expect((await near.peer(far.name))?.CurAddr).toBe('')
    const words = ['-s', '--max-time', '100', '--socks5', `127.0.0.1:${near.socksPort}`, '--data-binary', '@-', `http://${v4}:${port}/`]
    const { stdout } = await run('sh', ['-c', `head -c ${BYTES} /dev/zero | curl ${words.map((word) => `'${word}'`).join(' ')}`], { prefix: sites[0].prefix, timeoutMs: 120_000 })
    expect(stdout.length).toBe(BYTES)
  } finally {
    await server.stop()
  }
})

/** The reason for the path to a peer; keeps traffic going, as nothing is looked for without. */
async function pathSentence(node: { api: { call(method: string, path: string): Promise<{ text: string }>; ping(ip: string, kind: 'TSMP'): Promise<unknown> } }, ip: string): Promise<string> {
  void node.api.ping(ip, 'TSMP').catch(() => undefined)
  return (await node.api.call('GET', `bowline/path?peer=${ip}`)).text
}
