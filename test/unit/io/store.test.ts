import * as nodeFs from 'node:fs'
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { spawnSync } from 'node:child_process'
import { Store, type StoreFs } from '../../../main/engine/io/store.ts'
import { HandClock } from '../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

let dir: string
let clock: HandClock
const parse = (text: string): string | undefined => (text.startsWith('good') ? text : undefined)
const open = (): Store => new Store({ dir: join(dir, 'state'), clock })

beforeEach(() => {
  dir = makeTempDir('store')
  clock = new HandClock()
})
afterEach(() => removeTempDir(dir))

describe('the state store', () => {
  test('keeps a file for its owner alone', () => {
    const store = open()
    store.save('state', 'good 1')
    expect(open().load('state', parse)).toMatchObject({ value: 'good 1', from: 'current' })
    expect(statSync(join(dir, 'state')).mode & 0o777).toBe(0o700)
    expect(statSync(join(dir, 'state/state.json')).mode & 0o777).toBe(0o600)
  })

  test('a damaged file is kept aside and the one before is used, and told', () => {
    const store = open()
    store.save('state', 'good 1')
    store.save('state', 'good 2')
    writeFileSync(join(dir, 'state/state.json'), '\0rubbish')
    const again = open()
    expect(again.load('state', parse)).toMatchObject({ value: 'good 1', from: 'previous' })
    const [problem] = again.problems()
    expect(readFileSync(problem!.keptAside, 'utf8')).toBe('\0rubbish')
    expect(problem!.usedFromMs).toBeGreaterThan(0)
  })

  test('when both generations are damaged it starts empty, and both are still there', () => {
    const store = open()
    store.save('state', 'good 1')
    store.save('state', 'good 2')
    truncateSync(join(dir, 'state/state.json'), 0)
    truncateSync(join(dir, 'state/state.json.previous'), 2)
    const again = open()
    expect(again.load('state', parse)).toBeUndefined()
    expect(again.problems()).toMatchObject([{ usedFromMs: undefined }])
    expect(readdirSync(join(dir, 'state')).filter((name) => name.includes('damaged'))).toHaveLength(2)
  })

  test('a file that vanished between two writes is replaced by the one before', () => {
    const store = open()
    store.save('state', 'good 1')
    store.save('state', 'good 2')
    const { unlinkSync } = process.getBuiltinModule('node:fs')
    unlinkSync(join(dir, 'state/state.json'))
    expect(open().load('state', parse)).toMatchObject({ value: 'good 1', from: 'previous' })
    expect(open().problems()).toEqual([])
  })

  test('a write that was cut short leaves the old file in force', () => {
    const store = open()
    store.save('state', 'good 1')
    writeFileSync(join(dir, 'state/state.json.tmp'), 'goo')
    expect(open().load('state', parse)).toMatchObject({ value: 'good 1', from: 'current' })
  })

  test('of several late saves only the last is written', () => {
    const store = open()
    let made = 0
    for (const text of ['good 1', 'good 2', 'good 3']) store.saveLater('netmap', () => (made++, text))
    expect(store.load('netmap', parse)).toBeUndefined()
    clock.advance(1000)
    expect(store.load('netmap', parse)).toMatchObject({ value: 'good 3' })
    expect(made).toBe(1)
  })

  test('what waits is written at the end, and a removed file does not come back', () => {
    const store = open()
    store.saveLater('a', () => 'good a')
    store.saveLater('b', () => 'good b')
    store.remove('b')
    store.flush()
    expect(store.load('a', parse)).toMatchObject({ value: 'good a' })
    expect(store.load('b', parse)).toBeUndefined()
  })

  test('a directory in the way of a file is told with its path', () => {
    const store = open()
    store.save('state', 'good 1')
    expect(() => new Store({ dir: join(dir, 'state/state.json'), clock })).toThrow(expect.objectContaining({ code: 'io', message: expect.stringContaining('state.json') }))
  })

  test('a disk that fails at any point of a write leaves a good file, says so, and the next write is taken', () => {
    let failAt = 0
    let passed = 0
    const fs: Record<string, unknown> = { ...nodeFs }
    for (const name of ['openSync', 'writeSync', 'fsyncSync', 'renameSync', 'linkSync', 'copyFileSync'] as const) {
      fs[name] = (...args: unknown[]) => {
        if (++passed === failAt) throw Object.assign(new Error('ENOSPC: no space left on device'), { code: 'ENOSPC' })
        return (nodeFs[name] as (...args: unknown[]) => unknown)(...args)
      }
    }
    const failing = (): Store => new Store({ dir: join(dir, 'state'), clock, fs: fs as unknown as StoreFs })
    failing().save('state', 'good 1')
    let failures = 0
    for (failAt = 1; ; failAt++) {
      passed = 0
      const store = failing()
      const before = store.load('state', parse)!.value
      try {
        store.save('state', `good ${failAt + 1}`)
        if (passed < failAt) break
      } catch (error) {
        failures++
        expect(error).toMatchObject({ code: 'io', message: expect.stringMatching(/state\.json cannot be written.*no space left/) })
      }
      const after = open()
      expect([before, `good ${failAt + 1}`]).toContain(after.load('state', parse)?.value)
      expect(after.problems()).toEqual([])
      expect(existsSync(join(dir, 'state/state.json.tmp')) && passed < 3).toBe(false)
      open().save('state', `good ${failAt + 1}`)
    }
    expect(failures).toBeGreaterThan(5)
  })

  test.runIf(process.platform === 'linux' && process.getuid?.() === 0)('a full disk is told, and the old file stays', () => {
    const small = join(dir, 'small')
    nodeFs.mkdirSync(small)
    if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=32k', 'none', small]).status !== 0) return
    try {
      const store = new Store({ dir: small, clock })
      store.save('state', 'good 1')
      expect(() => store.save('state', `good ${'x'.repeat(64 * 1024)}`)).toThrow(expect.objectContaining({ code: 'io', message: expect.stringContaining('no space left') }))
      expect(store.load('state', parse)).toMatchObject({ value: 'good 1', from: 'current' })
      store.save('state', 'good 2')
      expect(store.load('state', parse)).toMatchObject({ value: 'good 2' })
    } finally {
      spawnSync('umount', [small])
    }
  })

  test('a replaced file leaves nothing of before in either generation', () => {
    const store = open()
    store.save('state', 'good secret 1')
    store.save('state', 'good secret 2')
    store.replace('state', 'good 3')
    const files = readdirSync(join(dir, 'state')).map((name) => readFileSync(join(dir, 'state', name), 'utf8'))
    expect(files).toEqual(['good 3', 'good 3'])
  })

  test('any bytes at all are kept aside or read, and the engine goes on', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.boolean(), (bytes, both) => {
        const store = open()
        store.replace('state', 'good 1')
        writeFileSync(join(dir, 'state/state.json'), bytes)
        if (both) writeFileSync(join(dir, 'state/state.json.previous'), bytes)
        const value = store.load('state', parse)?.value
        expect(both || value?.startsWith('good')).toBe(true)
        for (const name of readdirSync(join(dir, 'state'))) nodeFs.rmSync(join(dir, 'state', name))
      }),
      { numRuns: 100 },
    )
  })

  test.skipIf(process.getuid?.() === 0)('a directory that may not be written to is an error with its path', () => {
    const store = open()
    chmodSync(join(dir, 'state'), 0o500)
    expect(() => store.save('state', 'good')).toThrow(expect.objectContaining({ code: 'io' }))
    expect(existsSync(join(dir, 'state/state.json'))).toBe(false)
  })
})

test.each(['', 'null', '{', '[1', '\0\0', '{"port":'])('a reader that stumbles over %j gets nothing, and the file is put aside', (text) => {
  const store = new Store({ dir, clock })
  writeFileSync(join(dir, 'small.json'), text)
  expect(store.load('small', (read) => (JSON.parse(read) as { port: number }).port)).toBeUndefined()
  expect(store.problems()).toMatchObject([{ name: 'small' }])
  expect(existsSync(join(dir, 'small.json'))).toBe(false)
})
