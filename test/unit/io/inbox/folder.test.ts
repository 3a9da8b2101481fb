/**
 * Folders that come in as a stream with a manifest, on a real disk.
 */
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { ManifestEntry } from '../../../../main/engine/core/taildrop/files.ts'
import { SystemClock } from '../../../../main/engine/io/clock.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import { systemRandom } from '../../../../main/engine/io/random.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

const FROM = 'sender.lab.internal.'
const MTIME = Date.UTC(2020, 1, 3, 4, 5, 6)
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const entry = (path: string, size: number): ManifestEntry => ({ path, size, mtimeMs: MTIME })

let root: string
let folder: string
let inbox: DiskInbox
const place = { folder: '', sender: 'n1', name: 'pictures', from: FROM }
const partial = (...parts: string[]): string => join(folder, 'pictures.n1.partial', ...parts)

/** Everything below a directory: path → content, or "/" for a directory. */
function everything(dir: string, prefix = ''): Record<string, string> {
  const out: Record<string, string> = {}
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name)
    if (lstatSync(path).isDirectory()) Object.assign(out, { [`${prefix}${name}/`]: '/' }, everything(path, `${prefix}${name}/`))
    else out[prefix + name] = lstatSync(path).isSymbolicLink() ? 'link' : sha(readFileSync(path))
  }
  return out
}

const SIZES: readonly (readonly [string, number])[] = [
  ['a.txt', 10], ['deep/er/b.bin', 700_000], ['deep/c', 0], ['deep/er/d', 65_536], ['none', -1], ['deep/empty/e', -1], ['z', 1], ['y/last', 300_000], ['y/zero', 0],
]
const MANIFEST = SIZES.map(([path, size]) => entry(path, size))
const STREAM = randomBytes(SIZES.reduce((sum, [, size]) => sum + Math.max(0, size), 0))

/** What must be there of a manifest and its stream. */
function wanted(manifest: readonly ManifestEntry[], stream: Uint8Array): Record<string, string> {
  const out: Record<string, string> = {}
  let at = 0
  for (const { path, size } of manifest) {
    const dirs = size < 0 ? path : dirname(path)
    for (let dir = dirs; dir !== '.'; dir = dirname(dir)) out[`${dir}/`] = '/'
    if (size >= 0) out[path] = sha(stream.subarray(at, (at += size)))
  }
  return out
}
const sorted = (all: Record<string, string>): [string, string][] => Object.entries(all).sort(([a], [b]) => (a < b ? -1 : 1))

async function pour(receiving: { write(bytes: Uint8Array): Promise<void> }, bytes: Uint8Array, step = 100_000): Promise<void> {
  for (let at = 0; at < bytes.length; at += step) await receiving.write(bytes.subarray(at, at + step))
}

beforeEach(() => {
  root = makeTempDir('inbox-folder')
  folder = join(root, 'in')
  mkdirSync(folder)
  Object.assign(place, { folder })
  inbox = new DiskInbox({ env: { clock: new SystemClock(), random: systemRandom } })
})
afterEach(() => removeTempDir(root))

describe('a folder that comes in', () => {
  test.each([1_000, 65_536, 2_000_000])('is the same in pieces of %i bytes, with its times, and for nobody else before it is whole', async (step) => {
    const receiving = await inbox.open(place, 0, -1, MANIFEST)
    await pour(receiving, STREAM.subarray(0, 500_000), step)
    expect(statSync(partial()).mode & 0o777).toBe(0o700)
    await pour(receiving, STREAM.subarray(500_000), step)
    const saved = await receiving.finish({ from: FROM, size: STREAM.length, sha256: sha(STREAM) })
    expect(saved).toEqual({ name: 'pictures', path: join(folder, 'pictures'), size: STREAM.length, sha256: sha(STREAM), isDuplicate: false })
    expect(sorted(everything(join(folder, 'pictures')))).toEqual(sorted(wanted(MANIFEST, STREAM)))
    expect(readdirSync(folder)).toEqual(['pictures'])
    for (const path of ['a.txt', 'deep/c', 'none']) expect(statSync(join(folder, 'pictures', path)).mtimeMs).toBe(MTIME)
    const mask = process.umask()
    expect(statSync(join(folder, 'pictures')).mode & 0o777).toBe(0o755 & ~mask)
    expect(statSync(join(folder, 'pictures/deep')).mode & 0o777).toBe(0o755 & ~mask)
    expect(statSync(join(folder, 'pictures/a.txt')).mode & 0o777).toBe(0o644 & ~mask)
  })

  test('may be empty', async () => {
    const receiving = await inbox.open(place, 0, 0, [])
    expect(await receiving.finish({ from: FROM, sha256: sha(new Uint8Array()) })).toMatchObject({ name: 'pictures', size: 0 })
    expect(readdirSync(join(folder, 'pictures'))).toEqual([])
  })

  test('goes on from anywhere, by what is there', async () => {
    for (const stop of [0, 5, 10, 11, 700_009, 700_010, 765_546, 765_547, STREAM.length]) {
      const first = await inbox.open(place, 0, -1, MANIFEST)
      await pour(first, STREAM.subarray(0, stop))
      await first.keep()
      const blocks: { checksum: string; size: number }[] = []
      for await (const block of inbox.hashes(place, MANIFEST)) blocks.push(block)
      expect(blocks.reduce((sum, one) => sum + one.size, 0)).toBe(stop)
      for (const [i, { checksum }] of blocks.entries()) expect(checksum).toBe(sha(STREAM.subarray(0, stop).subarray(i * 65_536, (i + 1) * 65_536)))
      const offset = Math.floor(Math.random() * (stop + 1))
      const second = await inbox.open(place, offset, -1, MANIFEST)
      expect(second.received).toBe(offset)
      await pour(second, STREAM.subarray(offset))
      await second.finish({ from: FROM, sha256: sha(STREAM) })
      expect(sorted(everything(join(folder, 'pictures')))).toEqual(sorted(wanted(MANIFEST, STREAM)))
      rmSync(join(folder, 'pictures'), { recursive: true })
    }
  })

  test('with another content than last time keeps nothing of the other', async () => {
    const other = [entry('a.txt', 10), entry('deep', 40), entry('gone/x', 50)]
    const first = await inbox.open(place, 0, -1, other)
    await pour(first, randomBytes(100))
    await first.keep()
    await expect(inbox.open(place, 11, -1, MANIFEST)).rejects.toMatchObject({ code: 'bad-offset' })
    writeFileSync(partial('a.txt'), STREAM.subarray(0, 10))
    const second = await inbox.open(place, 10, -1, MANIFEST)
    await pour(second, STREAM.subarray(10))
    await second.finish({ from: FROM, sha256: sha(STREAM) })
    expect(sorted(everything(join(folder, 'pictures')))).toEqual(sorted(wanted(MANIFEST, STREAM)))
  })

  test('never lands on another: not on a folder, an empty one, a file or a link', async () => {
    mkdirSync(join(folder, 'pictures'))
    mkdirSync(join(folder, 'pictures (1)'))
    writeFileSync(join(folder, 'pictures (1)', 'mine'), '')
    writeFileSync(join(folder, 'pictures (2)'), 'mine')
    symlinkSync(root, join(folder, 'pictures (3)'))
    const receiving = await inbox.open(place, 0, 3, [entry('a', 3)])
    await receiving.write(Buffer.from('abc'))
    expect(await receiving.finish({ from: FROM })).toMatchObject({ name: 'pictures (4)' })
    expect(readdirSync(join(folder, 'pictures'))).toEqual([])
    expect(readdirSync(join(folder, 'pictures (1)'))).toEqual(['mine'])
    expect(readFileSync(join(folder, 'pictures (2)'), 'utf8')).toBe('mine')
    expect(readdirSync(root)).toEqual(['in'])
  })

  const change: Readonly<Record<string, (dir: string) => void>> = {
    'a file more': (dir) => writeFileSync(join(dir, 'deep/more'), ''),
    'a file less': (dir) => rmSync(join(dir, 'deep/c')),
    'a folder more': (dir) => mkdirSync(join(dir, 'more')),
    'a folder less': (dir) => rmSync(join(dir, 'none'), { recursive: true }),
    'another byte': (dir) => writeFileSync(join(dir, 'z'), Uint8Array.of(STREAM[765_546]! ^ 1)),
    'a link for a file': (dir) => {
      renameSync(join(dir, 'z'), join(root, 'z'))
      symlinkSync(join(root, 'z'), join(dir, 'z'))
    },
  }

  async function comeIn(): Promise<{ name: string; isDuplicate: boolean }> {
    const receiving = await inbox.open(place, 0, -1, MANIFEST)
    await pour(receiving, STREAM)
    return receiving.finish({ sha256: sha(STREAM), from: FROM })
  }

  test('is not kept twice', async () => {
    expect(await comeIn()).toMatchObject({ name: 'pictures', isDuplicate: false })
    expect(await comeIn()).toMatchObject({ name: 'pictures', isDuplicate: true })
    expect(readdirSync(folder)).toEqual(['pictures'])
  })

  test.each(Object.keys(change))('is kept beside one that has %s', async (what) => {
    await comeIn()
    change[what]!(join(folder, 'pictures'))
    const before = everything(join(folder, 'pictures'))
    expect(await comeIn()).toMatchObject({ name: 'pictures (1)', isDuplicate: false })
    expect(sorted(everything(join(folder, 'pictures (1)')))).toEqual(sorted(wanted(MANIFEST, STREAM)))
    expect(everything(join(folder, 'pictures'))).toEqual(before)
  })

  test('that is too short stays, that is wrong or given up goes, and too much is refused at once', async () => {
    const open = () => inbox.open(place, 0, -1, [entry('a', 3), entry('b', 3)])
    let receiving = await open()
    await expect(inbox.open(place, 0, -1, [])).rejects.toMatchObject({ code: 'busy' })
    await receiving.write(Buffer.from('abcd'))
    await expect(receiving.finish({ from: FROM })).rejects.toMatchObject({ code: 'wrong-size' })
    expect(existsSync(partial('b'))).toBe(true)
    receiving = await open()
    await receiving.write(Buffer.from('abcdef'))
    await expect(receiving.finish({ from: FROM, sha256: sha(Buffer.from('x')) })).rejects.toMatchObject({ code: 'wrong-hash' })
    expect(readdirSync(folder)).toEqual([])
    receiving = await open()
    await expect(receiving.write(Buffer.from('abcdefg'))).rejects.toMatchObject({ code: 'wrong-size' })
    await receiving.write(Buffer.from('abcde'))
    await receiving.discard()
    expect(readdirSync(folder)).toEqual([])
  })
})

describe('planted and hostile', () => {
  test.each([
    [['../a']], [['a/../../b']], [['/etc/x']], [['a//b']], [['']], [['.']], [['a/.']], [['a\\b']], [['a\0']], [['a', 'a']], [['a', 'a/b']], [['nul']], [['x'.repeat(256)]], [[`${'d/'.repeat(70)}x`]],
  ])('a manifest with %j is refused', async (paths) => {
    await expect(inbox.open(place, 0, -1, paths.map((path) => entry(path, 1)))).rejects.toMatchObject({ code: 'bad-name' })
    expect(readdirSync(folder)).toEqual([])
  })

  test('links inside what is partial are removed or refused, never followed', async () => {
    const outside = join(root, 'outside')
    mkdirSync(outside)
    writeFileSync(join(outside, 'b.bin'), 'mine')
    const first = await inbox.open(place, 0, -1, MANIFEST)
    await pour(first, STREAM.subarray(0, 50_000))
    await first.keep()
    // A directory on the way becomes a link between two tries.
    renameSync(partial('deep'), join(root, 'moved'))
    symlinkSync(outside, partial('deep'))
    symlinkSync(outside, partial('y'))
    await expect(inbox.open(place, 50_000, -1, MANIFEST)).rejects.toMatchObject({ code: 'bad-offset' })
    expect(everything(outside)).toEqual({ 'b.bin': sha(Buffer.from('mine')) })

    // While it comes: the next directory, and the next file.
    const second = await inbox.open(place, 0, -1, MANIFEST)
    symlinkSync(outside, partial('deep'))
    await expect(pour(second, STREAM)).rejects.toMatchObject({ code: 'no-rights' })
    await second.discard()
    const third = await inbox.open(place, 0, -1, [entry('a', 3), entry('b.bin', 4)])
    symlinkSync(join(outside, 'b.bin'), partial('b.bin'))
    await expect(third.write(Buffer.from('abcEVIL'))).rejects.toMatchObject({ code: 'bad-name' })
    await third.keep()
    expect(everything(outside)).toEqual({ 'b.bin': sha(Buffer.from('mine')) })
  })

  test('a hard link under a name of the stream is not written to', async () => {
    writeFileSync(join(root, 'mine'), STREAM.subarray(0, 10))
    mkdirSync(partial(), { recursive: true })
    linkSync(join(root, 'mine'), partial('a.txt'))
    await expect(inbox.open(place, 5, -1, MANIFEST)).rejects.toMatchObject({ code: 'no-rights' })
    expect(readFileSync(join(root, 'mine')).length).toBe(10)
  })

  test('something else under the partial name is refused', async () => {
    for (const plant of [() => writeFileSync(partial(), 'x'), () => symlinkSync(root, partial())]) {
      plant()
      await expect(inbox.open(place, 0, -1, MANIFEST)).rejects.toMatchObject({ code: 'no-rights' })
      rmSync(partial())
    }
    expect(readdirSync(root)).toEqual(['in'])
  })

  test('a folder that is replaced while it comes is told, and the other gets nothing', async () => {
    const receiving = await inbox.open(place, 0, -1, MANIFEST)
    await pour(receiving, STREAM.subarray(0, 5))
    renameSync(folder, join(root, 'moved'))
    mkdirSync(folder)
    await pour(receiving, STREAM.subarray(5))
    await expect(receiving.finish({ from: FROM })).rejects.toMatchObject({ code: 'folder-gone' })
    expect(readdirSync(folder)).toEqual([])
  })

  test('what is shorter on disk than it was cannot be gone on with', async () => {
    const first = await inbox.open(place, 0, -1, MANIFEST)
    await pour(first, STREAM.subarray(0, 100_000))
    await first.keep()
    truncateSync(partial('deep/er/b.bin'), 10)
    await expect(inbox.open(place, 100_000, -1, MANIFEST)).rejects.toMatchObject({ code: 'bad-offset' })
    await (await inbox.open(place, 20, -1, MANIFEST)).discard()
  })

  test('many small files come in, and none is forgotten', async () => {
    const many = Array.from({ length: 600 }, (_, i) => entry(`d${i % 7}/f${i}`, i % 3))
    const bytes = randomBytes(many.reduce((sum, { size }) => sum + size, 0))
    const receiving = await inbox.open(place, 0, -1, many)
    await receiving.write(bytes)
    await receiving.finish({ from: FROM, sha256: sha(bytes) })
    expect(sorted(everything(join(folder, 'pictures')))).toEqual(sorted(wanted(many, bytes)))
  }, 120_000)
})
