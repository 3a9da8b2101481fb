/**
 * `taildrop`: one file from node to node over a direct path and through a derper, from the command to the receiver's last word.
 * Both ends are ours, beside both ends tailscaled, and each is told to send as its own people tell it: `bowline file cp`, where the
 * engine reads the file itself, beside `tailscale file cp`. What arrived is hashed each time.
 *
 *   taildrop-tun                            the same between whole computers with TUN devices; with root alone, each has a network namespace
 *   ours_by_file_put                        the same pair of ours, sent by the official command, which hands the bytes to the engine
 *   ours_to_tailscaled, tailscaled_to_ours  one end each
 *   --full                                  1 GB direct, and 1,000 files of 4 KB in one command
 */
import { mkdirSync } from 'node:fs'
import { Lab } from '../interop/lab/lab.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { makeGoods, readWaiting, removeWaiting, waitingFiles, waitTarget, type Goods } from '../interop/lab/taildrop.ts'
import { usageOf } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, median, print, round, type Sample } from './row.ts'
import { inTunLab, type Ends, type TunLab } from './tun-lab.ts'

const BYTES = 1e8
const LARGE_BYTES = 1e9
const SMALL_FILES = 1000
const SMALL_BYTES = 4096
const MIXED_RUNS = 3
/** Of one command, on a machine with other work. */
const COMMAND_MS = 600_000

type Path = 'direct' | 'relay'
type Send = (from: LabNode, to: LabNode, goods: readonly Goods[]) => Promise<unknown>

interface Pair {
  from: LabNode
  direct: LabNode
  relay: LabNode
}

const byCommand = (word: 'bowline' | 'tailscale'): Send => async (from, to, goods) => {
  const { code, stderr } = await from[word]('file', 'cp', ...goods.map(({ path }) => path), `${to.name}:`)
  if (code !== 0) throw new Error(`${word} from ${from.name} to ${to.name}: ${stderr.slice(-500)}`)
}

const byOurs = byCommand('bowline')
const byOfficial = byCommand('tailscale')

const nameOf = ({ path }: Goods): string => path.slice(path.lastIndexOf('/') + 1)

/** One sending of it all, in Gb/s, with what both ends used; nothing is left behind. */
async function measure(send: Send, from: LabNode, to: LabNode, goods: readonly Goods[]): Promise<Sample> {
  const pids = [from.pid, to.pid]
  const bytes = goods.reduce((sum, { size }) => sum + size, 0)
  const before = pids.map(usageOf)
  const startMs = performance.now()
  await send(from, to, goods)
  const seconds = (performance.now() - startMs) / 1000
  const after = pids.map(usageOf)
  for (const one of goods) {
    const got = await readWaiting(to, nameOf(one))
    if (got.sha256 !== one.sha256) throw new Error(`${from.name} to ${to.name}: ${nameOf(one)} arrived as other bytes (${got.size} of ${one.size})`)
    await removeWaiting(to, nameOf(one))
  }
  if ((await waitingFiles(to)).size > 0) throw new Error(`${to.name} has more files than were sent`)
  const cpuSec = after.reduce((sum, usage, index) => sum + usage.cpuSec - (before[index]?.cpuSec ?? 0), 0)
  return { value: (bytes * 8) / seconds / 1e9, cpuSecPerGb: cpuSec / (bytes / 1e9), rssMb: Math.max(...after.map(({ peakRssMb }) => peakRssMb)) }
}

export async function benchTaildrop({ pairs, full }: BenchOptions): Promise<void> {
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    const make = async (kind: 'bowline' | 'tailscaled', letter: string): Promise<Pair> => ({
      from: await lab.join(kind, `${letter}-from`),
      direct: await lab.join(kind, `${letter}-direct`),
      relay: await lab.join(kind, `${letter}-relay`, { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    })
    const ours = await make('bowline', 'o')
    const peer = await make('tailscaled', 'p')
    for (const one of [ours, peer]) one.from.commandMs = COMMAND_MS
    for (const one of [ours, peer]) for (const to of [ours, peer]) await Promise.all(([to.direct, to.relay]).map((end) => ready(one.from, end)))
    const folder = `${lab.folder}/goods`
    mkdirSync(folder)
    const one = [makeGoods(`${folder}/one.bin`, BYTES)]
    await row('taildrop-direct', pairs, 'direct', ours, peer, one)
    await row('taildrop-relay', pairs, 'relay', ours, peer, one)
    if (process.getuid?.() === 0) await inTunLab('taildrop-tun', (tun) => betweenComputers(tun, pairs, one))
    if (!full) return
    await row('taildrop-direct-1g', pairs, 'direct', ours, peer, [makeGoods(`${folder}/large.bin`, LARGE_BYTES)])
    const small = Array.from({ length: SMALL_FILES }, (_, i) => makeGoods(`${folder}/small-${i}.bin`, SMALL_BYTES, i + 1))
    await row('taildrop-small', pairs, 'direct', ours, peer, small)
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}

/** Between nodes with TUN devices: the commands themselves then speak to their own kernel. */
async function betweenComputers(lab: TunLab, pairs: number, goods: readonly Goods[]): Promise<void> {
  const make = async (kind: 'bowline' | 'tailscaled', letter: string): Promise<Ends> => {
    const ends = { client: await lab.join(kind, `${letter}-from`), server: await lab.join(kind, `${letter}-to`) }
    ends.client.commandMs = COMMAND_MS
    await ready(ends.client, ends.server)
    return ends
  }
  const [ours, peer] = [await make('bowline', 'o'), await make('tailscaled', 'p')]
  const run = async (send: Send, { client, server }: Ends): Promise<Sample> => {
    await client.waitDirect(server)
    return measure(send, client, server, goods)
  }
  print(await compare({ name: 'taildrop-tun', better: 'higher', unit: 'Gb/s', pairs, ours: () => run(byOurs, ours), peer: () => run(byOfficial, peer) }))
}

async function ready(from: LabNode, to: LabNode): Promise<void> {
  await from.waitUsable(to)
  await waitTarget(from, to)
}

/** Measures one row with its mixed pairs and prints it. */
async function row(name: string, pairs: number, path: Path, ours: Pair, peer: Pair, goods: readonly Goods[]): Promise<void> {
  const run = async (send: Send, from: Pair, to: Pair): Promise<Sample> => {
    await confirmPath(from.from, to[path], path)
    return measure(send, from.from, to[path], goods)
  }
  const result = await compare({
    name, better: 'higher', unit: 'Gb/s', pairs,
    ours: () => run(byOurs, ours, ours),
    peer: () => run(byOfficial, peer, peer),
  })
  const extra = async (send: Send, from: Pair, to: Pair): Promise<number> => {
    const values: number[] = []
    for (let i = 0; i < MIXED_RUNS; i++) values.push((await run(send, from, to)).value)
    return round(median(values))
  }
  print({
    ...result,
    ours_by_file_put: await extra(byOfficial, ours, ours),
    ours_to_tailscaled: await extra(byOurs, ours, peer),
    tailscaled_to_ours: await extra(byOfficial, peer, ours),
  })
}

/** Makes sure that the next bytes go the way that the row says. */
async function confirmPath(from: LabNode, to: LabNode, path: Path): Promise<void> {
  if (path === 'direct') return void (await from.waitDirect(to))
  const { v4 } = await to.ips()
  await waitFor(`a relayed answer from ${to.name}`, async () => {
    const { Err, Endpoint } = await from.api.ping(v4, 'disco')
    return Err === '' && Endpoint === ''
  }, { withinMs: 20_000 })
}
