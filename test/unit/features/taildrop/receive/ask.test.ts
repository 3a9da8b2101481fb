/**
 * What a person is asked, over real streams: requests that are held, answers, and what another Bowline offers first.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { encodeManifest, encodeOffer, type OfferItem } from '../../../../../main/engine/core/taildrop/wire.ts'
import { InboxFault } from '../../../../../main/engine/features/taildrop/ports.ts'
import { DEFAULT_TAILDROP } from '../../../../../main/localapi/transfers.ts'
import { waitFor } from '../../../../support/wait.ts'
import { HOST } from '../../../peerapi/rig.ts'
import { BATCH, FOLDER, makeRig, OTHER_IP, OWN_IP, sha256, type ReceiveRig, type Reply } from './rig.ts'

const PATIENCE = { withinMs: 30_000 }
let rig: ReceiveRig
beforeEach(async () => {
  rig = await makeRig()
  rig.settings = { ...DEFAULT_TAILDROP, Own: 'ask' }
})
afterEach(() => rig.stop())

const put = (name: string, body = 'hello', ...headers: string[]): Promise<Reply> => rig.ask([`PUT /v0/put/${name}`, ...headers].join('\n'), body)
const asks = () => rig.receiver.asks.all()
const asked = (count = 1): Promise<unknown> => waitFor('a person to be asked', () => asks().reduce((all, { Count }) => all + Count, 0) === count, PATIENCE)
const final = (name: string, folder = FOLDER): string | undefined => rig.inbox.final.get(`${folder}/${name}`)?.toString()
const answer = (accept: boolean, more: { folder?: string; always?: boolean } = {}): void => rig.receiver.asks.answer(asks()[0]!.Batch, { accept, ...more })

describe('a stock client', () => {
  test('waits unread until a person accepts, and is asked for with what is known of it', async () => {
    const reply = put('a.txt')
    await asked()
    expect(asks()).toEqual([{
      Batch: expect.stringMatching(/^[0-9a-f]{32}$/), Peer: 'n2', PeerName: 'n2', Owner: 'Alice', Items: [{ Name: 'a.txt', Kind: 'file', Size: 5, Files: 1 }], Count: 1, Size: 5,
      Since: '2026-11-22T00:00:00.000Z', Held: true, Accepted: 0, Path: { Kind: 'direct', Via: '' },
    }])
    expect(rig.rows[0]).toMatchObject({ what: { batch: asks()[0]!.Batch }, events: ['waiting'] })
    answer(true)
    expect(await reply).toMatchObject({ status: 200, body: '{}\n' })
    expect([final('a.txt'), asks()]).toEqual(['hello', []])
    expect(rig.journal.filter(({ part }) => part === 'taildrop').map(({ kind }) => kind)).toEqual(['incoming-asked', 'incoming-accepted'])
  })

  test('that sends several at once is asked for once, and is counted the next time', async () => {
    const replies = ['a', 'b', 'c'].map((name) => put(name))
    await asked(3)
    expect(asks()).toMatchObject([{ Count: 3, Size: 15 }])
    answer(true)
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200])
    expect((await put('d')).status).toBe(200)
    rig.api.clock.advance(10_000)
    const later = put('e')
    await asked()
    expect(asks()).toMatchObject([{ Accepted: 1, Items: [{ Name: 'e' }] }])
    answer(false)
    await later
  })

  test('is refused when a person refuses, and not asked for again at once', async () => {
    const reply = put('a')
    await asked()
    answer(false)
    expect(await reply).toMatchObject({ status: 403, body: 'files from that device are refused here\n' })
    expect(rig.rows[0]!.events).toEqual(['waiting', 'refused not-wanted'])
    expect((await put('b')).status).toBe(403)
    expect(asks()).toEqual([])
    rig.api.clock.advance(60_000)
    const later = put('a')
    await asked()
    answer(true)
    expect((await later).status).toBe(200)
  })

  test('nobody answers for ten minutes: it is told so, the ask stays, and what is accepted then may come', async () => {
    const reply = put('a')
    await asked()
    rig.api.clock.advance(600_000)
    expect(await reply).toMatchObject({ status: 503, body: 'nobody answered whether the file may come in\n' })
    expect(asks()).toMatchObject([{ Held: false, Items: [{ Name: 'a' }] }])
    answer(true)
    expect((await put('a')).status).toBe(200)
    expect(rig.receiver.counters()).toMatchObject({ taildrop_in_not_answered: 1 })
  })

  test('is remembered over a restart for a day, under the name that was accepted', async () => {
    const reply = put('a')
    await asked()
    rig.api.clock.advance(600_000)
    await reply
    answer(true)
    const { kept } = rig
    expect(JSON.parse(JSON.stringify(kept))).toEqual(kept)
    await rig.stop()
    rig = await makeRig(kept)
    rig.settings = { ...DEFAULT_TAILDROP, Own: 'ask' }
    expect((await put('a')).status).toBe(200)
    rig.api.clock.advance(10_000)
    const other = put('b')
    await asked()
    expect(asks()).toMatchObject([{ Accepted: 1 }])
    answer(false)
    await other
    rig.api.clock.advance(24 * 3_600_000)
    void put('a')
    await asked()
  })

  test('that goes while it waits leaves the ask', async () => {
    const socket = await rig.api.connect()
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 5\r\n\r\nhello`)
    await asked()
    socket.destroy()
    await waitFor('it to be seen', () => asks()[0]?.Held === false, PATIENCE)
    expect(rig.rows[0]!.events).toEqual(['waiting', 'broken stopped'])
  })

  test('may be saved elsewhere, and always be accepted from then on', async () => {
    const reply = put('a')
    await asked()
    answer(true, { folder: '/elsewhere', always: true })
    expect((await reply).status).toBe(200)
    expect(final('a', '/elsewhere')).toBe('hello')
    expect(rig.settings.Senders).toEqual({ n2: 'accept' })
    rig.api.clock.advance(10_000)
    expect((await put('b')).status).toBe(200)
    expect(final('b')).toBe('hello')
  })

  test('may always be refused from then on', async () => {
    const reply = put('a')
    await asked()
    answer(false, { always: true })
    await reply
    expect(rig.settings.Senders).toEqual({ n2: 'refuse' })
    expect((await put('b')).status).toBe(403)
  })

  test('is let in when the rule changes while it waits', async () => {
    const reply = put('a')
    await asked()
    rig.settings = { ...rig.settings, Own: 'accept' }
    rig.receiver.changed()
    expect((await reply).status).toBe(200)
    expect(rig.journal).toContainEqual(expect.objectContaining({ kind: 'incoming-accepted', why: 'the rule for this device says so' }))
  })

  test('that loses its right while it waits is refused, though a person accepts', async () => {
    const reply = put('a')
    await asked()
    rig.self.CapMap = {}
    answer(true)
    expect((await reply).status).toBe(403)
    expect(rig.inbox.final.size).toBe(0)
  })

  test('cannot hold more requests than there is room for', async () => {
    const replies = Array.from({ length: 60 }, (_, i) => put(`f${i}`))
    await asked(60)
    const refused = await Promise.race(replies)
    expect(refused).toMatchObject({ status: 503, body: 'too many files are coming in at once\n' })
    expect(refused.head).toMatch(/retry-after: 5/i)
    expect(rig.rows).toHaveLength(48)
    answer(false)
    await Promise.all(replies)
  })
})

test('nobody can answer twice, or for what is not asked', async () => {
  const reply = put('a')
  await asked()
  const { Batch } = asks()[0]!
  answer(true)
  expect(() => rig.receiver.asks.answer(Batch, { accept: false })).toThrow(expect.objectContaining({ code: 'not-found' }))
  expect(() => rig.receiver.asks.answer('x', { accept: true })).toThrow()
  expect((await reply).status).toBe(200)
})

describe('another Bowline', () => {
  const items: OfferItem[] = [{ name: 'a.txt', size: 5, isFolder: false, files: 1 }, { name: 'pics', size: 8, isFolder: true, files: 2 }]
  const manifest = encodeManifest([{ path: 'x/1.jpg', size: 3, mtimeMs: 1 }, { path: '2.jpg', size: 5, mtimeMs: 2 }, { path: 'empty', size: -1, mtimeMs: 3 }])
  const offer = (wait = 0, of: readonly OfferItem[] = items, ip = OWN_IP): Promise<Reply> => rig.ask(`POST /v0/bowline/offer?wait=${wait}`, encodeOffer({ batch: BATCH, items: of }), ip)
  const bowlinePut = (path: string, body: string, hash = sha256(body), ...headers: string[]): Promise<Reply> =>
    rig.ask(
      [`PUT ${path}`, `Bowline-Transfer: ${BATCH}`, 'Trailer: Bowline-SHA256', 'Transfer-Encoding: chunked', ...headers].join('\n'),
      `${body.length.toString(16)}\r\n${body}\r\n0\r\nBowline-SHA256: ${hash}\r\n\r\n`,
    )
  const json = (reply: Reply): unknown => JSON.parse(reply.body)

  test('offers, is asked for, hears the answer while it waits, and brings what it offered', async () => {
    const first = offer(25)
    await asked(2)
    expect(asks()).toMatchObject([{ Held: true, Count: 2, Size: 13, Items: [{ Name: 'a.txt' }, { Name: 'pics', Kind: 'folder', Files: 2 }] }])
    expect(asks()[0]!.Batch).not.toBe(BATCH)
    answer(true)
    expect(json(await first)).toEqual({ V: 1, State: 'accepted' })
    expect(json(await bowlinePut('/v0/put/a.txt', 'hello', sha256('hello'), 'Bowline-Size: 5'))).toEqual({ V: 1, Name: 'a.txt', Size: 5, SHA256: sha256('hello') })
    expect(rig.rows[0]!.events.at(-1)).toBe('received a.txt checked')
    expect(json(await rig.ask(`PUT /v0/bowline/manifest/${BATCH}/1`, manifest))).toEqual({ V: 1, Name: 'pics', Size: 8, SHA256: '' })
    expect(await rig.ask(`GET /v0/bowline/folder/${BATCH}/1`)).toMatchObject({ status: 200, body: '' })
    expect(json(await bowlinePut(`/v0/bowline/folder/${BATCH}/1`, '12312345'))).toMatchObject({ Name: 'pics', Size: 8 })
    expect(rig.inbox.manifests.get('pics')).toHaveLength(3)
    expect(rig.rows[1]!.what).toMatchObject({ kind: 'folder', files: 2, size: 8, batch: rig.rows[0]!.what['batch'] })
  })

  test('is told that a person is asked still, asks again, and is not held for long after it stopped asking', async () => {
    expect(json(await offer())).toEqual({ V: 1, State: 'asking' })
    expect(asks()).toMatchObject([{ Held: true }])
    const waiting = offer(25)
    await waitFor('it to wait', () => rig.api.clock.nextDueMs() === 25_000, PATIENCE)
    rig.api.clock.advance(25_000)
    expect(json(await waiting)).toEqual({ V: 1, State: 'asking' })
    rig.api.clock.advance(45_000)
    expect(asks()).toMatchObject([{ Held: false, Count: 2 }])
    answer(true)
    expect(json(await offer())).toEqual({ V: 1, State: 'accepted' })
  })

  test('is told at once where the rule decides', async () => {
    rig.settings = { ...rig.settings, Own: 'accept' }
    expect(json(await offer(25))).toEqual({ V: 1, State: 'accepted' })
    rig.settings = { ...rig.settings, Own: 'refuse' }
    expect(json(await offer(25))).toEqual({ V: 1, State: 'refused', Why: { Code: 'not-wanted', Text: 'files from that device are refused here' } })
    expect(await bowlinePut('/v0/put/a.txt', 'hello')).toMatchObject({ status: 403, body: expect.stringContaining('"Code":"not-wanted"') })
  })

  test('is told before it sends that there is no room, or no folder', async () => {
    rig.settings = { ...rig.settings, Own: 'accept' }
    rig.inbox.freeBytes = 12
    expect(json(await offer())).toMatchObject({ State: 'refused', Why: { Code: 'no-space' } })
    rig.inbox.freeBytes = 13
    expect(json(await offer())).toMatchObject({ State: 'accepted' })
    rig.inbox.fault = new InboxFault('folder-gone', '/secret is gone')
    const gone = await offer()
    expect(json(gone)).toMatchObject({ State: 'refused', Why: { Code: 'folder-gone' } })
    expect(gone.body).not.toContain('secret')
  })

  test('offers what is no offer in vain', async () => {
    expect(json(await offer(0, [{ ...items[0]!, name: '../a' }]))).toMatchObject({ State: 'refused', Why: { Code: 'bad-name' } })
    for (const body of ['', '{}', '[]', '{"V":2}']) expect(await rig.ask('POST /v0/bowline/offer', body)).toMatchObject({ status: 400, body: expect.stringContaining('bad-request') })
    expect((await rig.ask('POST /v0/bowline/offer', 'x'.repeat((4 << 20) + 1))).status).toBe(413)
    expect((await rig.ask('GET /v0/bowline/offer')).status).toBe(405)
    expect((await rig.ask('GET /v0/bowline/nope')).status).toBe(404)
    rig.filters.clear()
    expect((await offer(0, items, OTHER_IP)).status).toBe(403)
    expect(asks()).toEqual([])
  })

  test('whose file arrives as another is told, and nothing of it stays', async () => {
    rig.settings = { ...rig.settings, Own: 'accept' }
    await offer()
    expect(await bowlinePut('/v0/put/a.txt', 'hello', sha256('other'))).toMatchObject({ status: 422, body: expect.stringContaining('"Code":"wrong-hash"') })
    expect([rig.inbox.final.size, rig.inbox.partial.size]).toEqual([0, 0])
    expect(await bowlinePut('/v0/put/a.txt', 'hello', 'x')).toMatchObject({ status: 400 })
    expect(await bowlinePut('/v0/put/a.txt', 'hello', undefined, 'Bowline-Size: 6')).toMatchObject({ status: 422, body: expect.stringContaining('wrong-size') })
    expect(rig.inbox.final.size).toBe(0)
    expect(rig.receiver.counters()).toMatchObject({ taildrop_in_wrong_hash: 1 })
  })

  test('goes on where it broke off, with the hash of the whole', async () => {
    rig.settings = { ...rig.settings, Own: 'accept' }
    rig.inbox.partial.set(`${FOLDER}/a.txt.n2`, Buffer.from('helXX'))
    expect((await bowlinePut('/v0/put/a.txt', 'lo', sha256('hello'), 'Range: bytes=3-', 'Bowline-Size: 5')).status).toBe(200)
    expect(final('a.txt')).toBe('hello')
    expect(await bowlinePut('/v0/put/b.txt', 'lo', sha256('hello'), 'Range: bytes=3-', 'Bowline-Size: 5')).toMatchObject({ status: 416, body: expect.stringContaining('bad-offset') })
  })

  test('is let in with what was accepted and with nothing else', async () => {
    void offer(25)
    await asked(2)
    answer(true)
    expect((await bowlinePut('/v0/put/a.txt', 'hello', undefined, 'Bowline-Size: 5')).status).toBe(200)
    const larger = bowlinePut('/v0/put/a.txt', 'hello!', undefined, 'Bowline-Size: 6')
    const other = bowlinePut('/v0/put/b.txt', 'hello', undefined, 'Bowline-Size: 5')
    await asked(2)
    expect(Object.fromEntries(asks().flatMap(({ Items }) => Items.map(({ Name, Size }) => [Name, Size])))).toEqual({ 'a.txt': 6, 'b.txt': 5 })
    answer(false)
    expect((await larger).status).toBe(403)
    expect((await other).status).toBe(403)
  })

  test('cannot bring one file again and again with one answer', async () => {
    void offer(25)
    await asked(2)
    answer(true)
    for (const body of ['hello', 'hallo', 'hullo']) expect((await bowlinePut('/v0/put/a.txt', body, undefined, 'Bowline-Size: 5')).status).toBe(200)
    const fourth = bowlinePut('/v0/put/a.txt', 'hollo', undefined, 'Bowline-Size: 5')
    await asked()
    answer(false)
    await fourth
  })

  test('cannot use the batch of another device', async () => {
    rig.settings = { ...rig.settings, Others: 'ask' }
    void offer(25)
    await asked(2)
    answer(true)
    const reply = rig.ask(`PUT /v0/put/a.txt\nBowline-Transfer: ${BATCH}`, 'hello', OTHER_IP)
    await asked(1)
    expect(asks()).toMatchObject([{ Peer: 'n3', Owner: 'Bob' }])
    answer(false)
    expect((await reply).status).toBe(403)
    expect(await rig.ask(`PUT /v0/bowline/manifest/${BATCH}/1`, manifest, OTHER_IP)).toMatchObject({ status: 409, body: expect.stringContaining('ask-first') })
  })

  test('has a bounded number of offers open', async () => {
    const offers = await Promise.all(Array.from({ length: 12 }, (_, i) => rig.ask('POST /v0/bowline/offer', encodeOffer({ batch: i.toString(16).padStart(32, '0'), items }))))
    expect(offers.filter(({ status }) => status === 200).length).toBe(8)
    expect(offers.filter(({ status }) => status === 503).length).toBe(4)
  })

  describe('with a folder', () => {
    beforeEach(async () => {
      rig.settings = { ...rig.settings, Own: 'accept' }
      await offer()
    })
    const sendManifest = (text: string, index: number | string = 1): Promise<Reply> => rig.ask(`PUT /v0/bowline/manifest/${BATCH}/${index}`, text)

    test('says first what is in it', async () => {
      expect(await bowlinePut(`/v0/bowline/folder/${BATCH}/1`, '12312345')).toMatchObject({ status: 409, body: expect.stringContaining('ask-first') })
    })
    test.each([
      ['leads elsewhere', encodeManifest([{ path: '../../x', size: 8, mtimeMs: 0 }]), 400, 'bad-name'],
      ['has one path twice', encodeManifest([{ path: 'x', size: 4, mtimeMs: 0 }, { path: 'x', size: 4, mtimeMs: 0 }]), 400, 'bad-name'],
      ['is larger than was offered', encodeManifest([{ path: 'x', size: 9, mtimeMs: 0 }]), 422, 'wrong-size'],
      ['is no list', '{"V":1}', 400, 'bad-request'],
      ['has too many files', encodeManifest(Array.from({ length: 100_001 }, (_, i) => ({ path: String(i), size: 0, mtimeMs: 0 }))), 413, 'too-much'],
    ])('that %s is refused', async (_name, text, status, code) => {
      expect(await sendManifest(text)).toMatchObject({ status, body: expect.stringContaining(code) })
      expect(rig.inbox.partial.size).toBe(0)
    })
    test('names an item that is one', async () => {
      expect((await sendManifest(manifest, 0)).status).toBe(400)
      expect((await sendManifest(manifest, 2)).status).toBe(400)
      expect((await sendManifest(manifest, '../1')).status).toBe(400)
    })
    test('sends all of its files and no more', async () => {
      await sendManifest(manifest)
      expect(await bowlinePut(`/v0/bowline/folder/${BATCH}/1`, '123')).toMatchObject({ status: 422, body: expect.stringContaining('wrong-size') })
      expect(await bowlinePut(`/v0/bowline/folder/${BATCH}/1`, '123456789')).toMatchObject({ status: 422, body: expect.stringContaining('wrong-size') })
      expect((await bowlinePut(`/v0/bowline/folder/${BATCH}/1`, '12312345')).status).toBe(200)
    })
  })
})
