/**
 * The page of transfers: what is one entry, where it stands, how high its lines are, and what is said of it; devices to send to.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { NO_TRANSFERS, reduceTransfers, type TransferAsk, type TransferRow, type TransfersPage, type TransferState, type TransferTarget } from '../../main/localapi/transfers.ts'
import { WHY_CODES } from '../../main/engine/core/taildrop/whys.ts'
import { isWord } from '../../main/words/words.ts'
import { reasonMeans, reasonWords, requestText, targetLines } from '../../renderer/state/targets.ts'
import { countsOf, EntryTable, entriesOf, initials, isMany, linesOf, mayAlways, openCount, sectionsOf, shareOf, type Entry, type Heights } from '../../renderer/state/transfers.ts'
import { askedKind, askedWay, askedWords, folderWords, footWords, isSlow, kindOf, lineOf, named, partsWords, rightOf, spokenOf, titleOf, whyWords } from '../../renderer/state/transfers-words.ts'

const NOON = Date.parse('2026-11-23T12:00:00Z')
const MIDNIGHT = Date.parse('2026-11-23T00:00:00Z')
const HEIGHTS: Heights = { section: 37, entry: 53, bar: 15, part: 32 }
const ago = (hours: number): string => new Date(NOON - hours * 3_600_000).toISOString()

let made = 0
const row = (change: Partial<TransferRow> = {}): TransferRow => ({
  ID: `t${++made}`, Batch: `b${made}`, Direction: 'out', Peer: 'n1', PeerName: 'build-07', Name: 'a.txt', Kind: 'file', Files: 1, Size: 1000, Done: 0, State: 'queued', Checked: false, Created: ago(1), ...change,
})
const page = (Rows: readonly TransferRow[], Asks: readonly TransferAsk[] = []): TransfersPage => ({ ...NO_TRANSFERS, Rows, Asks })
const ask = (change: Partial<TransferAsk> = {}): TransferAsk => ({
  Batch: 'asked', Peer: 'n2', PeerName: 'mateo-framework', Owner: 'Mateo Ruiz', Items: [{ Name: 'site-photos.zip', Kind: 'file', Size: 200, Files: 1 }], Count: 3, Size: 214e6, Since: ago(0), Held: true, Accepted: 0, ...change,
})
const entries = (Rows: readonly TransferRow[], Asks: readonly TransferAsk[] = []): readonly Entry[] => new EntryTable().look(page(Rows, Asks))
const entry = (change: Partial<TransferRow>): Entry => entries([row(change)])[0]!

describe('entries', () => {
  it('are one each for a few of a batch, and one for many', () => {
    expect(entries(Array.from({ length: 3 }, () => row({ Batch: 'few' }))).map(isMany)).toEqual([false, false, false])
    const many = entries(Array.from({ length: 5 }, (_, i) => row({ Batch: 'many', Name: `${i}.jpg`, Size: 10, Done: i })))
    expect(many).toHaveLength(1)
    expect(many[0]!.row).toMatchObject({ ID: 'many', Files: 5, Size: 50, Done: 10 })
    expect(titleOf(many[0]!)).toBe('0.jpg and 4 more')
  })

  it('do what the busiest of their rows does', () => {
    const of = (...states: readonly TransferState[]): string => entries(states.map((State) => row({ Batch: 'm', State })))[0]!.row.State
    expect(of('delivered', 'stopped', 'sending', 'queued')).toBe('sending')
    expect(of('delivered', 'delivered', 'paused', 'queued')).toBe('queued')
    expect(of('delivered', 'stopped', 'canceled', 'delivered')).toBe('stopped')
    expect(of('canceled', 'canceled', 'canceled', 'canceled')).toBe('canceled')
  })

  it('are checked there only when all of them are', () => {
    const rows = (Checked: boolean): readonly TransferRow[] => Array.from({ length: 4 }, (_, i) => row({ Batch: 'm', State: 'delivered', Checked: i === 0 ? Checked : true, Finished: ago(0) }))
    expect(lineOf(entries(rows(false))[0]!.row).words).toBe('Delivered to build-07')
    expect(lineOf(entries(rows(true))[0]!.row).words).toBe('Delivered to build-07 and checked there')
  })

  it('keep their identity while nothing of them is news', () => {
    const table = new EntryTable()
    const [one, other] = [row(), row()]
    const before = table.look(page([one, other]))
    const after = table.look(reduceTransfers(page([one, other]), { Rows: [{ ...other, Done: 5 }] }))
    expect(after.find(({ key }) => key === one.ID)).toBe(before.find(({ key }) => key === one.ID))
    expect(after.find(({ key }) => key === other.ID)).not.toBe(before.find(({ key }) => key === other.ID))
  })

  it('stay one while rows of the batch go', () => {
    const table = new EntryTable()
    const rows = Array.from({ length: 4 }, () => row({ Batch: 'm' }))
    table.look(page(rows))
    expect(table.look(page(rows.slice(0, 2)))).toHaveLength(1)
  })

  it('leave out what an ask stands for', () => {
    expect(entries([row({ Batch: 'asked', Direction: 'in', State: 'waiting-answer' }), row({ Batch: 'asked' })], [ask()])).toHaveLength(1)
  })

  it('of a device come with the open ones first', () => {
    const all = entries([row({ State: 'delivered', Finished: ago(0) }), row({ State: 'paused' }), row({ State: 'sending' }), row({ Peer: 'n9' })])
    expect(entriesOf(all, 'n1', 2).map((one) => one.row.State)).toEqual(['sending', 'paused'])
  })
})

describe('sections', () => {
  it('go by what happens now, then by day, the latest first', () => {
    const rows = [
      row({ State: 'checking' }), row({ State: 'waiting-device' }), row({ State: 'paused' }), row({ Name: 'early', State: 'delivered', Finished: ago(9) }), row({ Name: 'late', State: 'stopped', Finished: ago(1) }),
      row({ State: 'received', Direction: 'in', Finished: ago(13) }), row({ State: 'canceled', Finished: ago(60) }),
    ]
    expect(sectionsOf(entries(rows), MIDNIGHT).map(({ id, entries: some }) => [id, some.map((one) => one.row.Name === 'a.txt' ? one.row.State : one.row.Name)])).toEqual([
      ['now', ['checking']], ['waiting', ['waiting-device', 'paused']], ['today', ['late', 'early']], ['yesterday', ['received']], ['earlier', ['canceled']],
    ])
  })

  it('make lines whose places are sums of their heights', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom<TransferState>('sending', 'queued', 'delivered', 'stopped', 'paused'), { maxLength: 30 }), fc.boolean(), (states, isOpen) => {
      const all = entries(states.map((State, i) => row({ State, Done: 5, Batch: i % 3 === 0 ? 'same' : `b${i}`, Finished: ago(i) })))
      const open = new Set(isOpen ? all.map(({ key }) => key) : [])
      const lines = linesOf(sectionsOf(all, MIDNIGHT), open, HEIGHTS)
      expect(lines.tops).toHaveLength(lines.all.length + 1)
      for (const [i, line] of lines.all.entries()) {
        const height = lines.tops[i + 1]! - lines.tops[i]!
        if (line.kind !== 'entry') expect(height).toBe(line.kind === 'part' ? 32 : 37)
        else expect(height).toBe(['sending', 'paused'].includes(line.entry.row.State) ? 68 : 53)
      }
      const parts = lines.all.filter((line) => line.kind === 'part').length
      expect(parts).toBe(isOpen ? all.filter(isMany).reduce((sum, one) => sum + one.rows.length, 0) : 0)
    }))
  })
})

describe('what is said', () => {
  it.each<[Partial<TransferRow>, string]>([
    [{ State: 'sending', Path: { Kind: 'direct', Via: '' } }, 'To build-07, direct'],
    [{ State: 'sending', Path: { Kind: 'relay', Via: 'sin' } }, 'To build-07, relayed through sin'],
    [{ State: 'sending', Path: { Kind: 'relay', Via: '' } }, 'To build-07, relayed'],
    [{ State: 'receiving', Direction: 'in', Path: { Kind: 'peer-relay', Via: 'nas' } }, 'From build-07, through nas'],
    [{ State: 'sending' }, 'To build-07'],
    [{ State: 'checking' }, 'To build-07. Checking'],
    [{ State: 'waiting-device', Why: { Code: 'device-offline', Text: '' } }, 'Waiting for build-07. Sends when it comes online'],
    [{ State: 'waiting-device', Why: { Code: 'not-connected', Text: '' } }, 'To build-07. Sends when you are connected'],
    [{ State: 'waiting-answer' }, 'To build-07. Waiting for their answer'],
    [{ State: 'paused', Done: 419 }, 'To build-07. Paused at 41 %'],
    [{ State: 'paused', Done: 0 }, 'To build-07. Paused'],
    [{ State: 'delivered', Checked: true }, 'Delivered to build-07 and checked there'],
    [{ State: 'delivered' }, 'Delivered to build-07'],
    [{ State: 'received', Direction: 'in', SavedIn: '/home/anna/Downloads/Bowline', SavedAs: 'a.txt' }, 'From build-07, in Downloads/Bowline'],
    [{ State: 'received', Direction: 'in', SavedIn: 'C:\\Users\\anna\\Downloads', SavedAs: 'a (1).txt' }, 'From build-07, in anna/Downloads as a (1).txt'],
    [{ State: 'received', Direction: 'in', SavedIn: '' }, 'From build-07, kept by the engine until it is fetched'],
    [{ State: 'stopped', Why: { Code: 'peer-no-space', Text: 'x' } }, 'To build-07. Stopped: the disk of the device has not enough room'],
    [{ State: 'stopped', Why: { Code: 'nonesuch', Text: 'something of a later version.' } }, 'To build-07. Stopped: something of a later version'],
    [{ State: 'canceled' }, 'To build-07. Canceled'],
  ])('of %j: %s', (change, words) => {
    expect(lineOf(row(change)).words).toBe(words)
  })

  it('has words of its own for every code that the engine can give', () => {
    expect(WHY_CODES.filter((code) => !isWord(`transfers.why.${code}`))).toEqual([])
    for (const code of WHY_CODES) expect(whyWords({ Code: code, Text: '' })).not.toMatch(/\.$/)
  })

  it('gives bytes in one unit where both have it', () => {
    expect(lineOf(row({ State: 'sending', Size: 640e6, Done: 58e6 })).bytes).toBe('58 of 640 MB')
    expect(lineOf(row({ State: 'sending', Size: 1.8e9, Done: 1.1e9 })).bytes).toBe('1.1 GB of 1.8 GB')
    expect(lineOf(row({ State: 'sending', Size: -1, Done: 5000 })).bytes).toBe('5.0 kB')
  })

  it('gives rate and time left while it moves, then the size, then when it ended', () => {
    expect(rightOf(entry({ State: 'sending', Rate: 86e6, LeftMs: 8000 }), MIDNIGHT)).toBe('86 MB/s, 8 s left')
    expect(rightOf(entry({ State: 'sending', Rate: 86e6 }), MIDNIGHT)).toBe('86 MB/s')
    expect(rightOf(entry({ State: 'sending' }), MIDNIGHT)).toBe('')
    expect(rightOf(entry({ State: 'queued', Size: 2.2e9 }), MIDNIGHT)).toBe('2.2 GB')
    expect(rightOf(entry({ State: 'delivered', Finished: ago(1) }), MIDNIGHT)).toMatch(/^\d\d:\d\d$/)
    expect(rightOf(entry({ State: 'delivered', Finished: ago(24 * 40) }), MIDNIGHT)).toBe('Oct 14')
  })

  it('never says all of it before it is there', () => {
    fc.assert(fc.property(fc.nat(1_000_000), fc.nat(1_000_000), (size, done) => {
      const share = shareOf(row({ Size: size, Done: done, State: 'sending' }))!
      expect(share).toBeGreaterThanOrEqual(0)
      expect(share).toBeLessThanOrEqual(1)
    }))
    expect(lineOf(row({ State: 'paused', Size: 1000, Done: 999 })).words).toContain('99 %')
  })

  it('asks why it is slow where a relay makes it so and much is left', () => {
    const slow = { State: 'sending', Path: { Kind: 'relay', Via: 'sin' }, Rate: 2.4e6, LeftMs: 240_000 } as const
    expect(isSlow(row(slow))).toBe(true)
    expect(isSlow(row({ ...slow, Path: { Kind: 'direct', Via: '' } }))).toBe(false)
    expect(isSlow(row({ ...slow, LeftMs: 5000 }))).toBe(false)
    expect(isSlow(row({ ...slow, State: 'delivered' }))).toBe(false)
  })

  it('counts what moves and what waits', () => {
    const all = entries([row({ State: 'sending' }), row({ State: 'receiving', Direction: 'in' }), row({ State: 'paused' }), row({ State: 'stopped' }), row({ State: 'delivered' })])
    expect(footWords(countsOf(all), 88e6, 0)).toBe('1 sending, 1 receiving, 1 waiting. 88 MB/s up')
    expect(footWords(countsOf([]), 0, 0)).toBe('Nothing is on its way')
    expect(openCount(page(all.map((one) => one.row), [ask()]))).toBe(4)
    expect(openCount(undefined)).toBe(0)
  })

  it('is one sentence for a screen reader', () => {
    expect(spokenOf(entry({ Name: 'photo.jpg', State: 'sending', Done: 250, Rate: 1e6, Path: { Kind: 'direct', Via: '' } }), MIDNIGHT)).toBe('photo.jpg. To build-07, direct. 25 %. 250 B of 1.0 kB. 1.0 MB/s.')
    const batch = entries(Array.from({ length: 4 }, (_, i) => row({ Batch: 'm', State: i === 0 ? 'stopped' : 'delivered', Finished: ago(1) })))[0]!
    expect(partsWords(batch)).toBe('1 of 4 stopped')
  })

  it('lets a hostile name neither hide an ending nor turn what is around it', () => {
    expect(named('invoice\u202efdp.exe')).toBe('\u2068invoice\ufffdfdp.exe\u2069')
    expect(named('a\u0000b\u0007\nc')).toBe('\u2068a\ufffdb\ufffd\ufffdc\u2069')
    expect(named('plain.txt')).toBe('plain.txt')
    expect(named('x'.repeat(500))).toHaveLength(122)
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (name) => {
      const words = lineOf(row({ State: 'delivered', PeerName: name })).words
      // oxlint-disable-next-line no-control-regex
      expect(words).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066\u2067]/)
      expect((words.match(/\u2068/g) ?? []).length).toBe((words.match(/\u2069/g) ?? []).length)
    }))
  })

  it('knows files by their ends', () => {
    const of = (Name: string, Kind: TransferRow['Kind'] = 'file'): string => kindOf(entry({ Name, Kind }))
    expect([of('a.JPG'), of('b.tar.gz'), of('c.mov'), of('d'), of('e.xlsx'), of('f.pdf'), of('g', 'folder'), of('h.txt', 'archive'), of('.constructor')]).toEqual(['image', 'archive', 'video', 'file', 'table', 'text', 'folder', 'archive', 'file'])
  })

  it('names a folder by its last two parts', () => {
    expect([folderWords('/home/anna/Downloads/Bowline'), folderWords('/srv'), folderWords('/')]).toEqual(['Downloads/Bowline', 'srv', '/'])
  })
})

describe('asks', () => {
  it('say what, how much and by which way', () => {
    expect(askedWords(ask())).toBe('site-photos.zip and 2 more, 214 MB.')
    expect(askedWords(ask({ Count: 1, Size: -1 }))).toBe('site-photos.zip, size not known.')
    expect(askedWay(ask({ Path: { Kind: 'relay', Via: 'fra' } }))).toBe('From mateo-framework, relayed through fra.')
    expect(askedKind(ask({ Count: 1, Items: [{ Name: 'x', Kind: 'folder', Size: 1, Files: 9 }] }))).toBe('folder')
  })

  it('offer "always" from the second time on', () => {
    expect([0, 1, 5].map((Accepted) => mayAlways(ask({ Accepted })))).toEqual([false, true, true])
  })

  it('show who by letters', () => {
    expect(['Mateo Ruiz', 'anna@fjord.example', 'x', '  ', 'Li Wei Zhang', '李 伟', '<b>'].map(initials)).toEqual(['MR', 'AE', 'X', '?', 'LZ', '李伟', '?'])
  })
})

describe('devices to send to', () => {
  const target = (Name: string, change: Partial<TransferTarget> = {}): TransferTarget => ({ ID: `id-${Name}`, Name, DNSName: `${Name}.net`, OS: 'linux', Owner: 'You', Own: true, Online: true, Usable: true, Target: 1, ...change })
  const all = [
    target('used', { Used: ago(1) }), target('zebra'), target('ant'), target('vault', { Usable: false, Owner: 'tag:vault', Why: { Code: 'tagged', Text: 'x' }, Grant: '{ "grants": [] }' }),
    target('later', { Usable: false, Why: { Code: 'nonesuch' as never, Text: 'of a later version' } }),
  ]
  const keys = (typed: string): readonly string[] => targetLines({ Targets: all }, typed).map(({ key }) => key)

  it('stand by when they were used, then by name, then those that cannot', () => {
    expect(keys('')).toEqual(['section recent', 'id-used', 'section all', 'id-ant', 'id-zebra', 'section cannot', 'id-vault', 'id-later'])
    expect(targetLines(undefined, '')).toEqual([])
  })

  it('are found by all words that were typed', () => {
    expect(keys('TAG vault')).toEqual(['section cannot', 'id-vault'])
    expect(keys('nonesuch')).toEqual([])
  })

  it('say why they cannot, and what would allow it', () => {
    expect(reasonWords(all[3]!)).toBe('Has a tag, rules do not allow files')
    expect(reasonMeans(all[3]!)).toContain('vault acts for a tag')
    expect(reasonWords(all[4]!)).toBe('of a later version')
    expect(requestText('vault', 'because.', all[3]!.Grant)).toBe('I would like to send files to vault. This stands in the way: because.\n\n{ "grants": [] }')
  })

  it('are found among thousands', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => target(`device-${i}`))
    expect(targetLines({ Targets: many }, 'device-99').length).toBe(112)
  })
})
