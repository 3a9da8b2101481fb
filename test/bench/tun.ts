/**
 * `tun`: what ordinary programs of two whole computers move over the tailnet, by TUN devices. Both ends are ours, beside both
 * ends tailscaled, with the same server and the same relays.
 *
 *   tun-tcp1, tun-tcp1-rev, tun-tcp4   1 GB direct over one stream out, one in, four out
 *   tun-relay                          100 MB through a derper, one stream
 *   tun-udp, tun-pps                   the highest rate that loses at most 0.5 %: datagrams of 1232 B, packets of 64 B
 *   tun-rtt-load                       the middle round trip of a small datagram while a stream goes the same way; `idle` beside
 */
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { pause, waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'
import { inTunLab, TRAFFIC_PORT, type TunLab } from './tun-lab.ts'

const DIRECT_BYTES = 1e9
const RELAYED_BYTES = 1e8
const MAX_LOSS = 0.005
const PROBE_SECONDS = 1
const LOAD_SECONDS = 2
/** A rate is known to this factor. */
const PRECISION = 1.1
const FIRST_RATE = 20_000

const DATAGRAMS = [
  { name: 'tun-udp', payload: 1232, unit: 'Gb/s', of: (perSecond: number) => (perSecond * 1232 * 8) / 1e9 },
  // 20 bytes of IPv4 and 8 of UDP before them.
  { name: 'tun-pps', payload: 36, unit: 'packets/s', of: (perSecond: number) => perSecond },
] as const

interface Side {
  readonly client: LabNode
  readonly direct: LabNode
  readonly relayed: LabNode
  readonly rates: Map<string, number>
}

async function makeSide(lab: TunLab, kind: NodeKind, letter: string): Promise<Side> {
  const side = {
    client: await lab.join(kind, `${letter}-client`),
    direct: await lab.join(kind, `${letter}-direct`),
    relayed: await lab.join(kind, `${letter}-relayed`, { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    rates: new Map<string, number>(),
  }
  for (const one of [side.direct, side.relayed]) await side.client.waitUsable(one)
  await side.client.waitDirect(side.direct)
  return side
}

export function benchTun({ pairs, full }: BenchOptions): Promise<void> {
  return inTunLab('tun', async (lab) => {
    const ours = await makeSide(lab, 'bowline', 'o')
    const peer = await makeSide(lab, 'tailscaled', 'p')
    const ceiling = await lab.printCeiling(peer.client, DIRECT_BYTES)
    const row = async (name: string, better: 'higher' | 'lower', unit: string, one: (side: Side) => Promise<Sample>, extra: Record<string, unknown> = {}): Promise<void> => {
      print(await compare({ name, better, unit, pairs, ours: () => one(ours), peer: () => one(peer), extra }))
    }
    const bytes = full ? DIRECT_BYTES * 4 : DIRECT_BYTES
    for (const [name, verb, streams] of [['tun-tcp1', 'put', 1], ['tun-tcp1-rev', 'get', 1], ['tun-tcp4', 'put', 4]] as const) {
      await row(name, 'higher', 'Gb/s', async ({ client, direct }) => {
        await client.waitDirect(direct)
        return lab.tcp({ client, server: direct }, verb, (await direct.ips()).v4, bytes, streams)
      }, { ceiling: ceiling[verb] })
    }
    await row('tun-relay', 'higher', 'Gb/s', async ({ client, relayed }) => {
      await confirmRelayed(client, relayed)
      return lab.tcp({ client, server: relayed }, 'put', (await relayed.ips()).v4, RELAYED_BYTES)
    })
    for (const { name, payload, unit, of } of DATAGRAMS) {
      await row(name, 'higher', unit, async (side) => {
        await side.client.waitDirect(side.direct)
        return { value: of(await highestRate(lab, side, name, payload)) }
      })
    }
    const idle = { idle: await roundTrip(lab, ours), peer_idle: await roundTrip(lab, peer) }
    await row('tun-rtt-load', 'lower', 'ms', (side) => underLoad(lab, side), idle)
  })
}

async function confirmRelayed(from: LabNode, to: LabNode): Promise<void> {
  const { v4 } = await to.ips()
  await waitFor(`a relayed answer from ${to.name}`, async () => {
    const { Err, Endpoint } = await from.api.ping(v4, 'disco')
    return Err === '' && Endpoint === ''
  }, { withinMs: 20_000 })
}

/** The most datagrams a second of a size that arrive with little loss. The last answer is where the next search begins. */
async function highestRate(lab: TunLab, { client, direct, rates }: Side, name: string, payload: number): Promise<number> {
  const { v4 } = await direct.ips()
  let best = 0
  // The answer is how many came through; undefined when too many were lost. One of two tries must hold.
  const holds = async (rate: number): Promise<boolean> => {
    for (let attempt = 0; attempt < 2; attempt++) {
      const { sent, received, seconds } = await lab.traffic<{ sent: number; received: number; seconds: number }>(client.prefix, 'udp', v4, TRAFFIC_PORT, payload, Math.round(rate), PROBE_SECONDS)
      const isSlowSender = sent < rate * seconds * 0.9
      if (sent - received > sent * MAX_LOSS) continue
      best = Math.max(best, received / seconds)
      return !isSlowSender
    }
    return false
  }
  let rate = rates.get(name) ?? FIRST_RATE
  let [low, high] = [0, Infinity]
  while (high / Math.max(low, 1) > PRECISION && rate > 100) {
    if (await holds(rate)) low = rate
    else high = rate
    rate = high === Infinity ? low * 1.5 : low === 0 ? high / 1.5 : Math.sqrt(low * high)
  }
  rates.set(name, Math.max(best, FIRST_RATE / 10))
  return best
}

async function roundTrip(lab: TunLab, { client, direct }: Side): Promise<number> {
  const { v4 } = await direct.ips()
  return (await lab.traffic<{ p50: number }>(client.prefix, 'rtt', v4, TRAFFIC_PORT, LOAD_SECONDS, 2000)).p50
}

async function underLoad(lab: TunLab, side: Side): Promise<Sample> {
  const { v4 } = await side.direct.ips()
  await side.client.waitDirect(side.direct)
  const load = lab.keepUp(side.client.prefix, 'tcp', 'put', v4, TRAFFIC_PORT, 1e12, 1)
  try {
    await pause(500)
    load.assertRunning()
    return { value: await roundTrip(lab, side) }
  } finally {
    await load.stop()
  }
}
