/**
 * A large file between our engines: memory stays flat, and pings beside it are answered.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { usageOf } from '../support/child.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { beginByPath, folderBeside, makeGoods, readWaiting, removeWaiting, waitRows, waitTarget } from './lab/taildrop.ts'

let ours: LabNode
let other: LabNode
let folder = ''

const LARGE_BYTES = 500_000_000
/** Of one end while all of it goes through, above what it had. */
const GROWTH_MB = 150

labSuite(
  'Taildrop of a large file',
  {},
  async (lab) => {
    ;[ours, other] = await Promise.all([lab.join('bowline', 'ours'), lab.join('bowline', 'other')])
    await Promise.all([ours.waitUsable(other), waitTarget(ours, other)])
    await ours.waitDirect(other)
    folder = folderBeside(ours, 'goods')
    mkdirSync(folder)
  },
  () => {
    test('half a gigabyte between ours leaves memory flat, and pings beside it are answered', async () => {
      const sent = makeGoods(join(folder, 'large.bin'), LARGE_BYTES, 1)
      const before = [ours, other].map((node) => usageOf(node.pid).peakRssMb)
      const { v4 } = await other.ips()
      const batch = await beginByPath(ours, other, [sent])
      let isOver = false
      const done = waitRows(ours, batch, (all) => all[0]?.State === 'delivered', 110_000).finally(() => (isOver = true))
      const latencies: number[] = []
      while (!isOver) {
        const pong = await ours.api.ping(v4, 'TSMP')
        expect(pong.Err).toBe('')
        latencies.push(pong.LatencySeconds * 1000)
      }
      await done
      latencies.sort((a, b) => a - b)
      console.log(`TSMP beside a transfer: ${latencies.length} pings, median ${latencies[latencies.length >> 1]?.toFixed(1)} ms, p95 ${latencies[Math.floor(latencies.length * 0.95)]?.toFixed(1)} ms`)
      const after = [ours, other].map((node) => usageOf(node.pid).peakRssMb)
      console.log(`peak RSS, MB: sender ${before[0]} → ${after[0]}, receiver ${before[1]} → ${after[1]}`)
      for (const [i, peak] of after.entries()) expect(peak - before[i]!).toBeLessThan(GROWTH_MB)
      expect(await readWaiting(other, 'large.bin')).toEqual({ size: LARGE_BYTES, sha256: sent.sha256 })
      await removeWaiting(other, 'large.bin')
    })
  },
)
