/**
 * What is read to be sent, from real folders: order, changes, links, special files, archives that a foreign unzip reads.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeSources } from '../../../../main/engine/io/outgoing/sources.ts'
import type { FileSources } from '../../../../main/engine/io/outgoing/sources.ts'
import type { SourceRef } from '../../../../main/engine/core/taildrop/files.ts'

let folder = ''
let sources: FileSources

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'outgoing-'))
  mkdirSync(join(folder, 'spool'))
  sources = makeSources({ spool: join(folder, 'spool') })
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Reader {
  readonly size: number
  read(most: number): Promise<Uint8Array>
  unread(bytes: Uint8Array): void
  close(): Promise<void>
}

async function everything(reader: Reader, most = 100_000): Promise<Buffer> {
  const parts: Uint8Array[] = []
  for (;;) {
    const bytes = await reader.read(most)
    expect(bytes.length).toBeLessThanOrEqual(most)
    if (bytes.length === 0) break
    parts.push(Buffer.from(bytes))
  }
  await reader.close()
  return Buffer.concat(parts)
}

const path = (name: string): string => join(folder, name)
const ref = (name: string, isFolder = false): SourceRef => ({ kind: 'path', path: path(name), isFolder })
const noise = (length: number): Buffer => {
  const out = Buffer.alloc(length)
  for (let i = 0; i < length; i++) out[i] = (i * 7919 + (i >> 8)) & 0xff
  return out
}

function makeTree(): void {
  mkdirSync(path('tree/b/deep'), { recursive: true })
  mkdirSync(path('tree/nothing'))
  mkdirSync(path('tree/only-links'))
  writeFileSync(path('tree/b/deep/two'), 'second')
  writeFileSync(path('tree/a'), 'first')
  writeFileSync(path('tree/z'), noise(1_300_000))
  writeFileSync(path('tree/empty'), '')
  symlinkSync('/etc/passwd', path('tree/only-links/outside'))
  symlinkSync('..', path('tree/loop'))
}

describe('a file', () => {
  it('is read whole, however large the pieces asked for', async () => {
    const content = noise(1_500_001)
    writeFileSync(path('f'), content)
    const look = await sources.look(ref('f'))
    expect(look).toMatchObject({ name: 'f', isFolder: false, files: 1, size: content.length })
    for (const most of [1_000, 65_536, 1 << 20]) {
      const reader = await sources.open(ref('f'), 'plain', look.print)
      expect(reader.size).toBe(content.length)
      expect((await everything(reader, most)).equals(content)).toBe(true)
    }
  })

  it('gives again what was put back, first', async () => {
    const content = noise(700_000)
    writeFileSync(path('f'), content)
    const reader = await sources.open(ref('f'), 'plain', (await sources.look(ref('f'))).print)
    const one = Buffer.from(await reader.read(65_536))
    const two = Buffer.from(await reader.read(65_536))
    reader.unread(two)
    reader.unread(one)
    expect((await everything(reader, 10_000)).equals(content)).toBe(true)
  })

  it('is not opened when it is another one than was added', async () => {
    writeFileSync(path('f'), 'one')
    const { print } = await sources.look(ref('f'))
    writeFileSync(path('f'), 'two')
    utimesSync(path('f'), 1, 1)
    await expect(sources.open(ref('f'), 'plain', print)).rejects.toMatchObject({ code: 'source-changed' })
    rmSync(path('f'))
    await expect(sources.open(ref('f'), 'plain', print)).rejects.toMatchObject({ code: 'source-gone' })
  })

  it('that changes while it is read never gives its last bytes', async () => {
    const content = noise(3 << 20)
    writeFileSync(path('f'), content)
    const reader = await sources.open(ref('f'), 'plain', (await sources.look(ref('f'))).print)
    let got = (await reader.read(1 << 20)).length
    appendFileSync(path('f'), 'more')
    const rest = async (): Promise<void> => {
      for (;;) got += (await reader.read(1 << 20)).length
    }
    await expect(rest()).rejects.toMatchObject({ code: 'source-changed' })
    expect(got).toBeLessThan(content.length)
    await reader.close()
  })

  it('may be named by a link, but may not be a pipe', async () => {
    writeFileSync(path('f'), 'content')
    symlinkSync(path('f'), path('link'))
    const look = await sources.look(ref('link'))
    expect((await everything(await sources.open(ref('link'), 'plain', look.print))).toString()).toBe('content')
    execFileSync('mkfifo', [path('pipe')])
    await expect(sources.look(ref('pipe'))).rejects.toMatchObject({ code: 'source-unreadable' })
    await expect(sources.look(ref('nowhere'))).rejects.toMatchObject({ code: 'source-gone' })
    await expect(sources.look({ kind: 'path', path: 'relative', isFolder: false })).rejects.toMatchObject({ code: 'source-unreadable' })
  })

  it('of the spool is named by an ID that leads nowhere else', async () => {
    writeFileSync(path('spool/abc'), 'spooled')
    const look = await sources.look({ kind: 'spool', id: 'abc' })
    expect((await everything(await sources.open({ kind: 'spool', id: 'abc' }, 'plain', look.print))).toString()).toBe('spooled')
    for (const id of ['../f', '', 'a/b', '.']) await expect(sources.look({ kind: 'spool', id })).rejects.toMatchObject({ code: 'source-unreadable' })
  })
})

describe('a folder', () => {
  it('is listed in one order, links counted and not followed', async () => {
    makeTree()
    expect(await sources.look(ref('tree', true))).toMatchObject({ name: 'tree', isFolder: true, files: 4, size: 1_300_011, skipped: 2 })
    const listed = await sources.manifest(ref('tree', true))
    expect(listed.map(({ path: name, size }) => [name, size])).toEqual([['a', 5], ['b/deep/two', 6], ['empty', 0], ['nothing', -1], ['only-links', -1], ['z', 1_300_000]])
  })

  it('is one stream of its files in that order', async () => {
    makeTree()
    const { print } = await sources.look(ref('tree', true))
    const reader = await sources.open(ref('tree', true), 'stream', print)
    expect(reader.size).toBe(1_300_011)
    expect((await everything(reader)).equals(Buffer.concat([Buffer.from('firstsecond'), noise(1_300_000)]))).toBe(true)
  })

  it('looks like another one after any change in it', async () => {
    makeTree()
    const { print } = await sources.look(ref('tree', true))
    expect((await sources.look(ref('tree', true))).print).toBe(print)
    utimesSync(path('tree/b/deep/two'), 5, 5)
    expect((await sources.look(ref('tree', true))).print).not.toBe(print)
    await expect(sources.open(ref('tree', true), 'stream', print)).rejects.toMatchObject({ code: 'source-changed' })
  })

  it('with a name that no receiver takes is refused, and says which', async () => {
    makeTree()
    writeFileSync(path('tree/b/a:b'), '')
    await expect(sources.look(ref('tree', true))).rejects.toThrow('b/a:b')
  })

  it('is an archive of known size, the same bytes each time, that unzip finds good', async () => {
    makeTree()
    const { print } = await sources.look(ref('tree', true))
    const zips = [await everything(await sources.open(ref('tree', true), 'archive', print)), await everything(await sources.open(ref('tree', true), 'archive', print))]
    const reader = await sources.open(ref('tree', true), 'archive', print)
    await reader.close()
    expect(zips.map(({ length }) => length)).toEqual([reader.size, reader.size])
    expect(zips[0]!.equals(zips[1]!)).toBe(true)
    writeFileSync(path('tree.zip'), zips[0]!)
    const script = `import sys, zipfile, hashlib
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None
for i in z.infolist(): print(i.filename, hashlib.sha256(z.read(i)).hexdigest()[:8])`
    const listed = execFileSync('python3', ['-c', script, path('tree.zip')], { encoding: 'utf8' }).trim().split('\n')
    const hash = (bytes: string | Buffer): string => createHash('sha256').update(bytes).digest('hex').slice(0, 8)
    expect(listed).toEqual([
      `tree/a ${hash('first')}`, `tree/b/deep/two ${hash('second')}`, `tree/empty ${hash('')}`,
      `tree/nothing/ ${hash('')}`, `tree/only-links/ ${hash('')}`, `tree/z ${hash(noise(1_300_000))}`,
    ])
  })

  it('an archive of one that changes while it is read breaks, and is not told to be whole', async () => {
    makeTree()
    const { print } = await sources.look(ref('tree', true))
    const reader = await sources.open(ref('tree', true), 'archive', print)
    await reader.read(10)
    appendFileSync(path('tree/z'), 'more')
    await expect(everything(reader)).rejects.toMatchObject({ code: 'source-changed' })
  })
})
