/**
 * `pipe`: the native data plane alone, in memory: seal, path, open, source check, filter, with 1 and with 1,000 peers,
 * beside a bare seal and open of the cipher on one core. The work is a Rust example of the dataplane crate; it prints the
 * samples, this makes the rows.
 */
import { fileURLToPath } from 'node:url'
import { runOk } from '../support/child.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'

const manifest = fileURLToPath(new URL('../../native/Cargo.toml', import.meta.url))

export async function benchPipe({ pairs }: BenchOptions): Promise<void> {
  const cargo = (...words: string[]): Promise<string> => runOk('cargo', [...words, '--release', '--locked', '--manifest-path', manifest, '-p', 'dataplane', '--example', 'pipe'], { timeoutMs: 600_000 })
  await cargo('build')
  const sample = async (...words: string[]): Promise<Sample> => {
    const text = await runOk('cargo', ['run', '-q', '--release', '--locked', '--manifest-path', manifest, '-p', 'dataplane', '--example', 'pipe', '--', ...words], { timeoutMs: 120_000 })
    return { value: (JSON.parse(text) as { gbps: number }).gbps }
  }
  for (const peers of [1, 1000]) {
    print(await compare({ name: `pipe-${peers}`, better: 'higher', unit: 'Gb/s', pairs, ours: () => sample('pipe', String(peers)), peer: () => sample('bare') }))
  }
}
