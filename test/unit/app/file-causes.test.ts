/**
 * What a person is told of files, from the list as it changes.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fileCauses, FILE_NEWS_MS, nextFileLookMs, NO_FILES, rememberFiles, type FileMemory } from '../../../main/app/notices/file-causes.ts'
import type { Cause } from '../../../main/app/notices/machine.ts'
import { NO_TRANSFERS, type TransfersPage } from '../../../main/localapi/transfers.ts'
import { ask, NOW_MS, transfer } from './tray-facts.ts'

const page = (more: Partial<TransfersPage>): TransfersPage => ({ ...NO_TRANSFERS, ...more })
const EMPTY = page({})

/** Looks one after the other, a second apart; answers the causes after the last. */
function after(...pages: readonly TransfersPage[]): readonly Cause[] {
  let memory: FileMemory = NO_FILES
  pages.forEach((one, i) => {
    memory = rememberFiles(memory, one, NOW_MS + i * 1000)
  })
  return fileCauses(memory, pages.at(-1)!, NOW_MS + (pages.length - 1) * 1000)
}
const came = { Direction: 'in', SavedIn: '/home/anna/Downloads/Bowline' } as const
const told = (causes: readonly Cause[]): readonly (readonly string[])[] => causes.map(({ title, body, actions }) => [title, body, ...actions.map(({ label }) => label)])

describe('an ask', () => {
  it('is told with who, what and how much, and can be answered there', () => {
    const [cause] = after(page({ Asks: [ask('b7')] }))
    expect(told([cause!])).toEqual([['mateo-framework wants to send you report.pdf', 'Mateo, 2.0 MB', 'Accept', 'Refuse']])
    expect(cause!.actions.map(({ action }) => action)).toEqual([{ kind: 'transfer', do: { Do: 'accept', Batch: 'b7' } }, { kind: 'transfer', do: { Do: 'refuse', Batch: 'b7' } }])
    expect(cause).toMatchObject({ category: 'incoming-files', open: { kind: 'go', hash: '#/transfers' } })
  })

  it('is one for a batch, in the same place with other words as files join it, and gone when it is answered', () => {
    const [one, three] = [after(page({ Asks: [ask('b7')] })), after(page({ Asks: [ask('b7', { Count: 3, Size: -1 })] }))]
    expect(three.map(({ key }) => key)).toEqual(one.map(({ key }) => key))
    expect(told(three)[0]!.slice(0, 2)).toEqual(['mateo-framework wants to send you report.pdf and 2 more', 'Mateo'])
    expect(after(page({ Asks: [ask('b7')] }), EMPTY)).toEqual([])
  })
})

describe('what came in', () => {
  it('can be opened where it lies, or shown in its folder', () => {
    const [cause] = after(EMPTY, page({ Rows: [transfer('a', 'received', { ...came, SavedAs: 'a (1).pdf' })] }))
    expect(told([cause!])).toEqual([['a (1).pdf came from nas-oslo', '1.0 kB, in Bowline', 'Open', 'Show in folder']])
    expect(cause!.actions.map(({ action }) => action)).toEqual([{ kind: 'received', id: 'a', how: 'open' }, { kind: 'received', id: 'a', how: 'show' }])
  })

  it('is only shown where it could run, is a folder, or is more than one; and waits where the engine keeps it', () => {
    const labels = (...rows: readonly ReturnType<typeof transfer>[]): readonly string[] => told(after(EMPTY, page({ Rows: rows })))[0]!
    expect(labels(transfer('a', 'received', { ...came, SavedAs: 'a.sh' })).slice(2)).toEqual(['Show in folder'])
    expect(labels(transfer('a', 'received', { ...came, SavedAs: 'a.pdf', Kind: 'folder' })).slice(2)).toEqual(['Show in folder'])
    expect(labels(transfer('a', 'received', came), transfer('b', 'received', came))).toEqual(['2 files came from nas-oslo', '2.0 kB, in Bowline', 'Show in folder'])
    expect(labels(transfer('a', 'received', { ...came, SavedIn: '' }))).toEqual(['a.pdf came from nas-oslo', '1.0 kB, kept by the engine until it is fetched', 'Show'])
  })

  it('is told once its batch is through, and not what lay there before', () => {
    const old = transfer('old', 'received', { ...came, Batch: 'b0', Finished: '2026-11-23T11:00:00Z', Created: '2026-11-23T11:00:00Z' })
    expect(after(page({ Rows: [old] }), page({ Rows: [old] }))).toEqual([])
    const half = page({ Rows: [transfer('a', 'received', came), transfer('b', 'receiving', { Direction: 'in' })] })
    expect(after(EMPTY, half)).toEqual([])
    expect(after(EMPTY, half, page({ Rows: [transfer('a', 'received', came), transfer('b', 'received', came)] }))).toHaveLength(1)
  })

  it('is told though it began long before this program did', () => {
    const long = transfer('a', 'receiving', { ...came, Created: '2026-11-20T11:00:00Z' })
    expect(after(page({ Rows: [long] }), page({ Rows: [{ ...long, State: 'received' }] }))).toHaveLength(1)
  })

  it('is no news any more after a while', () => {
    const rows = page({ Rows: [transfer('a', 'received', came)] })
    const memory = rememberFiles(rememberFiles(NO_FILES, EMPTY, NOW_MS), rows, NOW_MS)
    expect(nextFileLookMs(memory)).toBe(NOW_MS + FILE_NEWS_MS)
    expect(fileCauses(memory, rows, NOW_MS + FILE_NEWS_MS - 1)).toHaveLength(1)
    expect(fileCauses(memory, rows, NOW_MS + FILE_NEWS_MS)).toEqual([])
  })
})

describe('what was sent', () => {
  it('is told as delivered, in its own category', () => {
    expect(after(EMPTY, page({ Rows: [transfer('a', 'delivered')] }))).toMatchObject([{ title: 'a.pdf was delivered to nas-oslo', category: 'delivered-files', isNews: true }])
  })

  it('and stopped for good is told with why, and can be tried again; a canceled one is not told', () => {
    const stopped = transfer('a', 'stopped', { Why: { Code: 'x-new', Text: 'the disk is \u202efull' } })
    const [cause] = after(EMPTY, page({ Rows: [stopped] }))
    expect(told([cause!])).toEqual([['a.pdf was not delivered to nas-oslo', 'the disk is \ufffdfull', 'Try again', 'Show']])
    expect(cause!.actions[0]!.action).toEqual({ kind: 'transfer', do: { Do: 'retry', ID: 'a' } })
    expect(after(EMPTY, page({ Rows: [{ ...stopped, Direction: 'in' }] }))).toMatchObject([{ title: 'a.pdf did not arrive from nas-oslo', category: 'incoming-files' }])
    expect(after(EMPTY, page({ Rows: [transfer('a', 'canceled')] }))).toEqual([])
    expect(after(page({ Rows: [stopped] }), page({ Rows: [transfer('a', 'sending')] }))).toEqual([])
  })
})

it('names of files and devices keep no control characters and are cut, whoever made them', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), fc.string({ unit: 'binary', maxLength: 300 }), (name, device) => {
    const rows = [transfer('a', 'received', { ...came, SavedAs: name, PeerName: device, SavedIn: `/${name}` }), transfer('b', 'stopped', { Batch: 'b2', Name: name, PeerName: device, Why: { Code: name, Text: device } })]
    const asks = [ask('b7', { PeerName: device, Owner: device, Items: [{ Name: name, Kind: 'file', Size: 1, Files: 1 }] })]
    for (const { title, body } of after(EMPTY, page({ Rows: rows, Asks: asks }))) {
      expect(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(title + body)).toBe(false)
      expect(title.length).toBeLessThan(200)
      expect(body.length).toBeLessThan(300)
    }
  }))
})
