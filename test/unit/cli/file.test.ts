import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { main } from '../../../main/cli/bowline.ts'
import type { TransferAsk } from '../../../main/localapi/transfers.ts'
import { waitFor } from '../../support/wait.ts'
import { PlayedEngine, row, target } from './transfers/played-engine.ts'

let engine: PlayedEngine
let interrupt: AbortController
beforeEach(async () => {
  engine = await new PlayedEngine().start()
  interrupt = new AbortController()
  for (const name of ['r0.txt', 'r1.txt']) writeFileSync(join(engine.dir, name), 'x'.repeat(10))
})
afterEach(() => engine.stop())

interface Running {
  out: string
  err: string
  readonly lines: string[]
  readonly ended: Promise<number>
}

/** The command, with standard input and, when `draws`, a terminal that a line can be drawn on. */
function start(argv: readonly string[], input = '', draws = false): Running {
  const running = { out: '', err: '', lines: [] as string[], ended: Promise.resolve(0) }
  running.ended = main(['--socket', engine.socketPath, 'file', ...argv], {
    out: (text) => void (running.out += text),
    err: (text) => void (running.err += text),
    system: { platform: 'linux', uid: 1000, home: '/home/x', user: 'x', env: {} },
    input: () => Readable.from([Buffer.from(input)]),
    interrupted: interrupt.signal,
    ...(draws ? { columns: 100, line: (text: string) => void running.lines.push(text) } : {}),
  })
  return running
}

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const running = start(argv)
  return { code: await running.ended, out: running.out, err: running.err }
}

const at = (name: string): string => join(engine.dir, name)
const ask = (more: Partial<TransferAsk> = {}): TransferAsk => ({ Batch: 'aabbccdd', Peer: 's3', PeerName: 'phone', Owner: 'Bob', Items: [{ Name: 'cat.jpg', Kind: 'file', Size: 1_200, Files: 1 }], Count: 1, Size: 1_200, Since: new Date().toISOString(), Held: true, Accepted: 0, ...more })

describe('bowline file cp', () => {
  test('waits for the end of all, says what became of each, and fails when one does', async () => {
    const running = start(['cp', at('r0.txt'), at('r1.txt'), 'desk:'])
    await engine.untilAsked('send')
    expect(engine.asked).toEqual([{ Do: 'send', Peer: 's2', Items: [{ Path: at('r0.txt'), Name: 'r0.txt' }, { Path: at('r1.txt'), Name: 'r1.txt' }] }])
    engine.tell({ Rows: [row('r0', { State: 'sending', Done: 5 }), row('r1'), row('other', { State: 'stopped' })] })
    engine.tell({ Rows: [row('r0', { State: 'delivered', Checked: true, Done: 10, Path: { Kind: 'direct', Via: '' } })] })
    engine.tell({ Rows: [row('r1', { State: 'stopped', Why: { Code: 'peer-no-space', Text: 'the disk of the device has not enough room' } })] })
    expect(await running.ended).toBe(1)
    expect(running.out).toBe('r0.txt: delivered to desk and checked there (10 bytes, direct)\n')
    expect(running.err).toBe('r1.txt: not sent to desk: the disk of the device has not enough room\n')
  })

  test('draws a line while it lasts and takes it away', async () => {
    const running = start(['cp', '--update-interval=5ms', at('r0.txt'), 'desk:'], '', true)
    await engine.untilAsked('send')
    engine.tell({ Rows: [row('r0', { State: 'sending', Size: 1_000, Done: 410, Rate: 100, LeftMs: 5_900, Path: { Kind: 'relay', Via: 'ams' } })] })
    await waitFor('the line', () => running.lines.some((line) => line.includes('410 bytes of 1.0 kB (41 %)   100 bytes/s   6 s left   relayed by ams')), { withinMs: 30_000, everyMs: 2 })
    engine.tell({ Rows: [row('r0', { State: 'delivered' })] })
    expect(await running.ended).toBe(0)
    expect(running.lines.at(-1)).toBe('')
  })

  test('goes on waiting for a device that is away, and says so once', async () => {
    const running = start(['cp', at('r0.txt'), 'desk:'])
    await engine.untilAsked('send')
    for (const why of ['the device does not answer', 'this device is not connected']) engine.tell({ Rows: [row('r0', { State: 'waiting-device', Why: { Code: 'peer-away', Text: why } })] })
    engine.tell({ Rows: [row('r0', { State: 'delivered' })] })
    expect(await running.ended).toBe(0)
    expect(running.err).toBe('desk is away: it sends when it comes online. Ctrl-C cancels; with --queue the engine waits alone.\n')
  })

  test('--queue returns at once; --timeout ends the waiting and not the sending', async () => {
    expect(await run('cp', '--queue', at('r0.txt'), 'desk:')).toEqual({ code: 0, err: '', out: 'Queued for desk. How far it is: bowline file list\n' })
    expect(await run('cp', '--timeout=50ms', at('r0.txt'), 'desk:')).toMatchObject({ code: 6, err: expect.stringMatching(/within 50ms\./) })
    expect(engine.asked.every(({ Do }) => Do === 'send')).toBe(true)
  })

  test('Ctrl-C cancels the batch', async () => {
    const running = start(['cp', at('r0.txt'), 'desk:'])
    await engine.untilAsked('send')
    engine.tell({ Rows: [row('r0', { State: 'sending' })] })
    interrupt.abort()
    expect(await running.ended).toBe(130)
    expect(engine.asked.at(-1)).toEqual({ Do: 'cancel', ID: 'b1' })
  })

  test('what is taken out of the list before its end is not called delivered', async () => {
    const running = start(['cp', at('r0.txt'), at('r1.txt'), 'desk:'])
    await engine.untilAsked('send')
    engine.tell({ Rows: [row('r0', { State: 'sending' }), row('r1')] })
    engine.tell({ Gone: ['r0'] })
    engine.tell({ Whole: engine.page })
    expect(await running.ended).toBe(1)
    expect(running.err.match(/taken out of the list/g)).toHaveLength(2)
  })

  test('an engine that ends meanwhile is said, with what becomes of it', async () => {
    const running = start(['cp', at('r0.txt'), 'desk:'])
    await engine.untilAsked('send')
    engine.closeBus()
    expect(await running.ended).toBe(3)
    expect(running.err).toContain('goes on when it runs again')
  })

  test('puts standard input into the spool, and with an engine of another user everything, folders packed', async () => {
    mkdirSync(at('photos'))
    writeFileSync(join(at('photos'), 'a.jpg'), 'picture')
    engine.onAction = (action) => (action.Do === 'send' && action.Items.some((item) => 'Path' in item) ? { status: 403, body: { error: 'Files of another user are not read by their path.' } } : undefined)
    const running = start(['cp', '--queue', at('r0.txt'), at('photos'), '-', 'desk:'], 'piped')
    expect(await running.ended).toBe(0)
    expect(engine.asked.at(-1)).toEqual({ Do: 'send', Peer: 's2', Items: [{ Spool: 'p1', Name: 'r0.txt' }, { Spool: 'p2', Name: 'photos.zip' }, { Spool: 'p0', Name: 'stdin.txt' }] })
    expect(engine.spooled.map(({ bytes }) => bytes.slice(0, 2))).toEqual(['pi', 'xx', 'PK'])
    expect(engine.spooled[2]!.bytes).toContain('photos/a.jpg')
  })

  test('without the right to change anything says whose it is', async () => {
    engine.onAction = () => ({ status: 403, body: { error: 'access denied' } })
    expect(await run('cp', '--queue', at('r0.txt'), 'desk:')).toMatchObject({ code: 4, err: expect.stringContaining('access denied') })
  })

  test('a device that cannot be sent to is named with the reason before anything is read', async () => {
    engine.targets = [target({ Usable: false, Why: { Code: 'other-owner', Text: 'it belongs to somebody else' }, Grant: 'x' })]
    expect(await run('cp', at('r0.txt'), 'desk:')).toMatchObject({ code: 1, err: 'bowline: Nothing can be sent to desk: it belongs to somebody else. What an administrator could add: bowline file targets desk\n' })
    expect(engine.asked).toEqual([])
  })

  test('many files are told as a sum, and those that failed by name', async () => {
    const names = Array.from({ length: 25 }, (_, i) => `m${i}.txt`)
    for (const name of names) writeFileSync(at(name), 'x')
    const running = start(['cp', ...names.map(at), 'desk:'])
    await engine.untilAsked('send')
    engine.tell({ Rows: names.map((Name, i) => row(`r${i}`, { Name, State: i === 7 ? 'stopped' : 'delivered' })) })
    expect(await running.ended).toBe(1)
    expect(running.out).toBe('24 of 25 delivered to desk.\n')
    expect(running.err).toContain('m7.txt: not sent to desk')
  })

  test('as JSON gives the rows, and nothing else', async () => {
    const running = start(['cp', '--json', at('r0.txt'), 'desk:'])
    await engine.untilAsked('send')
    engine.tell({ Rows: [row('r0', { State: 'delivered' })] })
    expect(await running.ended).toBe(0)
    expect(JSON.parse(running.out)).toMatchObject({ Batch: 'b1', Peer: 's2', End: 'over', Rows: [{ ID: 'r0', State: 'delivered' }] })
    expect(running.err).toBe('')
  })

  test.each([
    [['cp'], 'Name what to send'],
    [['cp', 'desk:'], 'Name what to send'],
    [['cp', '/etc/hostname', 'desk'], 'with a colon behind it'],
    [['cp', '--update-interval=soon', '/etc/hostname', 'desk:'], '--update-interval wants a time'],
    [['cp', '--targets', 'desk:'], '--targets takes no files'],
  ])('%j is not understood', async (argv, sentence) => {
    expect(await run(...argv)).toMatchObject({ code: 2, err: expect.stringContaining(sentence) })
  })
})

describe('bowline file list', () => {
  test('shows who asks, what is on its way, what waits and what is over', async () => {
    const seconds = (ago: number): string => new Date(Date.now() - ago * 1_000).toISOString()
    engine.page = {
      ...engine.page,
      Asks: [ask({ Since: seconds(200) })],
      Rows: [
        row('00001111', { State: 'sending', Name: 'film.mkv', Size: 2e9, Done: 5e8, Rate: 1e7, LeftMs: 150_000, Path: { Kind: 'direct', Via: '' } }),
        row('00002222', { State: 'stopped', Name: 'b.txt', Why: { Code: 'source-changed', Text: 'what was to be sent has changed since' } }),
        row('00003333', { State: 'received', Direction: 'in', Name: 'c.txt', SavedAs: 'c (1).txt', SavedIn: '/home/x/Downloads', Finished: seconds(200) }),
      ],
    }
    engine.files.push({ Name: 'd.txt', Size: 3, bytes: Buffer.from('abc') })
    expect(await run('list')).toEqual({ code: 0, err: '', out: [
      'phone (Bob) wants to send cat.jpg (1.2 kB), asked 3 min ago.', 'Answer with: bowline file accept phone   or: bowline file refuse phone', '',
      'On their way',
      '1111  to desk  film.mkv  Sending, 500 MB of 2.0 GB  10 MB/s, 3 min left, direct', '',
      'Stopped',
      '2222  to desk  b.txt  Stopped: what was to be sent has changed since, 10 bytes', '',
      'Waiting to be fetched: bowline file get FOLDER', 'd.txt  3 bytes', '',
      'Over', '3333  from desk  c (1).txt  Received, in /home/x/Downloads, 10 bytes  3 min ago', '',
    ].join('\n') })
    expect(JSON.parse((await run('list', '--json')).out)).toMatchObject({ Asks: [{ PeerName: 'phone' }], Rows: [{}, {}, {}], Waiting: [{ Name: 'd.txt', Size: 3 }] })
  })

  test('with nothing says how to begin', async () => {
    expect((await run()).out).toBe('Nothing is on its way, and nothing waits. Send something with: bowline file cp FILE DEVICE:\n')
  })
})

describe('what a person decides', () => {
  test('accept and refuse find the ask by device, by batch, or because it is the only one', async () => {
    engine.page = { ...engine.page, Asks: [ask()] }
    expect((await run('accept')).out).toBe('Accepted. It comes now: bowline file list\n')
    expect((await run('accept', 'phone', '--always', '--to', engine.dir)).out).toContain('and whatever else phone sends')
    expect((await run('refuse', 'aabb', '--always')).out).toBe('Refused, and whatever else phone sends.\n')
    expect(engine.asked.slice(0, 3)).toEqual([
      { Do: 'accept', Batch: 'aabbccdd' },
      { Do: 'accept', Batch: 'aabbccdd', Folder: engine.dir, Always: true },
      { Do: 'refuse', Batch: 'aabbccdd', Always: true },
    ])
    engine.page = { ...engine.page, Asks: [ask(), ask({ Batch: '11223344' })] }
    expect(JSON.parse((await run('accept', '--json', 'phone')).out)).toEqual({ Batches: ['aabbccdd', '11223344'], Peer: 's3' })
    expect((await run('list')).out.match(/Answer with/g)).toHaveLength(1)
    engine.page = { ...engine.page, Asks: [ask(), ask({ Batch: 'eeff0011', Peer: 's4', PeerName: 'tablet' })] }
    expect(await run('accept')).toMatchObject({ code: 1, err: expect.stringContaining('Several ask: phone, tablet') })
    expect(await run('accept', 'desk')).toMatchObject({ code: 1, err: expect.stringContaining('Who does: phone, tablet') })
    expect(await run('accept', '--to', at('nowhere'), 'phone')).toMatchObject({ code: 1, err: expect.stringContaining('is no folder') })
  })

  test('pause, resume, retry and cancel are for what they fit, by ID, device or all', async () => {
    engine.page = { ...engine.page, Rows: [row('00001111', { State: 'sending' }), row('00002222', { State: 'stopped' }), row('00003333', { State: 'paused' }), row('00004444', { State: 'delivered' })] }
    expect(await run('pause', '1111')).toMatchObject({ code: 0, out: 'Paused: 00001111.txt (1111)\n' })
    await run('resume', 'all')
    await run('retry', 'desk')
    await run('cancel', 'all')
    expect(engine.asked).toEqual([
      { Do: 'pause', ID: '00001111' }, { Do: 'resume', ID: '00003333' }, { Do: 'retry', ID: '00002222' },
      ...['00001111', '00002222', '00003333'].map((ID) => ({ Do: 'cancel', ID })),
    ])
    expect(await run('pause', '4444')).toMatchObject({ code: 1, err: expect.stringContaining('is none that this can be done to') })
    expect(await run('cancel', 'zzzz')).toMatchObject({ code: 1, err: expect.stringContaining('There is no transfer') })
    expect((await run('forget')).code).toBe(0)
  })

  test('retry sends again what is over, by its ID alone', async () => {
    engine.page = { ...engine.page, Rows: [row('00004444', { State: 'delivered' }), row('00005555', { State: 'received', Direction: 'in' })] }
    expect(await run('retry', '4444')).toMatchObject({ code: 0, out: expect.stringContaining('Sent again: 00004444.txt (') })
    expect(engine.asked).toEqual([{ Do: 'retry', ID: '00004444' }])
    expect((await run('retry', 'desk')).code).toBe(1)
    expect((await run('retry', 'all')).code).toBe(1)
    expect((await run('retry', '5555')).code).toBe(1)
    expect(engine.asked).toHaveLength(1)
  })

  test('rules are shown, set for a group or a device, and taken away', async () => {
    expect((await run('rule')).out).toBe('from your own devices  comes in\nfrom those of others   you are asked first\n')
    expect((await run('rule', 'own', 'ask')).code).toBe(0)
    expect((await run('rule', 'phone', 'refuse')).out).toContain('from phone             is refused\n')
    expect(engine.taildrop).toMatchObject({ Own: 'ask', Senders: { s3: 'refuse' } })
    expect((await run('rule', 'phone', 'default')).code).toBe(0)
    expect(engine.taildrop.Senders).toEqual({})
    expect(await run('rule', 'phone', 'perhaps')).toMatchObject({ code: 2, err: expect.stringContaining('ask, accept, refuse, or default') })
    expect(await run('rule', 'own', 'default')).toMatchObject({ code: 2 })
    expect(await run('rule', 'accept')).toMatchObject({ code: 2 })
    expect(await run('rule', 'me', 'accept')).toMatchObject({ code: 1 })
  })

  test('the folder is shown, chosen as an absolute path, and given up', async () => {
    expect((await run('folder')).out).toContain('Files wait with the engine')
    expect((await run('folder', engine.dir)).out).toBe(`Files go to ${engine.dir} as soon as they are whole.\n`)
    expect((await run('get', engine.dir)).code).toBe(0)
    expect((await run('folder', '--staged')).out).toContain('bowline file get FOLDER')
    expect(engine.taildrop.Folder).toBe('')
    expect(await run('folder', at('nowhere'))).toMatchObject({ code: 1 })
    expect(await run('folder', engine.dir, '--staged')).toMatchObject({ code: 2 })
  })
})

describe('bowline file targets', () => {
  test('says of each whether, and if not why; of one also what would help', async () => {
    engine.targets = [target(), target({ ID: 's3', Name: 'phone', OS: 'iOS', Online: false }), target({ ID: 's4', Name: 'tv', OS: 'tvOS', Usable: false, Why: { Code: 'cannot-receive', Text: 'it cannot receive files' } })]
    expect((await run('targets')).out).toBe('desk   alice  linux  yes\nphone  alice  iOS    yes, when it comes online\ntv     alice  tvOS   no: it cannot receive files\n')
    engine.targets = [target({ Usable: false, Why: { Code: 'other-owner', Text: 'it belongs to somebody else' }, Grant: '{"grants": []}\n' })]
    expect((await run('targets', 'desk')).out).toBe('desk: no: it belongs to somebody else\n\n{"grants": []}\n')
    expect((await run('targets')).out).toContain('What an administrator could add: bowline file targets desk')
    expect(await run('targets', 'me')).toMatchObject({ code: 1 })
  })
})

describe('bowline file get', () => {
  test('moves what waits and says where to, and that nothing does', async () => {
    engine.files.push({ Name: 'a.txt', Size: 3, bytes: Buffer.from('abc') })
    mkdirSync(at('to'))
    expect(await run('get', at('to'))).toEqual({ code: 0, err: '', out: `a.txt: saved as ${at('to')}/a.txt (3 bytes)\n` })
    expect((await run('get', at('to'))).out).toBe('No file waits.\n')
    engine.page = { ...engine.page, Inbox: { Folder: '/home/x/Downloads', FreeBytes: 1, Waiting: 0 }, Asks: [ask()] }
    expect((await run('get', at('to'))).out).toBe('Nothing waits here: files go to /home/x/Downloads at once.\nOne device asks to send something: bowline file list\n')
  })

  test('one that fails does not keep the others back, and the exit code tells', async () => {
    for (const Name of ['a.txt', 'b.txt']) engine.files.push({ Name, Size: 3, bytes: Buffer.from('abc') })
    writeFileSync(at('a.txt'), 'mine')
    const { code, out, err } = await run('get', engine.dir)
    expect([code, out]).toEqual([1, `b.txt: saved as ${at('b.txt')} (3 bytes)\n`])
    expect(err).toMatch(/^a\.txt is not saved: .*--conflict=rename or --conflict=overwrite takes it\.\n1 of 2 moved\.\n$/)
    expect(JSON.parse((await run('get', '--json', '--conflict=rename', engine.dir)).out)).toEqual({ Moved: [{ Name: 'a.txt', Path: at('a (1).txt'), Size: 3 }], Failed: [] })
  })

  test.each([[['get'], 2], [['get', '/a', '/b'], 2], [['get', '/nowhere/at/all'], 1], [['get', '--conflict=eat', '/tmp'], 2]])('%j ends with %i', async (argv, code) => {
    expect((await run(...argv)).code).toBe(code)
  })
})
