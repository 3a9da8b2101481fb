import { describe, expect, test } from 'vitest'
import type { StateKeysPort, StateOpening } from '../../../main/engine/backend/ports.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { makeRig } from './rig.ts'

/** A key that the test puts away and brings back. */
class HandKeys implements StateKeysPort {
  asked = 0
  answer: StateOpening = { kind: 'locked', why: 'it is locked' }
  async open(): Promise<StateOpening> {
    this.asked++
    return this.answer
  }
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 10; i++) await Promise.resolve()
}

describe('state whose key is away', () => {
  test('is closed, told once, written by nobody, and opened when the key is there', async () => {
    const keys = new HandKeys()
    const store = new MemoryStore()
    const rig = makeRig({ store, stateKeys: keys })
    await rig.backend.unlock()
    await rig.backend.open()
    rig.clock.advance(3_000)
    await turns()
    expect(keys.asked).toBe(2)
    expect(rig.backend.closed).toContain('it is locked')
    expect(rig.backend.views.health().Warnings).toHaveProperty('state-store-health')
    expect(rig.journal.filter(({ kind }) => kind === 'state-closed')).toHaveLength(1)
    expect(store.load('state', (text) => text)).toBeUndefined()
    keys.answer = { kind: 'open', plainWhy: undefined, rewrite: undefined }
    rig.clock.advance(3_000)
    await turns()
    expect(rig.backend.closed).toBeUndefined()
    expect(rig.backend.views.status(false).BackendState).toBe('NeedsLogin')
    expect(rig.backend.views.health().Warnings).toBeNull()
    expect(store.load('state', (text) => text)).toBeDefined()
  })

  test('is not asked for any more after the end', async () => {
    const keys = new HandKeys()
    const rig = makeRig({ stateKeys: keys })
    await rig.backend.unlock()
    await rig.backend.open()
    rig.backend.stop()
    rig.clock.advance(60_000)
    await turns()
    expect(keys.asked).toBe(1)
  })

  test('that stays plain is a warning that says why', async () => {
    const keys = new HandKeys()
    keys.answer = { kind: 'open', plainWhy: 'no keyring serves this session', rewrite: undefined }
    const rig = makeRig({ stateKeys: keys })
    await rig.backend.unlock()
    await rig.backend.open()
    expect(rig.backend.views.health().Warnings!['secret-store-plain']).toMatchObject({ Severity: 'low', Text: expect.stringContaining('no keyring serves this session') })
  })
})
