/**
 * Where the real programs are. They are built by a step of its own (`npm run interop:peers`), never inside a test.
 * Without them the suites are skipped by name; in CI (environment variable CI) a missing program is a failure.
 */
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { Lab, type LabOptions } from './lab.ts'

const script = fileURLToPath(new URL('../build-peers.sh', import.meta.url))

export interface Peers {
  headscale: string
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
  return { headscale: path('headscale'), tailscaled: path('tailscaled'), tailscale: path('tailscale'), derper: path('derper') }
}

/** As findPeers, but throws with what to do. */
export function requirePeers(): Peers {
  const peers = findPeers()
  if (peers === undefined) throw new Error('the real peers are not built: run `npm run interop:peers`')
  return peers
}

/**
 * Declares a suite that has one lab of its own: started before the first test, stopped after the last, logs printed when
 * a test or the start fails. `prepare` runs once with the started lab.
 */
export function labSuite(name: string, options: LabOptions, prepare: (lab: Lab) => Promise<void>, tests: (lab: () => Lab) => void): void {
  const peers = findPeers()
  if (peers === undefined && process.env['CI'] === undefined) {
    describe.skip(`${name} (real peers are not built: npm run interop:peers)`, () => tests(() => unreachable()))
    return
  }
  describe(name, () => {
    let lab: Lab | undefined
    beforeAll(async () => {
      lab = new Lab(peers ?? requirePeers(), options)
      try {
        await lab.start()
        await prepare(lab)
      } catch (error) {
        console.error(lab.logs())
        throw error
      }
    }, 120_000)
    beforeEach((context) => {
      context.onTestFailed(() => console.error(`${context.task.name}\n${lab?.logs() ?? ''}`))
    })
    afterAll(async () => lab?.stop(), 60_000)
    tests(() => lab ?? unreachable())
  })
}

function unreachable(): never {
  throw new Error('the lab is not started')
}
