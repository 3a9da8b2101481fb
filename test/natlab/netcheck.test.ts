/**
 * Netcheck on real networks: the same facts as the official command's on each kind, and a portal, found, told and passed.
 */
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import type { NetcheckJson } from '../../main/engine/core/netcheck/report.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { Child, runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import { NatLab } from './nat-lab.ts'
import type { SiteKind } from './networks.ts'

const PATIENT = { withinMs: 90_000, everyMs: 250 }
const peers = requirePeers()
const lab = new NatLab(peers, { webRelays: true })
const children: Child[] = []

beforeAll(async () => {
  await lab.start()
  // What relays serve beside their own port: the answer that tells whether somebody stands between.
  for (const index of [1, 2] as const) {
    children.push(new Child({ name: `web ${index}`, command: peers.derper, args: ['-a', `203.0.113.${index + 1}:80`, '-http-port', '-1', '-stun=false', '-c', `${lab.folder}/web${index}.key`], prefix: lab.networks.server(index) }))
  }
}, 120_000)
afterAll(async () => {
  for (const child of children) await child.stop()
  await lab.stop()
}, 60_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs())
})

const mine = async (node: LabNode): Promise<NetcheckJson> => JSON.parse((await node.bowline('netcheck', '--json')).stdout) as NetcheckJson
const theirs = async (node: LabNode): Promise<NetcheckJson> => JSON.parse((await node.tailscale('netcheck', '--format=json')).stdout) as NetcheckJson
const host = (address: string): string => address.replace(/:\d+$/, '')

test.each<[SiteKind, Partial<NetcheckJson>]>([
  ['public', { UDP: true, MappingVariesByDestIP: false }],
  ['easy', { UDP: true, MappingVariesByDestIP: false }],
  ['hard', { UDP: true, MappingVariesByDestIP: true }],
  ['dual', { UDP: true, IPv4: true, IPv6: true }],
  ['ipv6', { UDP: true, IPv4: false, IPv6: true }],
  ['no-udp', { UDP: false, CaptivePortal: false, ICMPv4: true }],
])('a network of the kind %s is judged as by the official command', async (kind, facts) => {
  const site = await lab.networks.add(kind)
  // Else no process may ask by ICMP without rights.
  if (kind === 'no-udp') await runOk('sysctl', ['-qw', 'net.ipv4.ping_group_range=0 2147483647'], { prefix: site.prefix })
  const node = await lab.join('bowline', `net-${kind}`, site)
  const [own, official] = [await mine(node), await theirs(node)]
  expect(own).toMatchObject(facts)
  for (const name of ['UDP', 'IPv4', 'IPv6', 'OSHasIPv6', 'ICMPv4', 'MappingVariesByDestIP', 'CaptivePortal'] as const) {
    expect([name, own[name]]).toEqual([name, official[name]])
  }
  expect([host(own.GlobalV4), host(own.GlobalV6)]).toEqual([host(official.GlobalV4), host(official.GlobalV6)])
  if (kind !== 'no-udp') expect(Object.keys(own.RegionLatency)).toEqual(Object.keys(official.RegionLatency))
  else expect(Object.keys(own.HTTPSLatency ?? {})).toEqual(['900', '901'])
})

test('a network without UDP is told of, with what would help', async () => {
  const node = lab.nodes.find((one) => one.name === 'net-no-udp')!
  const { stdout } = await node.bowline('netcheck')
  expect(stdout).toMatch(/^This network lets no UDP out[^]*by (HTTPS|ICMP)/)
  await waitFor('the warning', async () => ((await node.api.status()) as unknown as { Health: string[] | null }).Health?.some((text) => text.includes('lets no UDP out')), PATIENT)
})

test('a portal is found at the start, told with what to do, and passed as soon as somebody has signed in', async () => {
  const site = await lab.networks.add('easy')
  const node = await lab.join('bowline', 'guest', site)
  await node.stop()
  const router = ['ip', 'netns', 'exec', site.router!]
  const page = 'require("http").createServer((q, s) => s.end("<h1>Welcome, guest. Sign in.</h1>")).listen(8080)'
  const portal = new Child({ name: 'portal', command: process.execPath, args: ['-e', page], prefix: router })
  await runOk('nft', [`table ip portal {
    chain caught { type nat hook prerouting priority -100; iifname "lan" tcp dport 80 redirect to :8080; }
    chain held { type filter hook forward priority -10; iifname "lan" drop; }
  }`], { prefix: router })
  await node.start()
  const health = async (): Promise<readonly string[]> => ((await node.api.status()) as unknown as { Health: string[] | null }).Health ?? []
  await waitFor('the portal to be told', async () => (await health()).some((text) => text.includes('until somebody signs in')), PATIENT)
  expect((await node.bowline('netcheck')).stdout).toMatch(/^This network holds traffic back until somebody signs in/)
  expect((await theirs(node)).CaptivePortal).toBe(true)
  await runOk('nft', ['delete table ip portal'], { prefix: router })
  await waitFor('everything to be well', async () => (await health()).length === 0, PATIENT)
  expect(await mine(node)).toMatchObject({ UDP: true, CaptivePortal: null })
  await portal.stop()
})
