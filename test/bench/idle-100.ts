/**
 * `idle-100`: what a node costs in a tailnet of 100 others while nothing happens: processor time, wake-ups, memory and the
 * datagrams it sends, ours and a tailscaled side by side, each at a public address of its own. The others are control
 * clients alone: registered, online, with addresses and a home relay. Two minutes; ten with --full. Linux, root.
 *
 * `pass` and `goal` of a row are absolute. What leaves the namespace is counted beside the wake-ups: relays and control keep
 * their connections alive over TCP, and nothing else has a reason to be sent.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import type { LabNode } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { NatLab } from '../natlab/nat-lab.ts'
import type { Site } from '../natlab/networks.ts'
import { Child, runOk, threadCpuSec, usageOf } from '../support/child.ts'
import { pause, waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { median, print, round, rowOf, type Sample } from './row.ts'

const OTHERS = 99
const WINDOW_SEC = 30
/** After joining, work of the start goes on for a while that is not idling. */
const SETTLE_SEC = 45
const silentPeers = fileURLToPath(new URL('silent-peers.ts', import.meta.url))

const COUNTERS = `table inet idle {
  chain leaving {
    type filter hook output priority 0; policy accept
    oif lo accept
    meta l4proto udp counter comment "udp"
    meta l4proto tcp counter comment "tcp"
  }
}
`

export async function benchIdle100({ full }: BenchOptions): Promise<void> {
  if (process.getuid?.() !== 0) throw new Error('idle-100 makes network namespaces and needs root')
  const windows = full ? 20 : 4
  const lab = new NatLab(requirePeers())
  let others: Child | undefined
  try {
    await lab.start()
    const words = [lab.headscale.url, await lab.headscale.authKey({ reusable: true }), String(OTHERS)]
    others = new Child({ name: 'others', command: process.execPath, args: [silentPeers, ...words], prefix: (await lab.networks.add('public')).prefix })
    await waitFor('the others to join', () => (others?.assertRunning(), others?.stdout.includes('ready')), { withinMs: 300_000 })
    const sites = [await lab.networks.add('public'), await lab.networks.add('public')]
    const nodes = [await lab.join('bowline', 'ours', sites[0]!), await lab.join('tailscaled', 'peer', sites[1]!)]
    for (const node of nodes) await waitFor(`${node.name} to see all`, async () => Object.keys((await node.api.status()).Peer ?? {}).length > OTHERS, { withinMs: 60_000 })
    await pause(SETTLE_SEC * 1000)
    for (const site of sites) await runOk('nft', [COUNTERS], { prefix: site.prefix })
    await measure(nodes, sites, windows)
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await others?.stop()
    await lab.stop()
  }
}

interface Reading {
  readonly cpuSec: number
  readonly wakeups: number
  readonly udp: number
  readonly tcp: number
}

async function read(node: LabNode, site: Site): Promise<Reading> {
  return { cpuSec: threadCpuSec(node.pid), wakeups: wakeupsOf(node.pid), ...(await packetsOf(site)) }
}

async function measure(nodes: readonly LabNode[], sites: readonly Site[], windows: number): Promise<void> {
  const make = (): [Sample[], Sample[]] => [[], []]
  const found = { cpu: make(), wakeups: make(), rss: make(), udp: make(), tcp: make() }
  for (let window = 0; window < windows; window++) {
    const before = await Promise.all(nodes.map((node, side) => read(node, sites[side]!)))
    const startedMs = performance.now()
    await pause(WINDOW_SEC * 1000)
    const seconds = (performance.now() - startedMs) / 1000
    const after = await Promise.all(nodes.map((node, side) => read(node, sites[side]!)))
    for (const side of [0, 1] as const) {
      const grown = (name: keyof Reading): number => after[side]![name] - before[side]![name]
      found.cpu[side].push({ value: (grown('cpuSec') / seconds) * 100 })
      found.wakeups[side].push({ value: grown('wakeups') / seconds })
      found.rss[side].push({ value: usageOf(nodes[side]!.pid).rssMb })
      found.udp[side].push({ value: (grown('udp') / seconds) * 60 })
      found.tcp[side].push({ value: (grown('tcp') / seconds) * 60 })
      console.error(`idle-100 ${window + 1}/${windows} ${nodes[side]!.name}:`, JSON.stringify(Object.fromEntries(Object.entries(found).map(([name, sides]) => [name, sides[side].at(-1)?.value.toPrecision(3)]))))
    }
  }
  const perMinute = ([ours, peer]: [Sample[], Sample[]], name: string): Record<string, number> => ({ [`${name}_per_min`]: middle(ours), [`peer_${name}_per_min`]: middle(peer) })
  const sent = { ...perMinute(found.udp, 'udp_sent'), ...perMinute(found.tcp, 'tcp_sent') }
  const row = (name: string, unit: string, sides: [Sample[], Sample[]], extra: Record<string, number>): void =>
    print(rowOf({ name: `idle-100-${name}`, better: 'lower', unit, extra }, ...sides))
  row('cpu', '% of a core', found.cpu, { pass: 0.5, goal: 0.1 })
  row('wakeups', '/s', found.wakeups, { pass: 10, goal: 2, ...sent })
  row('rss', 'MB', found.rss, { pass: 120, goal: 80 })
}

function middle(samples: readonly Sample[]): number {
  return round(median(samples.map(({ value }) => value)))
}

/** How often the process's threads gave the processor up by themselves, since they exist. */
function wakeupsOf(pid: number): number {
  let sum = 0
  for (const task of readdirSync(`/proc/${pid}/task`)) {
    try {
      sum += Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8'))?.[1] ?? 0)
    } catch {
      // The thread ended between the two readings.
    }
  }
  return sum
}

interface ListedRule {
  readonly rule?: { readonly comment?: string; readonly expr: readonly { readonly counter?: { readonly packets: number } }[] }
}

async function packetsOf(site: Site): Promise<{ udp: number; tcp: number }> {
  const { nftables } = JSON.parse(await runOk('nft', ['-j', 'list', 'table', 'inet', 'idle'], { prefix: site.prefix })) as { nftables: readonly ListedRule[] }
  const of = (name: string): number => nftables.flatMap(({ rule }) => (rule?.comment === name ? rule.expr : [])).reduce((sum, { counter }) => sum + (counter?.packets ?? 0), 0)
  return { udp: of('udp'), tcp: of('tcp') }
}
