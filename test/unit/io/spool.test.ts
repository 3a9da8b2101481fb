import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Spool } from '../../../main/engine/io/spool.ts'
import { seededRandom } from '../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

let folder: string
let dir: string

beforeEach(() => {
  folder = makeTempDir('spool')
  dir = join(folder, 'spool')
})
afterEach(() => removeTempDir(folder))

const spoolWith = (freeBytes = -1): Spool => new Spool({ dir, random: seededRandom(1), freeBytes: async () => freeBytes })

async function* chunks(...texts: readonly string[]): AsyncIterable<Uint8Array> {
  for (const text of texts) yield Buffer.from(text)
}

async function* breaking(): AsyncIterable<Uint8Array> {
  yield Buffer.from('half')
  throw new Error('the client is gone')
}

describe('the spool', () => {
  test('keeps what comes, for the engine’s user alone, and takes it away', async () => {
    const spool = spoolWith()
    const { id, size } = await spool.put(chunks('he', '', 'llo'), 5)
    expect(size).toBe(5)
    expect(readFileSync(join(dir, id), 'utf8')).toBe('hello')
    expect([statSync(join(dir, id)).mode & 0o777, statSync(dir).mode & 0o777]).toEqual([0o600, 0o700])
    await spool.remove(id)
    await spool.remove(id)
    await spool.remove('../../etc/passwd')
    expect(readdirSync(dir)).toEqual([])
  })

  test.each<[string, () => Promise<unknown>, string]>([
    ['a client that goes', () => spoolWith().put(breaking(), -1), 'aborted'],
    ['less than was said', () => spoolWith().put(chunks('half'), 5), 'aborted'],
    ['more than was said', () => spoolWith().put(chunks('more'), 3), 'aborted'],
    ['a disk without room for it', () => spoolWith(300_000_000).put(chunks('x'), 100_000_000), 'no-space'],
    ['a disk that is full', () => spoolWith(1_000).put(chunks('x'), -1), 'no-space'],
  ])('leaves nothing of %s', async (_name, put, code) => {
    await expect(put()).rejects.toMatchObject({ code })
    expect(readdirSync(dir)).toEqual([])
  })

  test('says so when its folder cannot be', async () => {
    writeFileSync(dir, 'a file')
    await expect(spoolWith().put(chunks('x'), 1)).rejects.toMatchObject({ code: 'io' })
  })

  test('sweeps what nobody needs, and parts of an engine that ended; nothing else', async () => {
    const spool = spoolWith()
    const [kept, old, young] = [await spool.put(chunks('1'), 1), await spool.put(chunks('2'), 1), await spool.put(chunks('3'), 1)]
    const part = join(dir, `${'a'.repeat(32)}.part`)
    writeFileSync(part, 'x')
    writeFileSync(join(dir, 'not-ours'), 'x')
    symlinkSync('/etc/passwd', join(dir, 'b'.repeat(32)))
    for (const path of [join(dir, old.id), join(dir, kept.id), part]) utimesSync(path, 1_000, 1_000)
    expect(await spool.sweep(new Set([kept.id]), 3_600_000, Date.now())).toBe(2)
    expect(readdirSync(dir).toSorted()).toEqual([kept.id, young.id, 'not-ours', 'b'.repeat(32)].toSorted())
    expect(existsSync('/etc/passwd')).toBe(true)
  })

  test('has nothing to sweep where nothing was ever handed over', async () => {
    expect(await spoolWith().sweep(new Set(), 0, Date.now())).toBe(0)
    mkdirSync(dir)
    chmodSync(dir, 0o700)
    expect(await spoolWith().sweep(new Set(), 0, Date.now())).toBe(0)
  })
})
