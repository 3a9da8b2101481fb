/**
 * One measured transfer between two nodes, and what the harness itself can carry without any tunnel.
 */
import { usageOf } from '../support/child.ts'
import type { LabNode } from '../interop/lab/node.ts'
import { round, type Sample } from './row.ts'

/** Moves bytes and says how long it took; Lab.transfer and its like. */
export type Mover = (verb: 'get' | 'put', from: LabNode, host: string, bytes: number) => Promise<{ bytes: number; seconds: number }>

/** One transfer from `from` (through its SOCKS5 proxy) to or from the byte server behind `to`, in Gb/s, with what both ends used. */
export async function measure(move: Mover, verb: 'get' | 'put', from: LabNode, to: LabNode, bytes: number): Promise<Sample> {
  const { v4 } = await to.ips()
  const pids = [from.pid, to.pid]
  const before = pids.map(usageOf)
  const result = await move(verb, from, v4, bytes)
  const after = pids.map(usageOf)
  if (result.bytes !== bytes) throw new Error(`${verb} ${from.name} to ${to.name}: ${result.bytes} of ${bytes} bytes`)
  const cpuSec = after.reduce((sum, usage, index) => sum + usage.cpuSec - (before[index]?.cpuSec ?? 0), 0)
  return {
    value: (bytes * 8) / result.seconds / 1e9,
    cpuSecPerGb: cpuSec / (bytes / 1e9),
    rssMb: Math.max(...after.map(({ peakRssMb }) => peakRssMb)),
  }
}

/** Says on standard error what the harness carries by itself, in Gb/s. */
export async function printCeiling(what: string, run: (verb: 'get' | 'put') => Promise<{ bytes: number; seconds: number }>): Promise<{ get: number; put: number }> {
  const rate = async (verb: 'get' | 'put'): Promise<number> => {
    const { bytes, seconds } = await run(verb)
    return round((bytes * 8) / seconds / 1e9)
  }
  const ceiling = { get: await rate('get'), put: await rate('put') }
  console.error(`ceiling of ${what}: down ${ceiling.get} Gb/s, up ${ceiling.put} Gb/s`)
  return ceiling
}
