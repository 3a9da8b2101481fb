/**
 * The packet filter beside a stock receiver: a third node tries the same things at ours and at a tailscaled, under the same
 * policies of a real Headscale, and gets the same; what is refused is told at once, with the reason, on both sides.
 */
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { describe, expect, test } from 'vitest'
import type { BlockedPage } from '../../main/localapi/blocked.ts'
import { dialVia, ProxyRefusal } from '../support/proxy-client.ts'
import { SocksUdp } from '../support/socks-udp.ts'
import { waitFor } from '../support/wait.ts'
import type { Policy } from './lab/headscale.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { echoService, Heartbeat, reaches } from './lab/services.ts'
import type { Service } from './lab/services.ts'
import { labSuite } from './lab/suite.ts'

/** Beyond it a probe counts as unanswered; loopback answers in a few ms. */
const PATIENCE_MS = 3_000

interface World {
  readonly ours: LabNode
  readonly stock: LabNode
  readonly prober: LabNode
  readonly one: Service
  readonly other: Service
  readonly udp: Socket
}

const udpPort = ({ udp }: World): number => udp.address().port

async function udpEcho(): Promise<Socket> {
  const socket = createSocket('udp4')
  socket.on('message', (bytes, from) => socket.send(bytes, from.port, from.address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return socket
}

async function build(lab: Lab): Promise<World> {
  const [ours, stock, prober, one, other, udp] = await Promise.all([
    lab.join('bowline', 'ours'), lab.join('tailscaled', 'stock'), lab.join('tailscaled', 'prober'), echoService(), echoService(), udpEcho(),
  ])
  await Promise.all([prober.waitUsable(ours), prober.waitUsable(stock), ours.waitUsable(stock)])
  return { ours, stock, prober, one, other, udp }
}

/** Puts a policy in force at both receivers, and with it a port that no policy before named: it opens when they have it. */
async function enforce(lab: Lab, { ours, stock, prober }: World, policy: Policy): Promise<void> {
  const { v4 } = await prober.ips()
  const receivers = await Promise.all([ours, stock].map(async (node) => (await node.ips()).v4))
  const marker = await echoService()
  try {
    const acls = [...policy.acls, { action: 'accept' as const, proto: 'tcp', src: [v4], dst: receivers.map((ip) => `${ip}:${marker.port}`) }]
    await lab.headscale.setPolicy({ ...policy, acls })
    await Promise.all(receivers.map((ip) => waitFor(`${ip} to have the policy`, () => reaches(prober.via(), ip, marker.port, 500), { withinMs: 30_000 })))
  } finally {
    await marker.close()
  }
}

async function udpReaches(from: LabNode, ip: string, port: number): Promise<boolean> {
  const socks = await SocksUdp.open(from.socksPort)
  try {
    for (let i = 0; i < 2; i++) if (await socks.ask(ip, port, Uint8Array.of(7), PATIENCE_MS / 2)) return true
    return false
  } finally {
    socks.close()
  }
}

/** What gets through from the third node to `to`. */
async function verdicts(world: World, to: LabNode): Promise<Record<string, boolean>> {
  const { prober, one, other } = world
  const { v4, v6 } = await to.ips()
  const probes: Record<string, Promise<boolean>> = {
    'tcp one': reaches(prober.via(), v4, one.port, PATIENCE_MS),
    'tcp6 one': reaches(prober.via(), v6, one.port, PATIENCE_MS),
    'tcp other': reaches(prober.via(), v4, other.port, PATIENCE_MS),
    'tcp6 other': reaches(prober.via(), v6, other.port, PATIENCE_MS),
    udp: udpReaches(prober, v4, udpPort(world)),
    icmp: prober.api.ping(v4, 'ICMP').then(({ Err }) => Err === '', () => false),
  }
  return Object.fromEntries(await Promise.all(Object.entries(probes).map(async ([name, probe]) => [name, await probe] as const)))
}

const blockedOf = async (node: LabNode): Promise<BlockedPage> => JSON.parse((await node.bowline('blocked', '--json')).stdout) as BlockedPage

type Make = (world: World, dst: (ports: string) => string[], dst4: (ports: string) => string[]) => Policy

const ACLS: readonly (readonly [string, Make, Record<string, boolean>])[] = [
  ['one TCP port', ({ one }, dst) => ({ acls: [{ action: 'accept', proto: 'tcp', src: ['*'], dst: dst(String(one.port)) }] }), { 'tcp one': true, 'tcp6 one': true, icmp: true }],
  ['one UDP port over IPv4', (world, _dst, dst4) => ({ acls: [{ action: 'accept', proto: 'udp', src: ['*'], dst: dst4(String(udpPort(world))) }] }), { udp: true, icmp: true }],
  [
    'ranges of ports, whatever the protocol',
    (world, dst) => {
      // Narrow ones: the port that marks the next policy is not to lie in them.
      const ranges = [world.one.port, world.other.port, udpPort(world)].flatMap((port) => dst(`${port - 2}-${port + 2}`))
      return { acls: [{ action: 'accept', src: ['100.64.0.0/10', 'fd7a:115c:a1e0::/48'], dst: ranges }] }
    },
    { 'tcp one': true, 'tcp6 one': true, 'tcp other': true, 'tcp6 other': true, udp: true, icmp: true },
  ],
  ['another source alone', ({ one }, dst) => ({ acls: [{ action: 'accept', src: ['100.64.77.77'], dst: dst(String(one.port)) }] }), { icmp: true }],
]

const GRANTS: typeof ACLS = [
  [
    'grants with ports',
    (world, _dst, dst4) => ({ acls: [], grants: [{ src: ['*'], dst: dst4('').map((ip) => ip.slice(0, -1)), ip: [`tcp:${world.other.port}`, `udp:${udpPort(world)}`] }] }),
    { 'tcp other': true, udp: true, icmp: true },
  ],
]

/** Everybody sees everybody, and nothing is open that anybody serves. */
const SHUT: Policy = { acls: [{ action: 'accept', src: ['*'], dst: ['*:9'] }] }

const NOTHING = { 'tcp one': false, 'tcp6 one': false, 'tcp other': false, 'tcp6 other': false, udp: false, icmp: false }

/** Same policy, same probes, same verdicts. */
function sameVerdicts(lab: () => Lab, world: () => World, policies: typeof ACLS): void {
  test.each(policies)('%s: the third node gets through to ours what it gets through to a tailscaled', async (_name, make, open) => {
    const both = await Promise.all([world().ours, world().stock].map((node) => node.ips()))
    const dst4 = (ports: string): string[] => both.map(({ v4 }) => `${v4}:${ports}`)
    // 0.28 reads no IPv6 address with a port, but a name for one.
    const dst = (ports: string): string[] => [...dst4(ports), ...both.map((_, i) => `six${i}:${ports}`)]
    const hosts = Object.fromEntries(both.map(({ v6 }, i) => [`six${i}`, `${v6}/128`]))
    await enforce(lab(), world(), { hosts, ...make(world(), dst, dst4) })
    const [ours, stock] = await Promise.all([verdicts(world(), world().ours), verdicts(world(), world().stock)])
    expect(ours).toEqual(stock)
    expect(ours).toEqual({ ...NOTHING, ...open })
  })
}

describe.each([
  ['Headscale', {}, [...ACLS, ...GRANTS]],
  ['Headscale 0.28', { headscale: 'before' }, ACLS.slice(0, 3)],
] as const)('the filter under policies of %s', (name, options, policies) => {
  let world: World
  labSuite(name, { relays: 'derper', policy: SHUT, ...options }, async (lab) => void (world = await build(lab)), (lab) => {
    sameVerdicts(lab, () => world, policies)
    if (name !== 'Headscale') return

    test('what a tailscaled refuses us fails at once, and is told with the reason that it gave', async () => {
      const { ours, stock, one, other } = world
      const { v4 } = await stock.ips()
      await enforce(lab(), world, { acls: [{ action: 'accept', src: ['*'], dst: [`${v4}:${one.port}`, `${(await ours.ips()).v4}:${one.port}`] }] })
      expect(await reaches(ours.via(), v4, one.port, 30_000)).toBe(true)
      const refused = await dialVia(ours.via(), v4, other.port, 30_000).catch((error: unknown) => error)
      // "Not allowed by ruleset": not the silence of a time-out, which is 4.
      expect(refused).toBeInstanceOf(ProxyRefusal)
      expect((refused as ProxyRefusal).reply).toBe(2)
      await expect(dialVia(ours.via('http'), v4, other.port, 30_000)).rejects.toMatchObject({ reply: 403 })
      const row = await waitFor('the row', async () => (await blockedOf(ours)).Rows.find(({ Direction }) => Direction === 'out'), { withinMs: 30_000 })
      expect(row).toMatchObject({ Proto: 'tcp', Peer: 'stock', To: `${v4}:${other.port}`, Reason: 'acl', Why: `stock:${other.port} refused this: its rules do not let you in (acl)` })
      const journal = await ours.bowline('debug', 'journal')
      expect(journal.stdout).toContain(`stock:${other.port} refused this`)
    })

    test('what ours refuses a tailscaled is told here', async () => {
      const { ours, prober, other } = world
      const { v4 } = await ours.ips()
      expect(await reaches(prober.via(), v4, other.port, PATIENCE_MS)).toBe(false)
      const row = await waitFor('the row', async () => (await blockedOf(ours)).Rows.find(({ Direction, Peer, To }) => Direction === 'in' && Peer === 'prober' && To === `${v4}:${other.port}`), { withinMs: 30_000 })
      expect(row).toMatchObject({ Proto: 'tcp', Reason: 'acl' })
    })

    test('with shields up nobody gets in, open flows end, and what we begin goes on', async () => {
      const { ours, stock, prober, one } = world
      const [{ v4 }, to] = [await ours.ips(), await stock.ips()]
      const beat = await Heartbeat.open(prober.via(), v4, one.port)
      try {
        await waitFor('answers', () => beat.answers > 3, { withinMs: 30_000 })
        expect((await ours.tailscale('set', '--shields-up')).code).toBe(0)
        await waitFor('the open flow to end', () => Date.now() - beat.lastAnswerMs > 1_500, { withinMs: 30_000 })
        expect(await reaches(prober.via(), v4, one.port, PATIENCE_MS)).toBe(false)
        await waitFor('the row', async () => (await blockedOf(ours)).Rows.some(({ Direction, Reason }) => Direction === 'in' && Reason === 'shields-up'), { withinMs: 30_000 })
        expect(await reaches(ours.via(), to.v4, one.port, 30_000)).toBe(true)
      } finally {
        beat.stop()
        await ours.tailscale('set', '--shields-up=false')
      }
      await waitFor('the port to open again', () => reaches(prober.via(), v4, one.port, PATIENCE_MS), { withinMs: 30_000 })
    })

    test('a peer that went away without a word is said to be offline or silent', async () => {
      const { ours, prober, one } = world
      const { v4 } = await prober.ips()
      await prober.stop('kill')
      await expect(dialVia(ours.via(), v4, one.port, 30_000)).rejects.toBeInstanceOf(ProxyRefusal)
      const row = await waitFor('the row', async () => (await blockedOf(ours)).Rows.find(({ Direction, Peer }) => Direction === 'out' && Peer === 'prober'), { withinMs: 30_000 })
      expect(row.Reason).toMatch(/^(offline|no-path|no-answer)$/)
    })
  })
})
