/**
 * Senders that lie, break off or ask for too much, and rules that change while something comes in.
 */
import { connect as connectHttp2 } from 'node:http2'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { waitFor as wait } from '../../../../support/wait.ts'
import { HOST } from '../../../peerapi/rig.ts'
import { ask, BATCH, makeRig, OTHER_IP, readAnswer, type ReceiveRig } from './rig.ts'

let rig: ReceiveRig
const waitFor = (is: () => boolean): Promise<unknown> => wait('what is expected', is, { withinMs: 30_000 })
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.stop())

const offerOf = (...items: readonly Record<string, unknown>[]): string => JSON.stringify({ V: 1, Batch: BATCH, Items: items })
const offer = (text: string) => rig.ask('POST /v0/bowline/offer', text, OTHER_IP)
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`

describe('a file over HTTP/2 whose connection is cut', () => {
  test.each(['while it comes', 'before anything is read'])('%s is partial, not whole', async (when) => {
    const open = rig.inbox.open.bind(rig.inbox)
    let go = (): void => {}
    const held = new Promise<void>((resolve) => (go = resolve))
    let isOpening = false
    if (when !== 'while it comes') {
      rig.inbox.open = async (...args) => {
        isOpening = true
        await held
        return open(...args)
      }
    }
    const socket = await rig.api.connect()
    const session = connectHttp2(`http://${HOST}`, { createConnection: () => socket }).on('error', () => {})
    const stream = session.request({ ':path': '/v0/put/a.bin', ':method': 'PUT' }).on('error', () => {})
    stream.write(Buffer.alloc(30_000, 'x'))
    if (when === 'while it comes') await waitFor(() => rig.rows[0]?.events.some((event) => event.startsWith('progress')) === true && rig.inbox.busy.size > 0)
    else await waitFor(() => isOpening)
    const [ours] = rig.api.sockets
    socket.destroy()
    await new Promise((resolve) => ours!.once('close', resolve))
    go()
    await waitFor(() => /broken|received|refused/.test(rig.rows[0]?.events.at(-1) ?? ''))
    expect([...rig.inbox.final.keys()]).toEqual([])
    expect(rig.rows[0]!.events.at(-1)).toBe('broken stopped')
    session.destroy()
  })
})

describe('a rule that begins to refuse', () => {
  test('ends what is coming in: it gets no name', async () => {
    const socket = await rig.api.connect()
    socket.write(`PUT /v0/put/a.txt HTTP/1.1\r\nHost: ${HOST}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('abc')}`)
    await waitFor(() => rig.inbox.busy.size > 0)
    rig.settings = { ...rig.settings, Senders: { n2: 'refuse' } }
    rig.receiver.changed()
    const answer = readAnswer(socket)
    socket.write('0\r\n\r\n')
    expect((await answer).status).toBe(403)
    expect([...rig.inbox.final.keys()]).toEqual([])
    expect(rig.rows[0]!.events.at(-1)).toBe('refused not-wanted')
  })
})

describe('what was accepted', () => {
  test('does not cover the same name without the size that was offered', async () => {
    await offer(offerOf({ Name: 'a.txt', Size: 3, Folder: false, Files: 1 }))
    rig.receiver.asks.answer(rig.receiver.asks.all()[0]!.Batch, { accept: true })
    const socket = await rig.api.connect(OTHER_IP)
    socket.write(`PUT /v0/put/a.txt HTTP/1.1\r\nHost: ${HOST}\r\nBowline-Transfer: ${BATCH}\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('much more than was said')}0\r\n\r\n`)
    await waitFor(() => rig.receiver.asks.all().length > 0 || rig.inbox.final.size > 0)
    expect([...rig.inbox.final.keys()]).toEqual([])
  })

  test('does not cover a file of the same name and another size that came while a person was asked', async () => {
    const [first, second] = [await rig.api.connect(OTHER_IP), await rig.api.connect(OTHER_IP)]
    void ask(first, 'PUT /v0/put/a.txt', 'abc')
    await waitFor(() => rig.receiver.asks.all().length === 1)
    void ask(second, 'PUT /v0/put/a.txt', 'very much more')
    await waitFor(() => rig.rows.length === 2)
    expect(rig.receiver.asks.all().map(({ Count, Size, Items }) => ({ Count, Size, sizes: Items.map((item) => item.Size) }))).toEqual([{ Count: 2, Size: 17, sizes: [3, 14] }])
  })

  test('does not cover a stock file of the same name that has grown since', async () => {
    const socket = await rig.api.connect(OTHER_IP)
    void ask(socket, 'PUT /v0/put/a.txt', 'abc')
    await waitFor(() => rig.receiver.asks.all().length === 1)
    socket.destroy()
    await waitFor(() => rig.rows[0]!.events.at(-1) === 'broken stopped')
    rig.receiver.asks.answer(rig.receiver.asks.all()[0]!.Batch, { accept: true })
    rig.api.clock.advance(60_000)
    void rig.ask('PUT /v0/put/a.txt', 'very much more', OTHER_IP)
    await waitFor(() => rig.receiver.asks.all().length > 0 || rig.inbox.final.size > 0)
    expect([...rig.inbox.final.keys()]).toEqual([])
    expect(rig.receiver.asks.all()).toMatchObject([{ Size: 14 }])
  })

  test('does not cover a folder with more files than were offered', async () => {
    await offer(offerOf({ Name: 'd', Size: 3, Folder: true, Files: 1 }))
    const manifest = (count: number) => JSON.stringify({ V: 1, Entries: [{ Path: 'a', Size: 3, Mtime: 0 }, ...Array.from({ length: count - 1 }, (_, i) => ({ Path: `more${i}`, Size: 0, Mtime: 0 }))] })
    expect((await rig.ask(`PUT /v0/bowline/manifest/${BATCH}/0`, manifest(1), OTHER_IP)).status).toBe(200)
    expect((await rig.ask(`PUT /v0/bowline/manifest/${BATCH}/0`, manifest(1_000), OTHER_IP)).status).toBe(422)
  })

  test('is over after a day, whatever was asked in between', async () => {
    await offer(offerOf({ Name: 'a.txt', Size: 3, Folder: false, Files: 1 }))
    rig.receiver.asks.answer(rig.receiver.asks.all()[0]!.Batch, { accept: true })
    rig.api.clock.advance(25 * 3_600_000)
    void rig.ask(`PUT /v0/put/a.txt\nBowline-Transfer: ${BATCH}\nBowline-Size: 3`, 'abc', OTHER_IP)
    await waitFor(() => rig.rows.length > 0 && rig.rows[0]!.events.length > 0)
    expect(rig.rows[0]!.events).toEqual(['waiting'])
  })

  test('does not cover what was not in the offer, though it came while a person was asked', async () => {
    await offer(offerOf({ Name: 'a.txt', Size: 3, Folder: false, Files: 1 }))
    void rig.ask(`PUT /v0/put/other.exe\nBowline-Transfer: ${BATCH}\nBowline-Size: 4`, 'evil', OTHER_IP)
    await waitFor(() => rig.rows[0]?.events.includes('waiting') === true)
    expect(rig.receiver.asks.all().map(({ Items }) => Items.map(({ Name }) => Name))).toEqual([['a.txt'], ['other.exe']])
  })
})

test('a refused sender does not make us forget what another was let in with', async () => {
  await offer(offerOf({ Name: 'a.txt', Size: 3, Folder: false, Files: 1 }))
  rig.receiver.asks.answer(rig.receiver.asks.all()[0]!.Batch, { accept: true })
  rig.settings = { ...rig.settings, Own: 'refuse' }
  for (let i = 0; i < 1_100; i++) expect((await rig.ask(`PUT /v0/put/${i}`, 'x')).status).toBe(403)
  expect(JSON.parse((await offer(offerOf({ Name: 'a.txt', Size: 3, Folder: false, Files: 1 }))).body)).toMatchObject({ State: 'accepted' })
})

test('one sender that offers all that can be remembered keeps no other from sending', async () => {
  const many = Array.from({ length: 10_000 }, (_, i) => ({ Name: `${i}`, Size: 1, Folder: false, Files: 1 }))
  for (let i = 0; i < 8; i++) await rig.ask('POST /v0/bowline/offer', JSON.stringify({ V: 1, Batch: String(i).padStart(32, '0'), Items: many }), OTHER_IP)
  expect(JSON.parse((await rig.ask('POST /v0/bowline/offer', offerOf({ Name: 'a', Size: 1, Folder: false, Files: 1 }))).body)).toMatchObject({ State: 'accepted' })
})

describe('hashes of what is partial', () => {
  test('are made for one sender a few at a time', async () => {
    const hashes = rig.inbox.hashes.bind(rig.inbox)
    let running = 0
    let most = 0
    let go = (): void => {}
    const held = new Promise<void>((resolve) => (go = resolve))
    rig.inbox.hashes = async function* (place) {
      most = Math.max(most, ++running)
      await held
      yield* hashes(place)
      running--
    }
    const replies = Array.from({ length: 30 }, (_, i) => rig.ask(`GET /v0/put/${i}`))
    await waitFor(() => running === 8)
    go()
    expect(new Set((await Promise.all(replies)).map(({ status }) => status))).toEqual(new Set([200]))
    expect(most).toBe(8)
  })

  test('are let go of when the caller is gone before there is an answer', async () => {
    let go = (): void => {}
    let begun = 0
    let over = 0
    const held = new Promise<void>((resolve) => (go = resolve))
    rig.inbox.hashes = async function* () {
      begun++
      try {
        await held
        yield { checksum: 'a'.repeat(64), algo: 'sha256', size: 65_536 }
        yield { checksum: 'a'.repeat(64), algo: 'sha256', size: 65_536 }
      } finally {
        over++
      }
    }
    const socket = await rig.api.connect()
    socket.write(`GET /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\n\r\n`)
    await waitFor(() => begun === 1)
    const [ours] = rig.api.sockets
    socket.destroy()
    await new Promise((resolve) => ours!.once('close', resolve))
    go()
    await waitFor(() => over === 1)
  })
})
