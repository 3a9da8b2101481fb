/**
 * The inbox on a real disk: single files, from the first byte to the final name.
 */
import { createHash, randomBytes } from 'node:crypto'
import { chmodSync, linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SystemClock } from '../../../../main/engine/io/clock.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import { systemRandom } from '../../../../main/engine/io/random.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

const FROM = 'sender.lab.internal.'
const sha = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')
async function listed<T>(source: AsyncIterable<T>): Promise<T[]> {
  const out: T[] = []
  for await (const one of source) out.push(one)
  return out
}
const newInbox = (): DiskInbox => new DiskInbox({ env: { clock: new SystemClock(), random: systemRandom } })

let root: string
let folder: string
let inbox: DiskInbox
const place = (name: string, sender = 'n1') => ({ folder, sender, name })
const names = (): string[] => readdirSync(folder).sort()
const content = (name: string): string => readFileSync(join(folder, name), 'utf8')

async function bring(name: string, bytes: Uint8Array | string, sender = 'n1') {
  const receiving = await inbox.open(place(name, sender), 0, bytes.length)
  await receiving.write(Buffer.from(bytes))
  return receiving.finish({ from: FROM })
}

beforeEach(() => {
  root = makeTempDir('inbox')
  folder = join(root, 'in')
  mkdirSync(folder)
  inbox = newInbox()
})
afterEach(() => {
  chmodSync(folder, 0o700)
  removeTempDir(root)
})

describe('a file that comes in', () => {
  test('has its partial name until it is whole, then its own, and nothing else is left', async () => {
    const receiving = await inbox.open(place('a.txt'), 0, 5)
    await receiving.write(Buffer.from('hel'))
    expect(names()).toEqual(['a.txt.n1.partial'])
    await receiving.write(Buffer.from('lo'))
    const saved = await receiving.finish({ from: FROM, size: 5, sha256: sha('hello') })
    expect(saved).toEqual({ name: 'a.txt', path: join(folder, 'a.txt'), size: 5, sha256: sha('hello'), isDuplicate: false })
    expect(names()).toEqual(['a.txt'])
    expect(content('a.txt')).toBe('hello')
    expect(statSync(join(folder, 'a.txt')).mode & 0o133).toBe(0)
  })

  test('may be empty, and its length may be unknown', async () => {
    expect(await bring('empty', '')).toMatchObject({ size: 0, sha256: sha('') })
    const receiving = await inbox.open(place('unknown'), 0, -1)
    await receiving.write(Buffer.from('abc'))
    expect(await receiving.finish({ from: FROM })).toMatchObject({ size: 3 })
    expect(content('unknown')).toBe('abc')
  })

  test.each([1, 1_000, 65_536, 262_144, 524_288, 700_001, 3_000_000])('is the same in pieces of %i bytes', async (step) => {
    const bytes = randomBytes(step < 1_000 ? 10_000 : 3_333_333)
    const receiving = await inbox.open(place('big'), 0, bytes.length)
    for (let at = 0; at < bytes.length; at += step) {
      const piece = Buffer.from(bytes.subarray(at, at + step))
      await receiving.write(piece)
      // The caller's again.
      piece.fill(0)
    }
    expect((await receiving.finish({ from: FROM, sha256: sha(bytes) })).sha256).toBe(sha(bytes))
    expect(readFileSync(join(folder, 'big')).equals(bytes)).toBe(true)
  })

  test('goes on where it stopped, also in another process, and its hash is that of the whole', async () => {
    const bytes = randomBytes(300_000)
    for (const again of [() => inbox, newInbox]) {
      const first = await inbox.open(place('a'), 0, bytes.length)
      await first.write(bytes.subarray(0, 200_000))
      await first.keep()
      expect(names()).toEqual(['a.n1.partial'])
      const second = await again().open(place('a'), 131_072, bytes.length)
      expect(second.received).toBe(131_072)
      await second.write(bytes.subarray(131_072))
      expect(await second.finish({ from: FROM, sha256: sha(bytes) })).toMatchObject({ name: 'a', isDuplicate: false })
      rmSync(join(folder, 'a'))
    }
  })

  test('keeps its hash over a stop without reading again, and not when the file was changed meanwhile', async () => {
    const first = await inbox.open(place('a'), 0, 6)
    await first.write(Buffer.from('abc'))
    await first.keep()
    const second = await inbox.open(place('a'), 3, 6)
    await second.write(Buffer.from('def'))
    await second.keep()
    writeFileSync(join(folder, 'a.n1.partial'), 'xyz')
    utimesSync(join(folder, 'a.n1.partial'), 1, 1)
    const third = await inbox.open(place('a'), 3, 6)
    await third.write(Buffer.from('def'))
    expect((await third.finish({ from: FROM })).sha256).toBe(sha('xyzdef'))
  })

  test('from other senders has a partial file of its own', async () => {
    const [one, two] = await Promise.all([inbox.open(place('a', 'n1'), 0, 1), inbox.open(place('a', 'n2'), 0, 1)])
    await one.write(Buffer.from('1'))
    await two.write(Buffer.from('2'))
    expect(await inbox.partials(folder, 'n1')).toEqual(['a'])
    expect((await one.finish({ from: FROM })).name).toBe('a')
    expect((await two.finish({ from: FROM })).name).toBe('a (1)')
  })

  test('is refused while the same file from the same sender comes in', async () => {
    const first = await inbox.open(place('a'), 0, 1)
    await expect(inbox.open(place('a'), 0, 1)).rejects.toMatchObject({ code: 'busy' })
    await expect(inbox.hashes(place('a')).next()).rejects.toMatchObject({ code: 'busy' })
    // However the folder is written, and whatever a disk takes for the same name.
    symlinkSync(root, join(root, 'way'))
    for (const other of [{ folder: `${folder}/` }, { folder: join(root, 'way', 'in') }, { name: 'A' }]) await expect(inbox.open({ ...place('a'), ...other }, 0, 1)).rejects.toMatchObject({ code: 'busy' })
    await first.keep()
    await (await inbox.open(place('a'), 0, 1)).discard()
    expect(names()).toEqual([])
  })

  test('that is discarded leaves nothing', async () => {
    const receiving = await inbox.open(place('a'), 0, 9)
    await receiving.write(Buffer.from('abc'))
    await receiving.discard()
    expect(names()).toEqual([])
    await expect(receiving.write(Buffer.from('d'))).rejects.toMatchObject({ code: 'io' })
  })
})

describe('what is partial', () => {
  test('is told in blocks of 64 KiB', async () => {
    const bytes = randomBytes(65_536 * 20 + 77)
    const receiving = await inbox.open(place('a'), 0, bytes.length + 1)
    await receiving.write(bytes)
    await receiving.keep()
    const blocks = await listed(inbox.hashes(place('a')))
    expect(blocks).toHaveLength(21)
    expect(blocks[3]).toEqual({ checksum: sha(bytes.subarray(3 * 65_536, 4 * 65_536)), algo: 'sha256', size: 65_536 })
    expect(blocks[20]).toMatchObject({ size: 77, checksum: sha(bytes.subarray(20 * 65_536)) })
    expect(await listed(inbox.hashes(place('b')))).toEqual([])
  })

  test('cannot be gone on with beyond its end', async () => {
    await expect(inbox.open(place('a'), 1, 5)).rejects.toMatchObject({ code: 'bad-offset' })
    writeFileSync(join(folder, 'a.n1.partial'), 'abc')
    await expect(inbox.open(place('a'), 4, 5)).rejects.toMatchObject({ code: 'bad-offset' })
    for (const offset of [-1, 1.5, NaN, 2 ** 60, 6]) await expect(inbox.open(place('a'), offset, 5)).rejects.toMatchObject({ code: 'bad-offset' })
    expect(content('a.n1.partial')).toBe('abc')
  })

  test('is swept when it is old and nobody writes to it, and nothing else is', async () => {
    const old = (name: string): void => utimesSync(join(folder, name), 1, 1)
    for (const name of ['a.n1.partial', 'new.n1.partial', 'used.n1.partial', 'mine.partial', 'film.mp4.partial', 'notes.txt.partial', 'a.txt.17.partial', 'a.txt', 'n1.partial.txt']) writeFileSync(join(folder, name), 'abc')
    const used = await inbox.open(place('used'), 3, 9)
    mkdirSync(join(folder, 'd.n1.partial/sub'), { recursive: true })
    mkdirSync(join(folder, 'young.n1.partial/sub'), { recursive: true })
    writeFileSync(join(folder, 'young.n1.partial/sub/now'), '')
    symlinkSync(root, join(folder, 'link.n1.partial'))
    symlinkSync(root, join(folder, 'd.n1.partial/out'))
    for (const name of ['a.n1.partial', 'used.n1.partial', 'mine.partial', 'film.mp4.partial', 'notes.txt.partial', 'a.txt.17.partial', 'a.txt', 'n1.partial.txt', 'd.n1.partial/sub', 'd.n1.partial', 'young.n1.partial/sub', 'young.n1.partial']) old(name)
    await inbox.sweep(folder, 3_600_000)
    // The link in it is young.
    expect(names()).toContain('d.n1.partial')
    rmSync(join(folder, 'd.n1.partial/out'))
    old('d.n1.partial')
    await inbox.sweep(folder, 3_600_000)
    expect(names()).toEqual(['a.txt', 'film.mp4.partial', 'link.n1.partial', 'mine.partial', 'n1.partial.txt', 'new.n1.partial', 'notes.txt.partial', 'used.n1.partial', 'young.n1.partial'])
    await used.keep()
    await inbox.sweep(join(root, 'none'), 0)
  })
})

describe('at the end', () => {
  test('what is too short stays partial, what is too long or wrong goes', async () => {
    const short = await inbox.open(place('a'), 0, 5)
    await short.write(Buffer.from('abc'))
    await expect(short.finish({ from: FROM })).rejects.toMatchObject({ code: 'wrong-size' })
    expect(names()).toEqual(['a.n1.partial'])

    const long = await inbox.open(place('a'), 0, 2)
    await expect(long.write(Buffer.from('abc'))).rejects.toMatchObject({ code: 'wrong-size' })
    await long.discard()

    const lied = await inbox.open(place('a'), 0, -1)
    await lied.write(Buffer.from('abc'))
    await expect(lied.finish({ from: FROM, size: 2 })).rejects.toMatchObject({ code: 'wrong-size' })
    expect(names()).toEqual([])

    const wrong = await inbox.open(place('a'), 0, 3)
    await wrong.write(Buffer.from('abc'))
    await expect(wrong.finish({ from: FROM, sha256: sha('abd') })).rejects.toMatchObject({ code: 'wrong-hash' })
    expect(names()).toEqual([])
  })

  test('another file of that name is never touched, and the same is not kept twice', async () => {
    writeFileSync(join(folder, 'a.tar.gz'), 'mine')
    expect(await bring('a.tar.gz', 'their')).toMatchObject({ name: 'a (1).tar.gz' })
    expect(await bring('a.tar.gz', 'other')).toMatchObject({ name: 'a (2).tar.gz' })
    expect(await bring('a.tar.gz', 'their')).toMatchObject({ name: 'a (1).tar.gz', isDuplicate: true })
    expect(names()).toEqual(['a (1).tar.gz', 'a (2).tar.gz', 'a.tar.gz'])
    expect(content('a.tar.gz')).toBe('mine')
  })

  test('ten names are tried', async () => {
    for (let i = 0; i < 10; i++) expect(await bring('a', `text ${i}`)).toMatchObject({ name: i === 0 ? 'a' : `a (${i})` })
    await expect(bring('a', 'text x')).rejects.toMatchObject({ code: 'no-free-name' })
    expect(names()).toContain('a.n1.partial')
  })

  test('a link, a folder or a pipe of that name is left alone', async () => {
    writeFileSync(join(root, 'outside'), 'mine')
    symlinkSync(join(root, 'outside'), join(folder, 'a'))
    symlinkSync(join(root, 'nowhere'), join(folder, 'b'))
    mkdirSync(join(folder, 'c'))
    for (const name of ['a', 'b', 'c']) expect(await bring(name, 'new!')).toMatchObject({ name: `${name} (1)`, isDuplicate: false })
    expect(readFileSync(join(root, 'outside'), 'utf8')).toBe('mine')
    expect(readdirSync(root)).toEqual(['in', 'outside'])
    expect(lstatSync(join(folder, 'a')).isSymbolicLink()).toBe(true)
  })

  test('a process that ended between the two steps of naming is made good', async () => {
    await bring('a', 'text')
    linkSync(join(folder, 'a'), join(folder, 'a.n1.partial'))
    await expect(inbox.open(place('a'), 4, 4)).rejects.toMatchObject({ code: 'bad-offset' })
    expect(await bring('a', 'text')).toMatchObject({ name: 'a', isDuplicate: true })
    expect(names()).toEqual(['a'])
  })
})

describe('planted things', () => {
  test.each(['file', 'hard link', 'link', 'dangling link', 'folder', 'link to a folder'])('%s under the partial name: nothing outside is touched', async (kind) => {
    const outside = join(root, 'outside')
    writeFileSync(outside, 'mine and long')
    mkdirSync(join(root, 'elsewhere'))
    const partial = join(folder, 'a.n1.partial')
    if (kind === 'file') writeFileSync(partial, 'mine and long')
    else if (kind === 'hard link') linkSync(outside, partial)
    else if (kind === 'link') symlinkSync(outside, partial)
    else if (kind === 'dangling link') symlinkSync(join(root, 'new'), partial)
    else if (kind === 'folder') mkdirSync(partial)
    else symlinkSync(join(root, 'elsewhere'), partial)
    const tried = inbox.open(place('a'), 0, 3)
    if (kind === 'file') await (await tried).keep()
    else await expect(tried).rejects.toMatchObject({ code: 'no-rights' })
    expect(readFileSync(outside, 'utf8')).toBe('mine and long')
    expect(readdirSync(root).sort()).toEqual(['elsewhere', 'in', 'outside'])
    expect(readdirSync(join(root, 'elsewhere'))).toEqual([])
    if (kind !== 'file') await expect(listed(inbox.hashes(place('a')))).rejects.toMatchObject({ code: 'no-rights' })
  })

  test.each([
    '', '.', '..', '../a', '/etc/passwd', 'a/b', 'a\\b', 'a\0b', 'a\nb', ' a', 'a ', 'a:b', 'C:', 'nul', 'COM1.txt', 'a.partial', 'a.deleted', '\ud800', 'x'.repeat(256), 'ü'.repeat(128),
    'x'.repeat(250), 'a\u202eb', 'a.', '*', '?\u0007',
  ])('the name %j is refused', async (name) => {
    await expect(inbox.open(place(name), 0, 1)).rejects.toMatchObject({ code: 'bad-name' })
    await expect(listed(inbox.hashes(place(name)))).rejects.toMatchObject({ code: 'bad-name' })
    expect(names()).toEqual([])
  })

  test('a sender whose ID is a path stays in the folder', async () => {
    await (await inbox.open(place('a', '../../x/'), 0, 1)).keep()
    expect(names()).toEqual(['a.%2e%2e%2f%2e%2e%2fx%2f.partial'])
    expect(await inbox.partials(folder, '../../x/')).toEqual(['a'])
  })

  test('a partial file that is swapped while it comes in is not given the final name', async () => {
    const receiving = await inbox.open(place('a'), 0, 3)
    await receiving.write(Buffer.from('abc'))
    rmSync(join(folder, 'a.n1.partial'))
    writeFileSync(join(folder, 'a.n1.partial'), 'evil')
    await expect(receiving.finish({ from: FROM })).rejects.toMatchObject({ code: 'io' })
    expect(names()).toEqual(['a.n1.partial'])
  })
})

describe('the folder', () => {
  test('is made where its parent is there, and its room is told', async () => {
    const made = join(root, 'new')
    expect((await inbox.look(made)).freeBytes).toBeGreaterThan(0)
    expect(statSync(made).mode & 0o777).toBe(0o700)
    expect((await inbox.look(join(root, 'no/where'))).fault).toMatchObject({ code: 'folder-gone' })
    writeFileSync(join(root, 'file'), '')
    expect((await inbox.look(join(root, 'file'))).fault).toMatchObject({ code: 'not-a-folder' })
    symlinkSync(folder, join(root, 'link'))
    expect((await inbox.look(join(root, 'link'))).fault).toMatchObject({ code: 'not-a-folder' })
    await expect(inbox.open({ ...place('a'), folder: join(root, 'link') }, 0, 1)).rejects.toMatchObject({ code: 'not-a-folder' })
  })

  test('that vanishes, or is replaced by a link or by another, gets nothing and nothing else does', async () => {
    const elsewhere = join(root, 'elsewhere')
    const replace: (() => void)[] = [() => {}, () => symlinkSync(elsewhere, folder), () => mkdirSync(folder)]
    for (const [i, put] of replace.entries()) {
      mkdirSync(elsewhere)
      const receiving = await inbox.open(place('a'), 0, 6)
      await receiving.write(Buffer.from('abc'))
      renameSync(folder, join(root, `moved${i}`))
      put()
      await receiving.write(Buffer.from('def'))
      await expect(receiving.finish({ from: FROM })).rejects.toMatchObject({ code: 'folder-gone' })
      expect(readdirSync(elsewhere)).toEqual([])
      expect(readdirSync(join(root, `moved${i}`))).toEqual(['a.n1.partial'])
      rmSync(folder, { recursive: true, force: true })
      rmSync(elsewhere, { recursive: true })
      mkdirSync(folder)
    }
    rmSync(folder, { recursive: true })
    await expect(inbox.open(place('a'), 0, 1)).rejects.toMatchObject({ code: 'folder-gone' })
    mkdirSync(folder)
  })

  test.skipIf(process.getuid?.() === 0)('that cannot be written to is told as that', async () => {
    chmodSync(folder, 0o500)
    expect((await inbox.look(folder)).fault).toMatchObject({ code: 'no-rights' })
    await expect(inbox.open(place('a'), 0, 1)).rejects.toMatchObject({ code: 'no-rights' })
  })
})

describe('files that wait', () => {
  test('are listed, read and removed; links, folders and partial ones are not there', async () => {
    for (const name of ['b.txt', 'a.txt', '.hidden', 'ü', 'x.n1.partial', 'gone.deleted']) writeFileSync(join(folder, name), name)
    writeFileSync(join(folder, 'empty'), '')
    symlinkSync('/etc/passwd', join(folder, 'link'))
    mkdirSync(join(folder, 'sub'))
    expect((await inbox.waiting(folder)).map((one) => one.name)).toEqual(['.hidden', 'a.txt', 'b.txt', 'empty', 'sub.zip', 'ü'])
    const read = async (name: string) => {
      const found = await inbox.read(folder, name)
      return found && { size: found.size, text: Buffer.concat(await listed(found.stream as AsyncIterable<Buffer>)).toString() }
    }
    expect(await read('a.txt')).toEqual({ size: 5, text: 'a.txt' })
    expect(await read('empty')).toEqual({ size: 0, text: '' })
    for (const name of ['link', 'sub', 'none']) {
      expect(await read(name)).toBeUndefined()
      expect(await inbox.remove(folder, name)).toBe(false)
    }
    await expect(read('../in/a.txt')).rejects.toMatchObject({ code: 'bad-name' })
    await expect(inbox.remove(folder, '..')).rejects.toMatchObject({ code: 'bad-name' })
    expect(await inbox.remove(folder, 'a.txt')).toBe(true)
    expect(await inbox.waiting(join(root, 'none'))).toEqual([])
  })

  test('a folder is there as one zip file, the same each time, and a file of that name goes before it', async () => {
    mkdirSync(join(folder, 'trip/deep'), { recursive: true })
    writeFileSync(join(folder, 'trip/deep/a.txt'), 'content of a')
    symlinkSync('/etc/passwd', join(folder, 'trip/link'))
    const [listedOne] = await inbox.waiting(folder)
    expect(listedOne).toMatchObject({ name: 'trip.zip' })
    const read = async () => Buffer.concat(await listed((await inbox.read(folder, 'trip.zip'))!.stream as AsyncIterable<Buffer>))
    const bytes = await read()
    expect(bytes.length).toBe(listedOne!.size)
    expect(bytes.equals(await read())).toBe(true)
    expect(bytes.includes('content of a')).toBe(true)
    expect(bytes.includes('trip/deep/a.txt')).toBe(true)
    expect(bytes.includes('link')).toBe(false)
    ;(await inbox.read(folder, 'trip.zip'))!.stream.destroy()

    writeFileSync(join(folder, 'trip.zip'), 'a file')
    expect(await inbox.waiting(folder)).toEqual([{ name: 'trip.zip', size: 6 }])
    for (let i = 0; i < 2; i++) expect(await inbox.remove(folder, 'trip.zip')).toBe(true)
    expect(await inbox.remove(folder, 'trip.zip')).toBe(false)
    expect(names()).toEqual([])
  })
})
