import { describe, expect, test } from 'vitest'
import { settle } from '../../../sim/clock.ts'
import { MAX_FINISHED } from '../../../../main/engine/features/taildrop/book.ts'
import { MemoryStore } from '../../../../main/engine/io/memory-store.ts'
import { WATCH } from '../../../../main/localapi/watch-mask.ts'
import { makeTaildropRig } from './rig.ts'

const DELIVERED = { kind: 'delivered', checked: true } as const
const sending = (done: number, size = 1_000) => ({ kind: 'sending', as: 'file', done, size }) as const

describe('sending', () => {
  test('goes from queued to delivered, and watchers see each state with rate and path', async () => {
    const rig = makeTaildropRig()
    rig.setPath({ Kind: 'relay', Via: 'fra' })
    await rig.send('a', 'big.bin')
    await rig.run()
    expect(rig.row('big.bin')).toMatchObject({ Direction: 'out', Peer: 's-a', PeerName: 'a', State: 'queued', Done: 0, Checked: false })
    const one = rig.courier.tries.get('big.bin')!
    for (let n = 0; n < 20; n++) {
      one.step(sending(n * 50))
      await rig.run(250)
    }
    expect(rig.row('big.bin')).toMatchObject({ State: 'sending', Done: 950, Rate: expect.closeTo(190, -1), LeftMs: 1_000, Path: { Kind: 'relay', Via: 'fra' } })
    expect(rig.page.Totals).toMatchObject({ Moving: 1, Waiting: 0, RateUp: expect.closeTo(190, -1) })
    one.step({ kind: 'checking' })
    await rig.run()
    expect(rig.row('big.bin').State).toBe('checking')
    await one.end(DELIVERED)
    await rig.run()
    const row = rig.row('big.bin')
    expect(row).toMatchObject({ State: 'delivered', Checked: true, Done: 1_000, Finished: expect.any(String) })
    for (const field of ['Rate', 'LeftMs', 'Path', 'Why']) expect(row).not.toHaveProperty(field)
  })

  test('every change of state is in the journal with a why', async () => {
    const rig = makeTaildropRig()
    await rig.send('a', 'x')
    rig.courier.tries.get('x')!.step(sending(1))
    await rig.courier.tries.get('x')!.end({ kind: 'refused', why: { Code: 'peer-no-space', Text: 'its disk is full' } })
    const states = rig.journal.filter(({ kind }) => kind === 'state')
    expect(states.map(({ to }) => to)).toEqual(['sending', 'stopped'])
    expect(states.at(-1)).toMatchObject({ part: 'taildrop', why: 'its disk is full', code: 'peer-no-space', name: 'x' })
    for (const event of rig.journal.filter(({ part }) => part === 'taildrop')) expect(event.why).toBeTruthy()
  })

  test('a receiver is told of all that goes to it in one batch', async () => {
    const rig = makeTaildropRig()
    await rig.send('a', 'x', 'y', 'z')
    expect(rig.courier.tries.get('x')!.parcel.batchItems.map(({ name }) => name)).toEqual(['x', 'y', 'z'])
  })

  test('nothing goes to a device that there is none of, or that takes nothing; names that no device takes are refused', async () => {
    const rig = makeTaildropRig()
    await expect(rig.send('nobody', 'x')).rejects.toMatchObject({ code: 'no-such-peer' })
    rig.sources.looks.set('ok', {})
    await expect(rig.taildrop.transfers.act({ Do: 'send', Peer: 's-a', Items: [{ Path: '/x/ok', Name: '../evil' }] }, true)).rejects.toMatchObject({ code: 'bad-argument' })
    await expect(rig.taildrop.transfers.act({ Do: 'send', Peer: 's-a', Items: [{ Path: '/x/missing' }] }, true)).rejects.toMatchObject({ code: 'bad-argument', message: expect.stringContaining('not there') })
    rig.setMap(undefined)
    await expect(rig.send('a', 'x')).rejects.toMatchObject({ code: 'no-netmap' })
    expect(rig.page.Rows).toEqual([])
  })

  test('paths are for callers of the same user alone; others are told of the spool', async () => {
    const rig = makeTaildropRig()
    rig.sources.looks.set('0'.repeat(32), {})
    await expect(rig.taildrop.transfers.act({ Do: 'send', Peer: 's-a', Items: [{ Path: '/etc/shadow' }] }, false)).rejects.toMatchObject({ code: 'access-denied', message: expect.stringContaining('bowline/spool') })
    await expect(rig.taildrop.transfers.act({ Do: 'send', Peer: 's-a', Items: [{ Spool: '0'.repeat(32), Name: 'n.txt' }] }, false)).resolves.toMatchObject({ IDs: [expect.any(String)] })
  })

  test.each([
    [undefined], [[]], [{}], [{ Do: 'explode' }], [{ Do: 'send', Peer: 's-a', Items: [] }], [{ Do: 'send', Peer: 's-a', Items: [{ Path: 'relative' }] }], [{ Do: 'send', Peer: 's-a', Items: [{ Path: '/a\0b' }] }],
    [{ Do: 'send', Peer: 's-a', Items: [{ Spool: '../x', Name: 'n' }] }], [{ Do: 'send', Peer: 's-a', Items: [{ Path: '/a', Spool: 'b', Name: 'n' }] }], [{ Do: 'pause' }], [{ Do: 'pause', ID: '../..' }],
    [{ Do: 'refuse', Batch: 'b', Folder: '/x' }], [{ Do: 'accept', Batch: 'b', Always: 'yes' }],
  ])('%j is no action', async (body) => {
    await expect(makeTaildropRig().taildrop.transfers.act(body, true)).rejects.toMatchObject({ code: 'bad-argument' })
  })
})

describe('what a person asks for', () => {
  test('pause, resume, cancel and forget, of one and of a batch', async () => {
    const rig = makeTaildropRig()
    const [x] = await rig.send('a', 'x', 'y', 'z')
    await rig.run()
    const { Batch } = rig.row('x')
    await rig.taildrop.transfers.act({ Do: 'pause', ID: Batch }, true)
    await rig.run()
    expect(rig.page.Rows.map(({ State }) => State)).toEqual(['paused', 'paused', 'paused'])
    expect(rig.courier.tries.size).toBe(0)
    await rig.taildrop.transfers.act({ Do: 'resume', ID: x }, true)
    await rig.run()
    expect([...rig.courier.tries.keys()]).toEqual(['x'])
    await rig.taildrop.transfers.act({ Do: 'cancel', ID: Batch }, true)
    await rig.run()
    expect(rig.page.Rows.map(({ State }) => State)).toEqual(['canceled', 'canceled', 'canceled'])
    await rig.taildrop.transfers.act({ Do: 'forget' }, true)
    await rig.run()
    expect(rig.page.Rows).toEqual([])
    await expect(rig.taildrop.transfers.act({ Do: 'pause', ID: x }, true)).rejects.toMatchObject({ code: 'not-found' })
  })

  test('trying again for a caller of another user sends what was chosen or nothing: what lies there now may be theirs to put there', async () => {
    const rig = makeTaildropRig()
    const [x] = await rig.send('a', 'x')
    await rig.courier.tries.get('x')!.end({ kind: 'refused', why: { Code: 'peer-not-wanted', Text: 'no' } })
    rig.sources.looks.set('x', { size: 5_000, print: 'what-root-alone-may-read' })
    await rig.taildrop.transfers.act({ Do: 'retry', ID: x }, false)
    await rig.run()
    expect(rig.courier.tries.get('x')!.parcel.size).toBe(1_000)
  })

  test('trying again takes what was chosen as it is now; what is gone stays stopped and says so', async () => {
    const rig = makeTaildropRig()
    const [x] = await rig.send('a', 'x')
    await rig.courier.tries.get('x')!.end({ kind: 'refused', why: { Code: 'source-changed', Text: 'it changed' } })
    rig.sources.looks.delete('x')
    await expect(rig.taildrop.transfers.act({ Do: 'retry', ID: x }, true)).rejects.toMatchObject({ code: 'bad-argument' })
    await rig.run()
    expect(rig.row('x')).toMatchObject({ State: 'stopped', Why: { Code: 'source-gone' } })
    rig.sources.looks.set('x', { size: 5_000, print: '2' })
    await rig.taildrop.transfers.act({ Do: 'retry', ID: x }, true)
    await rig.run()
    expect(rig.row('x')).toMatchObject({ State: 'queued', Size: 5_000 })
    const { parcel } = rig.courier.tries.get('x')!
    expect(parcel.size).toBe(5_000)
    expect(parcel.batchItems.map(({ size }) => size)).toEqual([5_000])
  })

  test('what was delivered or canceled is sent again as it is now, as something new; what is gone or was not kept says so', async () => {
    const rig = makeTaildropRig()
    const act = (ID: string, mayNamePaths = true): ReturnType<typeof rig.taildrop.transfers.act> => rig.taildrop.transfers.act({ Do: 'retry', ID }, mayNamePaths)
    const [x, y] = await rig.send('a', 'x', 'y')
    await rig.run()
    const { Batch } = rig.row('x')
    await rig.courier.tries.get('x')!.end(DELIVERED)
    await rig.taildrop.transfers.act({ Do: 'cancel', ID: y! }, true)
    await rig.run()
    rig.sources.looks.set('x', { size: 5_000, print: '2' })
    await expect(act(x!, false)).rejects.toMatchObject({ code: 'access-denied' })
    const again = await act(x!)
    await rig.run()
    expect(again.IDs).toHaveLength(1)
    expect(again.Batch).not.toBe(Batch)
    expect(rig.page.Rows.find(({ ID }) => ID === again.IDs![0])).toMatchObject({ Batch: again.Batch, Name: 'x', Peer: 's-a', Size: 5_000, State: 'queued' })
    expect(rig.page.Rows.find(({ ID }) => ID === x)).toMatchObject({ Batch, State: 'delivered' })
    expect((await act(Batch)).IDs).toHaveLength(2)
    rig.sources.looks.delete('y')
    await expect(act(y!)).rejects.toMatchObject({ code: 'bad-argument' })
    const id = 'e'.repeat(32)
    rig.sources.looks.set(id, {})
    const { IDs } = await rig.taildrop.transfers.act({ Do: 'send', Peer: 's-b', Items: [{ Spool: id, Name: 'n.txt' }] }, false)
    await rig.taildrop.transfers.act({ Do: 'cancel', ID: IDs![0]! }, true)
    await expect(act(IDs![0]!)).rejects.toMatchObject({ code: 'bad-argument', message: expect.stringContaining('choose it again') })
  })

  test('what is in the spool goes once the file says that it is needed no longer', async () => {
    const rig = makeTaildropRig()
    const id = 'f'.repeat(32)
    rig.sources.looks.set(id, {})
    await rig.taildrop.transfers.act({ Do: 'send', Peer: 's-a', Items: [{ Spool: id, Name: 'n.txt' }] }, false)
    await settle()
    await rig.courier.tries.get('n.txt')!.end(DELIVERED)
    expect(rig.removed).toEqual([])
    await rig.run(600)
    expect(rig.removed).toEqual([id])
    expect(rig.store.load('transfers-p1', (text) => text)?.value).toContain('"delivered"')
  })
})

describe('waiting', () => {
  test('for a device that is offline, until the server says that it is there', async () => {
    const rig = makeTaildropRig({ devices: { a: false } })
    await rig.send('a', 'x')
    await rig.courier.tries.get('x')!.end({ kind: 'broken', why: { Code: 'peer-away', Text: 'away' }, isAway: true })
    await rig.run()
    expect(rig.row('x')).toMatchObject({ State: 'waiting-device', Why: { Code: 'device-offline' } })
    expect(rig.page.Totals).toMatchObject({ Moving: 0, Waiting: 1 })
    rig.setMap({ a: true })
    await settle()
    expect(rig.courier.tries.has('x')).toBe(true)
  })

  test('for a device that is somebody else’s by then: nothing goes to it', async () => {
    const rig = makeTaildropRig({ devices: { a: false } })
    await rig.send('a', 'x')
    await rig.courier.tries.get('x')!.end({ kind: 'broken', why: { Code: 'peer-away', Text: 'away' }, isAway: true })
    await rig.run()
    rig.setMap({ a: true }, 2)
    await rig.run(1_000)
    expect(rig.courier.begun).toEqual(['x'])
    expect(rig.row('x')).toMatchObject({ State: 'stopped', Why: { Code: 'other-owner' } })
  })

  test('for a device that is heard although the server says offline', async () => {
    const rig = makeTaildropRig({ devices: { a: false } })
    await rig.send('a', 'x')
    await rig.courier.tries.get('x')!.end({ kind: 'broken', why: { Code: 'peer-away', Text: 'away' }, isAway: true })
    await rig.run(10_000)
    expect(rig.courier.tries.size).toBe(0)
    rig.taildrop.heard('nodekey:a')
    await settle()
    expect(rig.courier.tries.has('x')).toBe(true)
  })
})

describe('an engine that starts again', () => {
  test('goes on with all that was on its way; what was said to be delivered was', async () => {
    const store = new MemoryStore()
    const before = makeTaildropRig({ store })
    await before.send('a', 'x', 'y', 'z')
    await before.courier.tries.get('x')!.end(DELIVERED)
    before.courier.tries.get('y')!.step(sending(500))
    await before.run(1_000)
    const after = makeTaildropRig({ store })
    await after.run()
    expect(after.row('x')).toMatchObject({ State: 'delivered', Checked: true })
    expect([...after.courier.tries.keys()].toSorted()).toEqual(['y', 'z'])
    expect(after.courier.tries.get('y')!.parcel.batchItems).toHaveLength(3)
    expect(after.page.Rows.map(({ Name }) => Name)).toEqual(['y', 'z', 'x'])
  })

  test('things are known to the receiver by their place in the batch, also where finished ones are forgotten', async () => {
    const store = new MemoryStore()
    const before = makeTaildropRig({ store })
    const [x] = await before.send('a', 'x', 'y', 'z')
    const { batch } = before.courier.tries.get('y')!.parcel
    await before.courier.tries.get('x')!.end(DELIVERED)
    await before.run(1_000)
    const whole = makeTaildropRig({ store })
    await whole.run()
    expect(whole.courier.tries.get('y')!.parcel).toMatchObject({ batch, batchItems: { length: 3 } })
    await whole.taildrop.transfers.act({ Do: 'forget', ID: x }, true)
    const rest = makeTaildropRig({ store })
    await rest.run()
    const parcel = rest.courier.tries.get('y')!.parcel
    expect(parcel.batchItems.map(({ name }) => name)).toEqual(['y', 'z'])
    expect(parcel.batch).toMatch(/^[0-9a-f]{32}$/)
    expect(parcel.batch).not.toBe(batch)
  })

  test('what was asked for is in the file before the answer', async () => {
    const store = new MemoryStore()
    const before = makeTaildropRig({ store })
    const [x] = await before.send('a', 'x', 'y')
    await before.taildrop.transfers.act({ Do: 'cancel', ID: x }, true)
    const after = makeTaildropRig({ store })
    await after.run()
    expect(after.row('x').State).toBe('canceled')
    expect(after.row('y').State).toBe('queued')
  })

  test('nothing is queued when it could not be written down', async () => {
    const store = new MemoryStore()
    const rig = makeTaildropRig({ store })
    store.save = () => {
      throw new Error('the disk is full')
    }
    await expect(rig.send('a', 'x')).rejects.toThrow('the disk is full')
    await rig.run()
    expect(rig.page.Rows).toEqual([])
    expect(rig.courier.begun).toEqual([])
  })
})

describe('another profile', () => {
  test('does not run, and goes on when it is in use again', async () => {
    const rig = makeTaildropRig()
    await rig.send('a', 'x')
    rig.courier.tries.get('x')!.step(sending(10))
    rig.setProfile('p2')
    await rig.run()
    expect(rig.courier.tries.size).toBe(0)
    expect(rig.page.Rows).toEqual([])
    rig.setProfile('p1')
    await rig.run()
    expect(rig.row('x').State).toBe('queued')
    expect(rig.courier.tries.has('x')).toBe(true)
  })
})

describe('the spool', () => {
  test('is swept once the profiles are known, and what any of them still wants sent stays', async () => {
    const store = new MemoryStore()
    const before = makeTaildropRig({ store })
    const id = 'e'.repeat(32)
    before.sources.looks.set(id, {})
    await before.taildrop.transfers.act({ Do: 'send', Peer: 's-a', Items: [{ Spool: id, Name: 'n.txt' }] }, false)
    const after = makeTaildropRig({ store, profile: undefined })
    await after.run()
    expect(after.sweeps).toEqual([])
    after.setProfile('p2')
    await after.run()
    expect(after.sweeps.map((keep) => [...keep])).toEqual([[id]])
  })
})

describe('what comes in', () => {
  const begin = { peer: 's-a', batch: 'b', name: 'in.txt', kind: 'file', files: 1, size: 1_000, folder: '/home/u/Downloads' } as const

  test('is a row, and is told as the stock daemon tells it', async () => {
    const rig = makeTaildropRig()
    const row = rig.taildrop.transfers.incoming.begin({ ...begin, partialPath: '/home/u/Downloads/in.txt.s-a.partial' })
    row.progress(400)
    await rig.run(1_000)
    expect(rig.row('in.txt')).toMatchObject({ Direction: 'in', State: 'receiving', PeerName: 'a', Done: 400, SavedIn: '/home/u/Downloads' })
    const files = () => rig.told.flatMap(({ IncomingFiles }) => IncomingFiles ?? [])
    expect(files().at(-1)).toEqual({ Name: 'in.txt', Started: '2026-01-01T00:00:00.000Z', DeclaredSize: 1_000, Received: 400, PartialPath: '/home/u/Downloads/in.txt.s-a.partial' })
    row.checking()
    row.received({ name: 'in (1).txt', path: '/home/u/Downloads/in (1).txt', size: 1_000, sha256: '', isDuplicate: false }, true)
    await rig.run()
    expect(rig.row('in.txt')).toMatchObject({ State: 'received', Checked: true, SavedAs: 'in (1).txt', Done: 1_000 })
    expect(files().at(-1)).toMatchObject({ FinalPath: '/home/u/Downloads/in (1).txt', Done: true })
    const count = files().length
    await rig.run(5_000)
    expect(files()).toHaveLength(count)
  })

  test('goes on in the same row when it comes again, and its row goes with its partial', async () => {
    const rig = makeTaildropRig()
    const first = rig.taildrop.transfers.incoming.begin(begin)
    first.progress(410)
    first.broken({ Code: 'stopped', Text: 'the sender stopped' })
    await rig.run()
    expect(rig.row('in.txt')).toMatchObject({ State: 'stopped', Done: 410, Why: { Code: 'stopped' } })
    expect(rig.taildrop.transfers.incoming.begin(begin).id).toBe(first.id)
    await rig.run()
    expect(rig.row('in.txt').State).toBe('receiving')
    const other = rig.taildrop.transfers.incoming.begin({ ...begin, name: 'other.txt' })
    other.broken({ Code: 'stopped', Text: 'the sender stopped' })
    await rig.run(3 * 3_600_000)
    expect(rig.page.Rows.map(({ Name }) => Name)).toEqual(['in.txt'])
  })

  test('what another program sends is a row, can be ended, and cannot be sent again from here', async () => {
    const rig = makeTaildropRig()
    let ended = 0
    const went = rig.taildrop.transfers.elsewhere.begin({ peer: 's-a', batch: 'q', name: 'cp.txt', size: -1 }, () => void ended++)
    went.step(sending(10, -1))
    await rig.run()
    expect(rig.row('cp.txt')).toMatchObject({ Direction: 'out', State: 'sending', Size: -1, Done: 10, PeerName: 'a' })
    const { ID } = rig.row('cp.txt')
    await rig.taildrop.transfers.act({ Do: 'cancel', ID }, true)
    expect(ended).toBe(1)
    went.end({ kind: 'broken', why: { Code: 'broken-off', Text: 'x' }, isAway: false })
    await rig.run()
    expect(rig.row('cp.txt')).toMatchObject({ State: 'stopped', Why: { Code: 'broken-off' } })
    await expect(rig.taildrop.transfers.act({ Do: 'retry', ID }, true)).rejects.toMatchObject({ code: 'bad-argument' })
    await rig.taildrop.transfers.act({ Do: 'forget' }, true)
    await rig.run()
    expect(rig.page.Rows).toEqual([])
  })

  test('a person can end it', async () => {
    const rig = makeTaildropRig()
    const row = rig.taildrop.transfers.incoming.begin(begin)
    await rig.run()
    await rig.taildrop.transfers.act({ Do: 'cancel', ID: row.id }, true)
    expect(row.signal.aborted).toBe(true)
  })

  test('that is getting its name already is not said to be canceled when it is there', async () => {
    const rig = makeTaildropRig()
    const row = rig.taildrop.transfers.incoming.begin(begin)
    row.checking()
    await rig.taildrop.transfers.act({ Do: 'cancel', ID: row.id }, true)
    row.received({ name: 'in.txt', path: '/home/u/Downloads/in.txt', size: 1_000, sha256: '', isDuplicate: false }, true)
    await rig.run()
    expect(rig.row('in.txt')).toMatchObject({ State: 'received', SavedAs: 'in.txt' })
  })
})

describe('news', () => {
  test('come at most four times a second, however much happens', async () => {
    const rig = makeTaildropRig()
    await rig.send('a', 'x')
    await rig.run(1_000)
    const before = rig.told.length
    for (let n = 0; n < 200; n++) {
      rig.courier.tries.get('x')!.step(sending(n))
      await rig.run(10)
    }
    expect(rig.told.length - before).toBeLessThanOrEqual(9)
    expect(rig.row('x').Done).toBeGreaterThan(150)
  })

  test('an end does not wait for the next of them, and many ends are told no more often', async () => {
    const rig = makeTaildropRig()
    const names = Array.from({ length: 20 }, (_, n) => `f${n}`)
    await rig.send('a', ...names)
    await rig.run(1_000)
    rig.courier.tries.get('f0')!.step(sending(1))
    await rig.run(1)
    const before = rig.told.length
    await rig.courier.tries.get('f0')!.end(DELIVERED)
    await rig.run(1)
    expect(rig.told.length).toBe(before + 1)
    expect(rig.told.at(-1)!.Transfers!.Rows!.find(({ Name }) => Name === 'f0')!.State).toBe('delivered')
    for (const name of names.slice(1)) {
      await rig.courier.tries.get(name)!.end(DELIVERED)
      await rig.run(10)
    }
    expect(rig.told.length - before).toBeLessThanOrEqual(4)
    await rig.run(1_000)
    expect(rig.page.Rows.every(({ State }) => State === 'delivered')).toBe(true)
  })

  test('the first message is the whole, for those alone who ask for it', async () => {
    const rig = makeTaildropRig()
    await rig.send('a', 'x')
    expect(rig.taildrop.initial(WATCH.transfers).Transfers?.Whole?.Rows).toHaveLength(1)
    expect(rig.taildrop.initial(WATCH.initialState)).toEqual({})
  })

  test(`of what is over the last ${MAX_FINISHED} are kept`, async () => {
    const rig = makeTaildropRig()
    const names = Array.from({ length: MAX_FINISHED + 5 }, (_, n) => `f${n}`)
    await rig.send('a', ...names)
    for (const name of names) {
      await rig.courier.tries.get(name)!.end(DELIVERED)
      rig.clock.advance(1)
    }
    await rig.run()
    expect(rig.page.Rows).toHaveLength(MAX_FINISHED)
    expect(rig.page.Rows[0]!.Name).toBe(names.at(-1))
    expect(rig.page.Rows.some(({ Name }) => Name === 'f4')).toBe(false)
  })

  test('a device that was sent to comes first among the targets', async () => {
    const rig = makeTaildropRig()
    await rig.send('c', 'x')
    expect(rig.taildrop.targets.page().Targets.map(({ Name }) => Name)).toEqual(['c', 'a', 'b'])
  })
})
