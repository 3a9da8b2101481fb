/**
 * Waiting for a direct path: answered by news or by the clock, and nothing stays behind.
 */
import { expect, test } from 'vitest'
import type { NodePublicKey } from '../../../main/engine/base/keys.ts'
import { recorded, makeRig } from './rig.ts'

const peer = recorded('02-initial-one-peer.json').Peers![0]!.Key as NodePublicKey
const evidence = { path: { kind: 'relay', region: 999 }, noDirect: undefined, latencyMs: undefined, candidates: [], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false } as const
const direct = { peer, path: { kind: 'direct', addr: { ip: '192.0.2.1', port: 1 } }, latencyMs: 1, sinceMs: 0, evidence } as const
const relayed = { ...direct, path: { kind: 'relay', region: 999 } } as const

function joined(): ReturnType<typeof makeRig> {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  rig.signIn()
  return rig
}

test('who waits is told when the path becomes direct, all of them, and not by other news', async () => {
  const rig = joined()
  const told: string[] = []
  const waits = ['a', 'b'].map((who) => rig.backend.waitDirect('100.64.0.2', 1_000).then((answer) => told.push(`${who} ${answer}`)))
  rig.backend.facts.magicsock.onPath(relayed)
  await Promise.resolve()
  expect(told).toEqual([])
  rig.backend.facts.magicsock.onPath(direct)
  await Promise.all(waits)
  expect(told).toEqual(['a true', 'b true'])
})

test('who waits in vain is told so at the end of the time', async () => {
  const rig = joined()
  const wait = rig.backend.waitDirect('100.64.0.2', 1_000)
  rig.clock.advance(1_000)
  expect(await wait).toBe(false)
})

test('what is direct already is answered at once, and for nobody there is nothing to wait for', async () => {
  const rig = joined()
  rig.magicsock.pathViews.set(peer as never, direct)
  expect(await rig.backend.waitDirect('100.64.0.2', 1_000)).toBe(true)
  expect(await rig.backend.waitDirect('100.99.0.1', 1_000)).toBeUndefined()
})
