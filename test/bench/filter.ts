/**
 * `filter`: the native pipeline with 10,000 rules, and with 1,000 peers and a rule for each, beside itself with one of each; flows
 * of TCP and UDP, and new ones all the time. Beside the rows: what judging a new flow costs, and how long a change of policy takes
 * with 4,000 open flows, from the server's rules to the last flow that it ends.
 */
import { fileURLToPath } from 'node:url'
import { compileFilter } from '../../main/engine/core/filter/compile.ts'
import type { FilterRule } from '../../main/engine/core/tailcfg/types.ts'
import { diffTables, encodeTables } from '../../main/engine/dataplane/tables.ts'
import { runOk } from '../support/child.ts'
import type { BenchOptions } from './options.ts'
import { compare, median, print, round, type Sample } from './row.ts'

const manifest = fileURLToPath(new URL('../../native/Cargo.toml', import.meta.url))

interface Measured {
  readonly gbps: number
  readonly new_flow_ns: number
  readonly apply_ms: number
  readonly cut_ms: number
}

export async function benchFilter({ pairs }: BenchOptions): Promise<void> {
  const cargo = (words: readonly string[], more: readonly string[] = []): Promise<string> =>
    runOk('cargo', [...words, '--release', '--locked', '--manifest-path', manifest, '-p', 'dataplane', '--example', 'filter', ...more], { timeoutMs: 600_000 })
  await cargo(['build'])
  for (const [name, kind, count] of [['filter-10000', 'rules', 10_000], ['filter-peers-1000', 'peers', 1_000]] as const) {
    const seen: Measured[] = []
    const sample = async (many: number): Promise<Sample> => {
      const measured = JSON.parse(await cargo(['run', '-q'], ['--', kind, String(many)])) as Measured
      if (many > 1) seen.push(measured)
      return { value: measured.gbps }
    }
    const row = await compare({ name, better: 'higher', unit: 'Gb/s', pairs, ours: () => sample(count), peer: () => sample(1) })
    const middle = (of: (one: Measured) => number): number => round(median(seen.map(of)))
    print({ ...row, new_flow_ns: middle((one) => one.new_flow_ns), apply_ms: middle((one) => one.apply_ms), cut_ms: middle((one) => one.cut_ms), compile_ms: round(median(Array.from({ length: 11 }, () => compileMs(count)))) })
  }
}

/** Milliseconds of JavaScript from so many rules of the server to the message for the packet thread, the one before compared with. */
function compileMs(count: number): number {
  const configOf = (port: number): Parameters<typeof diffTables>[1] => {
    const rules = Array.from({ length: count }, (_, i): FilterRule => ({
      SrcIPs: [`100.${64 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`], DstPorts: [{ IP: '100.64.0.1', Ports: { First: 1_000 + (i % 50), Last: 1_000 + (i % 50) + (i === 0 ? port : 0) } }],
    }))
    const startMs = performance.now()
    const { matches } = compileFilter(rules, [])
    spentMs += performance.now() - startMs
    return { selfAddresses: ['100.64.0.1'], peers: [], filter: { matches, localNets: ['100.64.0.1/32'], shieldsUp: false } }
  }
  let spentMs = 0
  const before = configOf(1)
  spentMs = 0
  const after = configOf(2)
  const startMs = performance.now()
  const delta = diffTables(before, after)
  if (delta) encodeTables(delta)
  return spentMs + performance.now() - startMs
}
