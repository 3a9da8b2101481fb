/**
 * A test suite with a lab of its own. Without the real peers it is skipped by name; in CI (environment variable CI) a
 * missing program is a failure.
 */
import { afterAll, beforeAll, beforeEach, describe } from 'vitest'
import { Lab, type LabOptions } from './lab.ts'
import { findPeers, requirePeers } from './peers.ts'

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
