/**
 * `idle`: what a node costs while nothing happens: two peers, no traffic, two minutes, ours and a tailscaled side by side.
 * `idle-cpu` in per cent of one core, `idle-rss` in MB.
 */
import { Lab } from '../interop/lab/lab.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { threadCpuSec, usageOf } from '../support/child.ts'
import { pause } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { print, rowOf, type Sample } from './row.ts'

const WINDOW_SEC = 30

/** After joining, work of the start goes on for a while that is not idling. */
const SETTLE_SEC = 20

export async function benchIdle({ full }: BenchOptions): Promise<void> {
  const windows = full ? 20 : 4
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    const [ours, peer, other] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'peer'), lab.join('tailscaled', 'other')])
    await Promise.all([ours.waitUsable(other), peer.waitUsable(other)])
    await pause(SETTLE_SEC * 1000)
    const cpu: [Sample[], Sample[]] = [[], []]
    const rss: [Sample[], Sample[]] = [[], []]
    for (let window = 0; window < windows; window++) {
      const pids = [ours.pid, peer.pid]
      const before = pids.map(threadCpuSec)
      const startedMs = performance.now()
      await pause(WINDOW_SEC * 1000)
      const seconds = (performance.now() - startedMs) / 1000
      pids.forEach((pid, side) => {
        cpu[side]?.push({ value: ((threadCpuSec(pid) - (before[side] ?? 0)) / seconds) * 100 })
        rss[side]?.push({ value: usageOf(pid).rssMb })
      })
    }
    print(rowOf({ name: 'idle-cpu', better: 'lower', unit: '% of a core' }, ...cpu))
    print(rowOf({ name: 'idle-rss', better: 'lower', unit: 'MB' }, ...rss))
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}
