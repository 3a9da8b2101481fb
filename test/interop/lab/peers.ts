/**
 * Where the real programs are. They are built by a step of its own (`npm run interop:peers`), never inside a test.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

const script = fileURLToPath(new URL('../build-peers.sh', import.meta.url))

export interface Peers {
  headscale: string
  /** The Headscale of the version before. */
  headscaleBefore: string
  tailscaled: string
  tailscale: string
  derper: string
}

/** Returns the programs' paths, or undefined when they are not all built. */
export function findPeers(): Peers | undefined {
  const { status, stdout } = spawnSync('bash', [script, '--where'], { encoding: 'utf8' })
  if (status !== 0) return undefined
  const bin = stdout.trim()
  const path = (program: string): string => join(bin, program)
  return { headscale: path('headscale'), headscaleBefore: path('headscale-before'), tailscaled: path('tailscaled'), tailscale: path('tailscale'), derper: path('derper') }
}

/** As findPeers, but throws with what to do. */
export function requirePeers(): Peers {
  const peers = findPeers()
  if (peers === undefined) throw new Error('the real peers are not built: run `npm run interop:peers`')
  return peers
}
