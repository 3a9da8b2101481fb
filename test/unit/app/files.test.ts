/**
 * Files of this computer in the app: what is offered and to whom, what is looked at, what a second start hands over, what may be opened.
 */
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync, readdirSync, existsSync } from 'node:fs'
import { createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DefaultFolder } from '../../../main/app/files/default-folder.ts'
import { lookAt, pathList, PATH_LIMIT } from '../../../main/app/files/look.ts'
import { OFFER_LIFE_MS, OFFER_LIMIT, Offers } from '../../../main/app/files/offers.ts'
import { isShownKind, receivedFile } from '../../../main/app/files/opening.ts'
import { spoolAll } from '../../../main/app/files/spooling.ts'
import { filesAmong, listAmong, shortened, takeList } from '../../../main/app/files/send-words.ts'
import { DEFAULT_SETTINGS, type AppSettings } from '../../../main/localapi/app-settings.ts'
import type { TransferRow } from '../../../main/localapi/transfers.ts'
import { LocalApiClient, type RequestOptions } from '../../../main/client/local-api-client.ts'
import { facts } from './tray-facts.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'bowline-files-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const put = (name: string, text = 'x'): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

describe('an offer', () => {
  const look = { Items: [], Count: 1, Size: 1, LeftOut: 0 }

  it('is of the window that made it, until it is dropped or given to another', () => {
    const offers = new Offers(() => 0)
    const { Offer } = offers.put(1, ['/a'], look)
    expect(offers.paths(1, Offer)).toEqual(['/a'])
    expect(offers.paths(2, Offer)).toBeUndefined()
    offers.drop(2, Offer)
    expect(offers.move(2, Offer, 3)).toBeUndefined()
    expect(offers.move(1, Offer, 2)?.Offer).toBe(Offer)
    expect([offers.paths(1, Offer), offers.paths(2, Offer)]).toEqual([undefined, ['/a']])
    offers.drop(2, Offer)
    expect(offers.paths(2, Offer)).toBeUndefined()
  })

  it('is over after an hour, and the oldest goes where there are too many', () => {
    let nowMs = 0
    const offers = new Offers(() => nowMs)
    const { Offer: old } = offers.put(1, ['/old'], look)
    nowMs = OFFER_LIFE_MS - 1
    expect(offers.paths(1, old)).toEqual(['/old'])
    nowMs++
    expect(offers.paths(1, old)).toBeUndefined()
    const made = Array.from({ length: OFFER_LIMIT + 5 }, (_, i) => offers.put(1, [`/${i}`], look).Offer)
    expect(made.map((id) => offers.paths(1, id) !== undefined)).toEqual(made.map((_, i) => i >= 5))
  })
})

describe('a look at files', () => {
  it('tells files and folders with what is below them, and leaves out the rest', async () => {
    const file = put('a.txt', '12345')
    mkdirSync(join(folder, 'dir/inner'), { recursive: true })
    writeFileSync(join(folder, 'dir/inner/b'), '123')
    writeFileSync(join(folder, 'dir/c'), '1')
    symlinkSync('/etc/passwd', join(folder, 'dir/link'))
    symlinkSync(file, join(folder, 'link.txt'))
    const given = [file, join(folder, 'dir'), join(folder, 'link.txt'), join(folder, 'nothing'), '', 'a.txt', '/dev/null', `${file}\0`, '/', file]
    const { paths, look } = await lookAt(given)
    expect(paths).toEqual([file, join(folder, 'dir')])
    expect(look).toEqual({
      Items: [{ Name: 'a.txt', Kind: 'file', Size: 5, Files: 1 }, { Name: 'dir', Kind: 'folder', Size: 4, Files: 2 }], Count: 2, Size: 9, LeftOut: given.length - 2,
    })
  })

  it('takes a list of texts alone, and not without end', () => {
    expect(pathList(['/a', ''])).toEqual(['/a', ''])
    for (const wrong of [undefined, null, 'a', {}, [7], [['a']], ['x'.repeat(40_000)], Array(PATH_LIMIT + 1).fill('/a')]) expect(pathList(wrong)).toBeUndefined()
  })
})

describe('files on the command line', () => {
  it('are all words after --send but switches, absolute', () => {
    expect(filesAmong(['--hidden', '--send', 'a b', '/c', '--flag', 'file:///d%20e', './--x', ''], '/home/anna')).toEqual(['/home/anna/a b', '/c', '/d e', '/home/anna/--x'])
    expect(filesAmong(['/a', '--hidden'], '/')).toEqual([])
  })

  it('go through a list of their own where they are many, which is read once and is gone then', () => {
    const files = Array.from({ length: 600 }, (_, i) => `/home/anna/documents/a-name-${i}.txt`)
    expect(shortened(['app', '--send', '/a'], '/')).toBeUndefined()
    const short = shortened(['app', '--hidden', '--send', ...files], '/')!
    expect(short.slice(0, 2)).toEqual(['app', '--hidden'])
    expect(short.join(' ').length).toBeLessThan(300)
    const list = listAmong(short)
    expect(takeList(list)).toEqual(files)
    expect(existsSync(list!)).toBe(false)
    expect(takeList(list)).toEqual([])
  })

  it('shorten whatever else is too long for a message', () => {
    expect(shortened(['app', `bowline://join#${'x'.repeat(20_000)}`, '--hidden'], '/')).toEqual(['app', '--hidden'])
  })

  it('take no other file for a list', () => {
    const path = put('bowline-send-00112233445566778899aabbccddeeff.json', '["/etc/passwd"]')
    for (const other of [path, '/etc/passwd', join(tmpdir(), '../etc/passwd'), join(tmpdir(), 'bowline-send-x.json'), 7, undefined]) expect(takeList(other)).toEqual([])
    expect(existsSync(path)).toBe(true)
  })
})

describe('what came in', () => {
  const row = (SavedAs: string, more: Partial<TransferRow> = {}): TransferRow => ({
    ID: 'r1', Batch: 'b1', Direction: 'in', Peer: 'n1', PeerName: 'nas', Name: SavedAs, Kind: 'file', Files: 1, Size: 1, Done: 1, State: 'received', Checked: true, Created: '2026-11-23T12:00:00Z',
    SavedAs, SavedIn: folder, ...more,
  })

  it('is opened where its kind only shows something, and it cannot be run', async () => {
    for (const [name, opens] of [['a.pdf', true], ['photo.JPG', true], ['b.zip', true], ['c.sh', false], ['d.desktop', false], ['e', false], ['.pdf', false], ['f.html', false], ['g.svg', false]] as const) {
      put(name)
      expect(await receivedFile(row(name), 'linux')).toEqual({ path: join(folder, name), opens })
    }
    chmodSync(join(folder, 'a.pdf'), 0o755)
    expect(await receivedFile(row('a.pdf'), 'linux')).toMatchObject({ opens: false })
    mkdirSync(join(folder, 'dir.pdf'))
    expect(await receivedFile(row('dir.pdf', { Kind: 'folder' }), 'linux')).toMatchObject({ opens: false })
  })

  it('is nothing when it is a link, of another sort, gone, elsewhere, or no received row', async () => {
    put('real.pdf')
    symlinkSync(join(folder, 'real.pdf'), join(folder, 'link.pdf'))
    mkdirSync(join(folder, 'dir'))
    writeFileSync(join(folder, 'dir/x.pdf'), 'x')
    const wrong = [
      undefined, row('link.pdf'), row('dir'), row('gone.pdf'), row('real.pdf', { Kind: 'folder' }), row('dir/x.pdf'), row('../x'), row('.'), row('..'), row(''), row('a\0b'),
      row('real.pdf', { State: 'receiving' }), row('real.pdf', { Direction: 'out' }), row('real.pdf', { SavedIn: 'relative' }),
    ]
    for (const one of wrong) await expect(receivedFile(one, 'linux'), JSON.stringify(one)).rejects.toMatchObject({ code: 'not-there' })
    await expect(receivedFile(row('real.pdf', { SavedIn: '' }), 'linux')).rejects.toMatchObject({ code: 'with-engine' })
  })

  it('of a kind that runs is never taken for one that shows, however its name is dressed', () => {
    const running = ['exe', 'com', 'bat', 'cmd', 'scr', 'lnk', 'js', 'vbs', 'ps1', 'msi', 'jar', 'sh', 'desktop', 'app', 'command', 'html', 'svg', 'url', 'iso', 'dmg', 'deb', 'docm', 'xlsm', 'hta', 'appimage', 'py']
    fc.assert(fc.property(fc.constantFrom(...running), fc.string(), fc.constantFrom('', '.', ' ', '. ', '\u202e', '\u200b', ':x.pdf', '.PDF ', '\u0000.pdf'), (ending, stem, dress) => {
      expect(isShownKind(`${stem}.${ending}${dress}`)).toBe(false)
    }))
    expect(isShownKind('a\u202efdp.exe.pdf')).toBe(false)
  })
})

describe('an engine of another user', () => {
  it('is given the content of files, in order and with their names; no folder, no link', async () => {
    const taken: string[] = []
    const server = createServer((req, res) => {
      let text = ''
      req.setEncoding('utf8').on('data', (part: string) => (text += part)).on('end', () => {
        taken.push(`${req.method} ${req.url} ${text}`)
        res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ Spool: `s${taken.length}`, Size: text.length }))
      })
    })
    const socketPath = join(folder, 'engine.sock')
    await new Promise<void>((resolve) => server.listen(socketPath, resolve))
    const client = new LocalApiClient(socketPath)
    const [a, b] = [put('a.txt', 'first'), put('b.txt', 'second')]
    expect(await spoolAll(client, [a, b])).toEqual([{ Spool: 's1', Name: 'a.txt' }, { Spool: 's2', Name: 'b.txt' }])
    expect(taken).toEqual(['PUT /localapi/v0/bowline/spool first', 'PUT /localapi/v0/bowline/spool second'])
    mkdirSync(join(folder, 'dir'))
    symlinkSync(a, join(folder, 'link'))
    await expect(spoolAll(client, [join(folder, 'dir')])).rejects.toMatchObject({ code: 'not-supported' })
    await expect(spoolAll(client, [join(folder, 'link')])).rejects.toMatchObject({ code: 'ELOOP' })
    expect(taken).toHaveLength(2)
    server.close()
  })
})

describe('the folder for received files', () => {
  const running = facts({ profile: 'p1' })

  function start(Folder: string, told: readonly string[] = []): { run: DefaultFolder; asked: RequestOptions[]; settings: () => AppSettings } {
    let settings: AppSettings = { ...DEFAULT_SETTINGS, told }
    const asked: RequestOptions[] = []
    const json = async (options: RequestOptions): Promise<unknown> => {
      asked.push(options)
      return { Taildrop: { Folder } }
    }
    const run = new DefaultFolder({ client: { json }, downloads: () => join(folder, 'Downloads'), settings: () => settings, edit: (patch) => (settings = { ...settings, ...(patch as Partial<AppSettings>) }) })
    return { run, asked, settings: () => settings }
  }

  it('is made in the downloads at the first start with an account, and told to the engine once', async () => {
    const { run, asked, settings } = start('')
    await run.update(facts({ profile: '' }))
    expect(asked).toEqual([])
    await run.update(running)
    await run.update(running)
    expect(asked.map(({ method, body }) => [method, body])).toEqual([['GET', undefined], ['PATCH', { Taildrop: { Folder: join(folder, 'Downloads/Bowline') } }]])
    expect(readdirSync(join(folder, 'Downloads'))).toEqual(['Bowline'])
    expect(settings().told).toEqual(['inbox p1'])
  })

  it('is left alone where there is one, and where the person went back to the engine', async () => {
    const other = start('/srv/in')
    await other.run.update(running)
    expect(other.asked.map(({ method }) => method)).toEqual(['GET'])
    const back = start('', ['inbox p1'])
    await back.run.update(running)
    expect(back.asked).toEqual([])
    expect(existsSync(join(folder, 'Downloads'))).toBe(false)
  })

  it('is tried again at the next start where it could not be made', async () => {
    writeFileSync(join(folder, 'Downloads'), 'in the way')
    const { run, settings } = start('')
    await run.update(running)
    expect(settings().told).toEqual([])
  })
})
