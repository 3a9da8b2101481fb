import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockStateDir } from '../../../main/engine/io/state-lock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

let dir: string
beforeEach(() => {
  dir = makeTempDir('lock')
})
afterEach(() => removeTempDir(dir))

describe('the lock of a state directory', () => {
  test('holds against a second engine, names the holder, and goes with it', () => {
    const unlock = lockStateDir(dir)
    expect(() => lockStateDir(dir)).toThrow(expect.objectContaining({ code: 'already-running', message: expect.stringContaining(String(process.pid)) }))
    unlock()
    expect(existsSync(join(dir, 'engine.lock'))).toBe(false)
    lockStateDir(dir)()
  })

  test('of a process that is gone is taken over', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: child.pid, started: '', host: hostname() }))
    lockStateDir(dir)()
  })

  test.runIf(process.platform === 'linux')('whose pid belongs to a later process is taken over', () => {
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: process.ppid, started: 'another boot:1', host: hostname() }))
    const unlock = lockStateDir(dir)
    expect(JSON.parse(readFileSync(join(dir, 'engine.lock'), 'utf8'))).toMatchObject({ pid: process.pid })
    unlock()
  })

  test('of another machine holds', () => {
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: 1, started: 'x', host: 'another-machine' }))
    expect(() => lockStateDir(dir)).toThrow(expect.objectContaining({ message: expect.stringContaining('another-machine') }))
  })

  test('that is rubbish is taken over', () => {
    writeFileSync(join(dir, 'engine.lock'), '\0\0')
    lockStateDir(dir)()
  })

  test('given back late does not take the next holder its lock', () => {
    const unlock = lockStateDir(dir)
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: 1, started: 'x', host: 'another-machine' }))
    unlock()
    expect(existsSync(join(dir, 'engine.lock'))).toBe(true)
  })
})
