/**
 * Sending and receiving from end to end: two devices with everything but the tunnel.
 */
import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { Pair } from './pair.ts'

let folder: string
let pair: Pair

beforeEach(() => {
  folder = makeTempDir('slice')
  pair = new Pair(folder)
  pair.a.start()
  pair.b.start()
})
afterEach(() => {
  for (const device of [pair.a, pair.b]) device.stop()
  removeTempDir(folder)
})

const hashOf = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex')

function make(name: string, size: number): string {
  const path = join(folder, name)
  writeFileSync(path, randomBytes(size))
  return path
}

const held = () => waitFor('the middle of it', () => pair.isHeld, { withinMs: 60_000, everyMs: 20 })

const all = (state: string) => (rows: readonly { State: string }[]) => rows.length > 0 && rows.every((row) => row.State === state)

describe('between two devices', { timeout: 90_000 }, () => {
  test('many files arrive, each whole and checked, and both sides say so', async () => {
    const paths = Array.from({ length: 40 }, (_, n) => make(`f${n}.bin`, n * 1_777))
    await pair.a.send(pair.b, paths.map((Path) => ({ Path })))
    const rows = await pair.a.until('all delivered', all('delivered'))
    expect(rows).toHaveLength(40)
    for (const row of rows) expect(row).toMatchObject({ Checked: true, Done: row.Size })
    await pair.b.until('all received', all('received'))
    for (const [n, path] of paths.entries()) expect(hashOf(join(pair.b.inboxDir, `f${n}.bin`))).toBe(hashOf(path))
    expect(readdirSync(pair.b.inboxDir)).toHaveLength(40)
  })

  test('a folder arrives as a folder', async () => {
    mkdirSync(join(folder, 'tree', 'sub', 'empty'), { recursive: true })
    for (const name of ['a', 'sub/b', 'sub/c']) make(`tree/${name}`, 100_000)
    await pair.a.send(pair.b, [{ Path: join(folder, 'tree') }])
    const [row] = await pair.a.until('delivered', all('delivered'))
    expect(row).toMatchObject({ Kind: 'folder', Files: 3, Size: 300_000, Checked: true })
    for (const name of ['a', 'sub/b', 'sub/c']) expect(hashOf(join(pair.b.inboxDir, 'tree', name))).toBe(hashOf(join(folder, 'tree', name)))
    expect(readdirSync(join(pair.b.inboxDir, 'tree', 'sub')).toSorted()).toEqual(['b', 'c', 'empty'])
  })

  test('a cut connection goes on where it stopped: no more than a block is sent twice for each', async () => {
    const path = make('big.bin', 12_000_000)
    pair.cutAt = 6_000_000
    await pair.a.send(pair.b, [{ Path: path }])
    const [row] = await pair.a.until('delivered', all('delivered'))
    expect(row).toMatchObject({ Checked: true, Done: 12_000_000 })
    expect(hashOf(join(pair.b.inboxDir, 'big.bin'))).toBe(hashOf(path))
    // What was on the wire when it was cut is lost with it; the rest is not sent again.
    expect(pair.carried).toBeLessThan(13_500_000)
    expect(pair.a.journal.filter(({ kind }) => kind === 'try').length).toBeGreaterThan(1)
  })

  test('a sender that is killed in the middle goes on after its start, and what it had said to be delivered was', async () => {
    const small = Array.from({ length: 6 }, (_, n) => make(`s${n}`, 10_000))
    const path = make('big.bin', 12_000_000)
    pair.holdAt = 6_000_000
    await pair.a.send(pair.b, [...small, path].map((Path) => ({ Path })))
    await held()
    pair.a.stop(true)
    pair.cut()
    pair.release()
    const before = pair.carried
    await waitFor('the other side to notice', () => !pair.b.rows.some(({ State }) => State === 'receiving'), { withinMs: 30_000 })
    pair.a.start()
    await pair.a.until('all delivered', all('delivered'))
    for (const name of ['big.bin', 's0', 's5']) expect(hashOf(join(pair.b.inboxDir, name))).toBe(hashOf(join(folder, name)))
    expect(pair.carried - before).toBeLessThan(8_500_000)
    expect(readdirSync(pair.b.inboxDir)).toHaveLength(7)
  })

  test('a receiver that starts again goes on, too', async () => {
    const path = make('big.bin', 12_000_000)
    pair.holdAt = 6_000_000
    await pair.a.send(pair.b, [{ Path: path }])
    await held()
    pair.b.stop()
    pair.b.start()
    pair.release()
    expect(pair.b.rows.map(({ Name, State, Why }) => [Name, State, Why?.Code])).toEqual([['big.bin', 'stopped', expect.any(String)]])
    await pair.a.until('delivered', all('delivered'))
    expect(hashOf(join(pair.b.inboxDir, 'big.bin'))).toBe(hashOf(path))
    await pair.b.until('received, in the same row', (rows) => rows.length === 1 && rows[0]!.State === 'received')
  })

  test('what is paused stands still, and goes on', async () => {
    const path = make('big.bin', 12_000_000)
    pair.holdAt = 6_000_000
    const [id] = await pair.a.send(pair.b, [{ Path: path }])
    await held()
    await pair.a.taildrop.transfers.act({ Do: 'pause', ID: id }, true)
    expect(pair.a.rows[0]!.State).toBe('paused')
    await pair.b.until('broken off', ([row]) => row!.State === 'stopped')
    pair.release()
    await pair.a.taildrop.transfers.act({ Do: 'resume', ID: id }, true)
    await pair.a.until('delivered', all('delivered'))
    expect(hashOf(join(pair.b.inboxDir, 'big.bin'))).toBe(hashOf(path))
  })

  test('the receiver’s person can end it: nothing of it stays, and the sender is told', async () => {
    pair.holdAt = 6_000_000
    await pair.a.send(pair.b, [{ Path: make('big.bin', 12_000_000) }])
    await held()
    await pair.b.until('receiving', ([row]) => row?.State === 'receiving')
    await pair.b.taildrop.transfers.act({ Do: 'cancel', ID: pair.b.rows[0]!.ID }, true)
    await pair.a.until('stopped', all('stopped'))
    expect(pair.a.rows[0]!.Why!.Code).toMatch(/^peer-/)
    expect(pair.b.rows.map(({ State }) => State)).toEqual(['canceled'])
    await waitFor('nothing in the folder', () => readdirSync(pair.b.inboxDir).length === 0, { withinMs: 30_000 })
  })
})

describe('a person who is asked', { timeout: 90_000 }, () => {
  beforeEach(() => {
    pair.b.settings = { ...pair.b.settings, Own: 'ask' }
  })

  test('lets it in, elsewhere if they like, and always from then on', async () => {
    const other = join(folder, 'elsewhere')
    mkdirSync(other)
    await pair.a.send(pair.b, [make('a.bin', 5_000), make('b.bin', 6_000)].map((Path) => ({ Path })))
    const [ask] = await waitFor('the ask', () => pair.b.taildrop.transfers.page().Asks.length > 0 && pair.b.taildrop.transfers.page().Asks, { withinMs: 30_000 })
    expect(ask).toMatchObject({ Peer: 's1', PeerName: 'one', Owner: 'Alice', Count: 2, Size: 11_000 })
    await pair.a.until('waiting for the answer', (rows) => rows.some(({ State }) => State === 'waiting-answer'))
    expect(readdirSync(pair.b.inboxDir)).toEqual([])
    await pair.b.taildrop.transfers.act({ Do: 'accept', Batch: ask!.Batch, Folder: other, Always: true }, true)
    await pair.a.until('delivered', all('delivered'))
    expect(readdirSync(other).toSorted()).toEqual(['a.bin', 'b.bin'])
    expect(pair.b.rows.map(({ SavedIn }) => SavedIn)).toEqual([other, other])
    await pair.a.send(pair.b, [{ Path: make('c.bin', 10) }])
    await pair.a.until('delivered unasked', all('delivered'))
    expect(readdirSync(pair.b.inboxDir)).toEqual(['c.bin'])
  })

  test('refuses, and the sender stops with the reason', async () => {
    await pair.a.send(pair.b, [{ Path: make('a.bin', 5_000) }])
    const [ask] = await waitFor('the ask', () => pair.b.taildrop.transfers.page().Asks.length > 0 && pair.b.taildrop.transfers.page().Asks, { withinMs: 30_000 })
    await pair.b.taildrop.transfers.act({ Do: 'refuse', Batch: ask!.Batch }, true)
    const [row] = await pair.a.until('stopped', all('stopped'))
    expect(row!.Why).toMatchObject({ Code: 'peer-not-wanted' })
    expect(readdirSync(pair.b.inboxDir)).toEqual([])
  })
})

describe('what is in the way', { timeout: 90_000 }, () => {
  test('a device that is away is waited for, and gets it when it is heard', async () => {
    pair.b.stop()
    await pair.a.send(pair.b, [{ Path: make('a.bin', 5_000) }])
    const [row] = await pair.a.until('waiting for the device', all('waiting-device'))
    expect(row!.Why!.Code).toBe('device-silent')
    pair.b.start()
    pair.a.taildrop.moved()
    await pair.a.until('delivered', all('delivered'))
  })

  test('a source that went or changed stops with the reason', async () => {
    pair.b.stop()
    const [gone, changed] = [make('gone', 5_000), make('changed', 5_000)]
    await pair.a.send(pair.b, [{ Path: gone }, { Path: changed }])
    await pair.a.until('waiting', all('waiting-device'))
    rmSync(gone)
    writeFileSync(changed, 'something else')
    pair.b.start()
    pair.a.taildrop.moved()
    const rows = await pair.a.until('stopped', all('stopped'))
    expect(Object.fromEntries(rows.map(({ Name, Why }) => [Name, Why!.Code]))).toEqual({ gone: 'source-gone', changed: 'source-changed' })
  })

  test('without a folder of their choice it waits with the engine, as with the stock daemon', async () => {
    pair.b.settings = { ...pair.b.settings, Folder: '' }
    pair.b.taildrop.changed()
    await pair.a.send(pair.b, [{ Path: make('a.bin', 5_000) }])
    await pair.a.until('delivered', all('delivered'))
    await waitFor('the file that waits', () => pair.b.taildrop.standing().FilesWaiting !== undefined, { withinMs: 30_000 })
    expect(pair.b.rows[0]).toMatchObject({ State: 'received', SavedIn: '', SavedAs: 'a.bin' })
    expect(pair.b.taildrop.transfers.page().Inbox).toMatchObject({ Folder: '', Waiting: 1 })
  })

  test('what was handed over goes, and its copy with it', async () => {
    const { id, size } = await pair.a.taildrop.spool.put((async function* () { yield Buffer.from('over'); yield Buffer.from('here') })(), -1)
    expect(size).toBe(8)
    await pair.a.send(pair.b, [{ Spool: id, Name: 'n.txt' }])
    await pair.a.until('delivered', all('delivered'))
    expect(readFileSync(join(pair.b.inboxDir, 'n.txt'), 'utf8')).toBe('overhere')
    await waitFor('an empty spool', () => readdirSync(join(pair.a.stateDir, 'spool')).length === 0, { withinMs: 30_000 })
  })
})
