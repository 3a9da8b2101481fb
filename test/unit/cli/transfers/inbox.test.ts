import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { LocalApi } from '../../../../main/cli/client.ts'
import { fetchFile } from '../../../../main/cli/transfers/inbox.ts'
import type { Conflict } from '../../../../main/cli/transfers/inbox.ts'
import { PlayedEngine } from './played-engine.ts'

let engine: PlayedEngine
let folder: string
beforeEach(async () => {
  engine = await new PlayedEngine().start()
  folder = join(engine.dir, 'to')
  mkdirSync(folder)
})
afterEach(() => engine.stop())

const never = new AbortController().signal
const offer = (Name: string, text = 'new', told?: number): void => void engine.files.push({ Name, Size: text.length, bytes: Buffer.from(text), ...(told === undefined ? {} : { told }) })
const fetch = (Name: string, conflict: Conflict): Promise<string> => fetchFile(new LocalApi(engine.socketPath), { Name, Size: 3 }, folder, conflict, () => {}, never)
const has = (name: string): string => readFileSync(join(folder, name), 'utf8')

describe('a file that is fetched', () => {
  test('is whole under its name, and then no longer waits', async () => {
    offer('two words ✓.txt')
    expect(await fetch('two words ✓.txt', 'skip')).toBe(join(folder, 'two words ✓.txt'))
    expect([readdirSync(folder), has('two words ✓.txt'), engine.files]).toEqual([['two words ✓.txt'], 'new', []])
  })

  test('that is there already goes on waiting, replaces it, or gets a number', async () => {
    writeFileSync(join(folder, 'a.tar.gz'), 'old')
    offer('a.tar.gz')
    await expect(fetch('a.tar.gz', 'skip')).rejects.toThrow('has a file of this name')
    expect([has('a.tar.gz'), engine.files.length]).toEqual(['old', 1])
    expect(await fetch('a.tar.gz', 'rename')).toBe(join(folder, 'a (1).tar.gz'))
    offer('a.tar.gz', 'newer')
    expect(await fetch('a.tar.gz', 'overwrite')).toBe(join(folder, 'a.tar.gz'))
    expect([has('a.tar.gz'), has('a (1).tar.gz'), readdirSync(folder).length]).toEqual(['newer', 'new', 2])
  })

  test.each<Conflict>(['skip', 'rename', 'overwrite'])('never goes where a link leads (%s)', async (conflict) => {
    const outside = join(engine.dir, 'outside')
    writeFileSync(outside, 'mine')
    symlinkSync(outside, join(folder, 'a.txt'))
    symlinkSync(join(engine.dir, 'nothing'), join(folder, 'b.txt'))
    for (const name of ['a.txt', 'b.txt']) {
      offer(name)
      await fetch(name, conflict).catch(() => undefined)
      expect(lstatSync(join(folder, name)).isSymbolicLink()).toBe(conflict !== 'overwrite')
    }
    expect([readFileSync(outside, 'utf8'), existsSync(join(engine.dir, 'nothing'))]).toEqual(['mine', false])
  })

  test('never replaces a folder', async () => {
    mkdirSync(join(folder, 'a.txt'))
    offer('a.txt')
    await expect(fetch('a.txt', 'overwrite')).rejects.toThrow('a.txt is not saved')
    expect([readdirSync(folder), engine.files.length]).toEqual([['a.txt'], 1])
  })

  test('that ends too early leaves nothing behind and goes on waiting', async () => {
    offer('a.txt', 'new', 100)
    await expect(fetch('a.txt', 'skip')).rejects.toThrow('a.txt is not saved')
    expect([readdirSync(folder), engine.files.length]).toEqual([[], 1])
  })

  test.each(['../up.txt', 'a/b', '..', '', 'a\\b', 'x\u0000y', 'nul'])('is not saved when the daemon calls it %j', async (name) => {
    await expect(fetch(name, 'overwrite')).rejects.toThrow('is not saved')
    expect(readdirSync(engine.dir).filter((one) => one.endsWith('.txt'))).toEqual([])
  })
})
