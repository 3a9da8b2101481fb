/**
 * The inbox when the disk fails at any call, when the process ends at any moment, and when others make names beside it.
 */
import { spawn } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InboxFault } from '../../../../main/engine/core/taildrop/files.ts'
import type { ManifestEntry } from '../../../../main/engine/core/taildrop/files.ts'
import { SystemClock } from '../../../../main/engine/io/clock.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import type { Disk } from '../../../../main/engine/io/inbox/disk.ts'
import { systemRandom } from '../../../../main/engine/io/random.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'
import { waitFor } from '../../../support/wait.ts'
import { faultyDisk } from './faulty-disk.ts'

const FROM = 'sender.lab.internal.'
const BYTES = randomBytes(1_400_000)
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const MANIFEST: readonly ManifestEntry[] = [{ path: 'a/b', size: 900_000, mtimeMs: 0 }, { path: 'a/e', size: 0, mtimeMs: 0 }, { path: 'c', size: 500_000, mtimeMs: 0 }, { path: 'd', size: -1, mtimeMs: 0 }]
const CODES = ['no-space', 'folder-gone', 'not-a-folder', 'no-rights', 'bad-offset', 'no-free-name', 'bad-name', 'io', 'wrong-size']

let root: string
let folder: string
const inboxOn = (disk?: Disk): DiskInbox => new DiskInbox({ env: { clock: new SystemClock(), random: systemRandom }, ...(disk ? { disk } : {}) })

beforeEach(() => {
  root = makeTempDir('inbox-faults')
  folder = join(root, 'in')
  mkdirSync(folder)
})
afterEach(() => removeTempDir(root))

/** One whole reception, in two tries; answers the fault that stopped it. */
async function bring(inbox: DiskInbox, manifest: readonly ManifestEntry[] | undefined): Promise<unknown> {
  const place = { folder, sender: 'n1', name: 'thing', from: FROM }
  try {
    const first = await inbox.open(place, 0, BYTES.length, manifest)
    try {
      for (let at = 0; at < 1_000_000; at += 100_000) await first.write(BYTES.subarray(at, at + 100_000))
    } finally {
      await first.keep()
    }
    const second = await inbox.open(place, 700_000, BYTES.length, manifest)
    try {
      await second.write(BYTES.subarray(700_000))
    } catch (error) {
      await second.keep()
      throw error
    }
    await second.finish({ from: FROM, sha256: sha(BYTES) })
    return undefined
  } catch (error) {
    return error
  }
}

function isWhole(kind: string): boolean {
  if (!existsSync(join(folder, 'thing'))) return false
  if (kind === 'file') return sha(readFileSync(join(folder, 'thing'))) === sha(BYTES)
  return sha(Buffer.concat(['a/b', 'c'].map((path) => readFileSync(join(folder, 'thing', path))))) === sha(BYTES) && existsSync(join(folder, 'thing/a/e')) && existsSync(join(folder, 'thing/d'))
}

describe.each([['file', undefined], ['folder', MANIFEST]] as const)('a %s', (kind, manifest) => {
  test('that meets a fault at any call is told as that, leaves nothing open, and comes in at the next try', async () => {
    const plan = faultyDisk(() => undefined)
    expect(await bring(inboxOn(plan.disk), manifest)).toBeUndefined()
    expect(plan.open()).toBe(0)
    for (let i = 0; i < plan.calls.length; i++) {
      const errno = i % 2 === 0 ? 'ENOSPC' : 'EIO'
      rmSync(join(folder, 'thing'), { recursive: true, force: true })
      const faulty = faultyDisk((_, index) => (index === i ? errno : undefined))
      const inbox = inboxOn(faulty.disk)
      const fault = await bring(inbox, manifest)
      const at = `${errno} at ${i} ${faulty.calls[i]}`
      expect(faulty.open(), at).toBe(0)
      if (fault === undefined) {
        expect(isWhole(kind), at).toBe(true)
        continue
      }
      expect(fault, at).toBeInstanceOf(InboxFault)
      expect(CODES, at).toContain((fault as InboxFault).code)
      // Either not there at all, or whole: the fault came after it had its name.
      if (existsSync(join(folder, 'thing'))) expect(isWhole(kind) || (kind === 'folder' && readdirSync(join(folder, 'thing')).length === 0), at).toBe(true)
      rmSync(join(folder, 'thing'), { recursive: true, force: true })
      expect(await bring(inbox, manifest), at).toBeUndefined()
      expect(isWhole(kind), at).toBe(true)
      expect(readdirSync(folder), at).toEqual(['thing'])
    }
  }, 120_000)

  test('is the same when the disk takes few bytes at a time', async () => {
    expect(await bring(inboxOn(faultyDisk(() => undefined, 40_001).disk), manifest)).toBeUndefined()
    expect(isWhole(kind)).toBe(true)
  })

  test('on a disk that is full from some byte on is told so, and keeps what it has', async () => {
    let isFull = true
    const inbox = inboxOn(faultyDisk((call, index) => (isFull && call === 'write' && index > 4 ? 'EDQUOT' : undefined)).disk)
    expect(await bring(inbox, manifest)).toMatchObject({ code: 'no-space' })
    expect(readdirSync(folder)).toEqual(['thing.n1.partial'])
    isFull = false
    expect(await bring(inbox, manifest)).toBeUndefined()
    expect(isWhole(kind)).toBe(true)
  })

  test('has no room taken from the reserve, and is promised no more than there is', async () => {
    let free = 100 * 1024 * 1024
    const disk = faultyDisk(() => undefined).disk
    const inbox = inboxOn({ ...disk, statfs: (async () => ({ bavail: free / 4096, blocks: 1e6, bsize: 4096 })) as unknown as Disk['statfs'] })
    const open = (name: string, size: number) => inbox.open({ folder, sender: 'n1', name }, 0, size, manifest && [{ path: 'x', size, mtimeMs: 0 }])
    expect((await inbox.look(folder)).freeBytes).toBe(36 * 1024 * 1024)
    await expect(open('a', 37 * 1024 * 1024)).rejects.toMatchObject({ code: 'no-space' })
    const first = await open('a', 30 * 1024 * 1024)
    await expect(open('b', 7 * 1024 * 1024)).rejects.toMatchObject({ code: 'no-space' })
    expect(readdirSync(folder)).toEqual(['a.n1.partial'])
    await first.discard()
    await (await open('b', 7 * 1024 * 1024)).discard()
    free = 0
    await expect(open('c', 1)).rejects.toMatchObject({ code: 'no-space' })
  })
})

describe('disks of other kinds', () => {
  test('one without hard links gets files too, and still nothing is overwritten', async () => {
    const faulty = faultyDisk((call) => (call === 'link' ? 'EPERM' : undefined))
    writeFileSync(join(folder, 'thing'), 'mine')
    const inbox = inboxOn(faulty.disk)
    for (const name of ['thing (1)', 'thing (1)']) {
      expect(await bring(inbox, undefined)).toBeUndefined()
      expect(sha(readFileSync(join(folder, name)))).toBe(sha(BYTES))
      expect(readdirSync(folder)).toEqual(['thing', 'thing (1)'])
    }
    expect(readFileSync(join(folder, 'thing'), 'utf8')).toBe('mine')
    const broken = inboxOn(faultyDisk((call) => (call === 'link' ? 'ENOTSUP' : call === 'rename' ? 'EIO' : undefined)).disk)
    rmSync(join(folder, 'thing (1)'))
    expect(await bring(broken, undefined)).toMatchObject({ code: 'io' })
    expect(readdirSync(folder)).toEqual(['thing', 'thing.n1.partial'])
  })

  test('one that takes names for the same refuses a folder with both, and gives a file another name', async () => {
    const makes = ['x/ä', 'x/a\u0308']
    // Played: the second of the twins is there already.
    const real = faultyDisk(() => undefined).disk
    const fold = (path: unknown): unknown => (typeof path === 'string' ? path.normalize('NFC') : path)
    const folding = Object.fromEntries(Object.entries(real).map(([name, call]) => [name, (path: unknown, ...rest: unknown[]) => (call as (...all: unknown[]) => unknown)(fold(path), ...rest.map(fold))])) as unknown as Disk
    const inbox = inboxOn(folding)
    const receiving = await inbox.open({ folder, sender: 'n1', name: 'twins' }, 0, 2, makes.map((path) => ({ path, size: 1, mtimeMs: 0 })))
    await expect(receiving.write(Buffer.from('ab'))).rejects.toMatchObject({ code: 'bad-name' })
    await receiving.discard()
    const dirs = await inbox.open({ folder, sender: 'n1', name: 'twins' }, 0, 2, ['ä/1', 'a\u0308/2'].map((path) => ({ path, size: 1, mtimeMs: 0 })))
    await expect(dirs.write(Buffer.from('ab'))).rejects.toMatchObject({ code: 'bad-name' })
    await dirs.discard()
    for (const [name, got] of [['ü', 'ü'], ['u\u0308', 'u\u0308 (1)']] as const) {
      const file = await inbox.open({ folder, sender: 'n1', name }, 0, -1)
      await file.write(Buffer.from(name.slice(0, 1)))
      expect(await file.finish({ from: FROM })).toMatchObject({ name: got })
    }
    expect(readdirSync(folder)).toHaveLength(2)
  })
})

describe('others beside it', () => {
  test('a process that makes the same names all the time loses nothing, and neither does who sends', async () => {
    // Makes "a", "a (1)" … exclusively, as fast as it can, and says which it got.
    const rival = spawn(process.execPath, ['-e', `
      const fs = require('fs')
      process.on('message', () => {})
      for (let i = 0; i < 4000; i++) for (const name of ['a', 'a (1)', 'a (2)']) {
        try { fs.writeFileSync(${JSON.stringify(folder)} + '/' + name, 'rival ' + name, { flag: 'wx' }); process.send(name) } catch {}
      }
      process.disconnect()
    `], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] })
    const theirs = new Set<string>()
    rival.on('message', (name: string) => theirs.add(name))
    const over = new Promise((resolve) => rival.once('exit', resolve))
    const inbox = inboxOn()
    const ours = new Map<string, string>()
    for (let i = 0; i < 6; i++) {
      const receiving = await inbox.open({ folder, sender: 'n1', name: 'a' }, 0, -1)
      await receiving.write(Buffer.from(`ours ${i}`))
      const saved = await receiving.finish({ from: FROM })
      ours.set(saved.name, `ours ${i}`)
    }
    await over
    expect(ours.size).toBe(6)
    for (const [name, text] of ours) {
      expect(theirs.has(name)).toBe(false)
      expect(readFileSync(join(folder, name), 'utf8')).toBe(text)
    }
    for (const name of theirs) expect(readFileSync(join(folder, name), 'utf8')).toBe(`rival ${name}`)
  }, 120_000)

  test('a process that is killed in the middle leaves what is partial and no final name, and another goes on', async () => {
    const writer = spawn(process.execPath, [join(import.meta.dirname, '../../../support/inbox-writer.ts'), folder], { stdio: ['ignore', 'inherit', 'inherit'] })
    const partial = join(folder, 'big.n1.partial')
    await waitFor('some of it', () => existsSync(partial) && statSync(partial).size > 3_000_000, { withinMs: 60_000 })
    const gone = new Promise((resolve) => writer.once('exit', resolve))
    writer.kill('SIGKILL')
    await gone
    expect(readdirSync(folder)).toEqual(['big.n1.partial'])
    const size = statSync(partial).size
    const receiving = await inboxOn().open({ folder, sender: 'n1', name: 'big' }, size, size + 3)
    await receiving.write(Buffer.from('end'))
    const saved = await receiving.finish({ from: FROM })
    // The writer writes the letter "x" for ever.
    expect(saved.sha256).toBe(sha(Buffer.concat([Buffer.alloc(size, 'x'), Buffer.from('end')])))
    expect(readdirSync(folder)).toEqual(['big'])
  }, 120_000)
})
