import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { lockStateDir } from '../../../main/engine/io/state-lock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

let dir: string
const lock = (): (() => void) => lockStateDir(dir, { socketPath: '/run/own.sock', wallMs: Date.UTC(2026, 0, 2) })
beforeEach(() => {
  dir = makeTempDir('lock')
})
afterEach(() => removeTempDir(dir))

describe('the lock of a state directory', () => {
  test('holds against a second engine, names the holder, and goes with it', () => {
    const unlock = lock()
    expect(() => lock()).toThrow(expect.objectContaining({ code: 'already-running', message: expect.stringContaining(`process ${process.pid}, which serves /run/own.sock, since 2026-01-02T00:00:00.000Z`) }))
    unlock()
    expect(existsSync(join(dir, 'engine.lock'))).toBe(false)
    lock()()
  })

  test('of a process that is gone is taken over', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: child.pid, started: '', host: hostname() }))
    lock()()
  })

  test.runIf(process.platform === 'linux')('whose pid belongs to a later process is taken over', () => {
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: process.ppid, started: 'another boot:1', host: hostname() }))
    const unlock = lock()
    expect(JSON.parse(readFileSync(join(dir, 'engine.lock'), 'utf8'))).toMatchObject({ pid: process.pid })
    unlock()
  })

  test('of another machine holds', () => {
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: 1, started: 'x', host: 'another-machine' }))
    expect(() => lock()).toThrow(expect.objectContaining({ message: expect.stringContaining('another-machine') }))
  })

  test('that is rubbish is taken over', () => {
    writeFileSync(join(dir, 'engine.lock'), '\0\0')
    lock()()
  })

  test('given back late does not take the next holder its lock', () => {
    const unlock = lock()
    writeFileSync(join(dir, 'engine.lock'), JSON.stringify({ pid: 1, started: 'x', host: 'another-machine' }))
    unlock()
    expect(existsSync(join(dir, 'engine.lock'))).toBe(true)
  })
})
