/**
 * What stock clients send, over real streams: statuses and texts as a tailscaled gives them, and what no sender can do.
 */
import { randomBytes } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { InboxFault } from '../../../../../main/engine/features/taildrop/ports.ts'
import type { Node } from '../../../../../main/engine/core/tailcfg/types.ts'
import { waitFor } from '../../../../support/wait.ts'
import { HOST } from '../../../peerapi/rig.ts'
import { FOLDER, makeRig, OTHER_IP, OWN_IP, readAnswer, sha256, type ReceiveRig } from './rig.ts'

let rig: ReceiveRig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.stop())

const PATIENCE = { withinMs: 30_000 }
const final = (name: string): string | undefined => rig.inbox.final.get(`${FOLDER}/${name}`)?.toString()
const partial = (name: string, sender = 'n2'): Buffer | undefined => rig.inbox.partial.get(`${FOLDER}/${name}.${sender}`)
const put = (name: string, body: string | Uint8Array = 'hello', ip = OWN_IP, ...headers: string[]) => rig.ask([`PUT /v0/put/${name}`, ...headers].join('\n'), body, ip)

/** Sends a part of a body and goes. */
async function putAndLeave(name: string, length: number, sent: string, ip = OWN_IP): Promise<void> {
  const socket = await rig.api.connect(ip)
  socket.write(`PUT /v0/put/${name} HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: ${length}\r\n\r\n${sent}`)
  await waitFor('what was sent to come', () => rig.rows.at(-1)?.events.some((event) => event.startsWith('progress')), PATIENCE)
  socket.end()
  await waitFor('it to be kept', () => partial(name)?.length === sent.length, PATIENCE)
}

describe('a file of the same owner', () => {
  test('comes in, and the row tells how', async () => {
    expect(await put('a.txt')).toMatchObject({ status: 200, body: '{}\n' })
    expect(final('a.txt')).toBe('hello')
    expect(rig.rows).toEqual([expect.objectContaining({
      what: { peer: 'n2', batch: expect.stringMatching(/^[0-9a-f]{32}$/), name: 'a.txt', kind: 'file', files: 1, size: 5, folder: FOLDER, partialPath: `${FOLDER}/a.txt.n2.partial` },
      events: ['progress 0', 'progress 5', 'checking', 'received a.txt'],
    })])
    expect(rig.receiver.counters()).toMatchObject({ taildrop_in_received: 1, taildrop_in_received_bytes: 5, taildrop_in_running: 0 })
  })

  test('comes in chunks of unknown length, and empty', async () => {
    expect((await put('a.txt', '5\r\nhello\r\n0\r\n\r\n', OWN_IP, 'Transfer-Encoding: chunked')).status).toBe(200)
    expect((await put('empty', '')).status).toBe(200)
    expect([final('a.txt'), final('empty'), rig.rows[0]!.what['size']]).toEqual(['hello', '', -1])
  })

  test('that is there already is not taken twice, and another of its name gets a name of its own', async () => {
    for (const body of ['hello', 'hello', 'other']) expect((await put('a.txt', body)).status).toBe(200)
    expect([...rig.inbox.final.keys()]).toEqual([`${FOLDER}/a.txt`, `${FOLDER}/a (1).txt`])
    expect(rig.receiver.counters()).toMatchObject({ taildrop_in_duplicates: 1 })
  })

  test('of many megabytes comes whole, with a disk that is slower than the sender', async () => {
    const bytes = randomBytes(8 << 20)
    rig.inbox.slow = () => new Promise((resolve) => setImmediate(resolve))
    expect((await put('big', bytes)).status).toBe(200)
    expect(sha256(rig.inbox.final.get(`${FOLDER}/big`)!)).toBe(sha256(bytes))
  })

  test('goes on where it was broken off, by the hashes of what is here', async () => {
    await putAndLeave('a.bin', 200_000, 'x'.repeat(100_000))
    expect(rig.rows[0]!.events.at(-1)).toBe('broken stopped')
    expect((await rig.ask('GET /v0/put/')).body).toBe('["a.bin.n2.partial"]\n')
    const hashes = (await rig.ask('GET /v0/put/a.bin')).body
    expect(hashes).toBe([65_536, 34_464].map((size) => `{"checksum":"${sha256('x'.repeat(size))}","algo":"sha256","size":${size}}\n`).join(''))
    expect((await put('a.bin', 'y'.repeat(100_000), OWN_IP, 'Range: bytes=65536-')).status).toBe(200)
    expect(final('a.bin')).toBe('x'.repeat(65_536) + 'y'.repeat(100_000))
    expect(rig.rows[1]!.what).toMatchObject({ size: 165_536 })
  })

  test('may be gone on with from any place that is here, and no other', async () => {
    await putAndLeave('a.bin', 10, 'abcdef')
    expect(await put('a.bin', 'zz', OWN_IP, 'Range: bytes=7-')).toMatchObject({ status: 500, body: 'offset 7 out of range\n' })
    expect(await put('b.bin', 'zz', OWN_IP, 'Range: bytes=1-')).toMatchObject({ status: 500, body: 'offset 1 out of range\n' })
    expect(await put('a.bin', 'zz', OWN_IP, 'Range:  bytes= ,3- ')).toMatchObject({ status: 200 })
    expect(final('a.bin')).toBe('abczz')
  })
})

describe('as a tailscaled answers', () => {
  test.each<[string, string, string[], number, string]>([
    ['no name', 'PUT /v0/put/', [], 400, 'invalid filename\n'],
    ['a path that leads elsewhere', 'PUT /v0/put/..%2fx', [], 400, 'invalid filename\n'],
    ['the same, unescaped', 'PUT /v0/put/../put/x', [], 400, 'invalid filename\n'],
    ['a path', 'PUT /v0/put/a/b', [], 400, 'invalid filename\n'],
    ['bytes that are no text', 'PUT /v0/put/%ff', [], 400, 'invalid filename\n'],
    ['escapes that are none', 'PUT /v0/put/%zz', [], 400, 'invalid filename\n'],
    ['a name that no disk takes with what is added while it comes', `PUT /v0/put/${'x'.repeat(250)}`, [], 400, 'invalid filename\n'],
    ['a stream of NTFS', 'PUT /v0/put/a.txt:b', [], 400, 'invalid filename\n'],
    ['a name of something partial', 'PUT /v0/put/a.partial', [], 400, 'invalid filename\n'],
    ['a range with an end', 'PUT /v0/put/a', ['Range: bytes=1-2'], 400, 'invalid Range header\n'],
    ['a range from the end', 'PUT /v0/put/a', ['Range: bytes=-5'], 400, 'invalid Range header\n'],
    ['two ranges', 'PUT /v0/put/a', ['Range: bytes=1-,2-'], 400, 'invalid Range header\n'],
    ['a range of something else', 'PUT /v0/put/a', ['Range: x'], 400, 'invalid Range header\n'],
    ['a range beyond numbers', 'PUT /v0/put/a', ['Range: bytes=99999999999999999999-'], 400, 'invalid Range header\n'],
    ['a bad range of a bad name', 'PUT /v0/put/', ['Range: x'], 400, 'invalid Range header\n'],
    ['POST', 'POST /v0/put/a', [], 405, 'expected method GET or PUT\n'],
    ['DELETE', 'DELETE /v0/put/a', [], 405, 'expected method GET or PUT\n'],
    ['PATCH', 'PATCH /v0/put/a', [], 405, 'expected method GET or PUT\n'],
    ['hashes of a bad name', 'GET /v0/put/..%2fx', [], 500, 'invalid filename\n'],
    ['hashes of nothing', 'GET /v0/put/none', [], 200, ''],
    ['names of nothing', 'GET /v0/put/', [], 200, 'null\n'],
    ['the path without its end', 'PUT /v0/put', [], 404, 'unsupported peerapi path\n'],
  ])('%s', async (_name, line, headers, status, body) => {
    expect(await rig.ask([line, ...headers].join('\n'), line.startsWith('GET') ? '' : 'hello')).toMatchObject({ status, body })
    expect([rig.inbox.final.size, rig.inbox.partial.size, rig.rows.length]).toEqual([0, 0, 0])
  })

  test('a HEAD, which has no body', async () => {
    expect(await rig.ask('HEAD /v0/put/a\nConnection: close')).toMatchObject({ status: 405, body: '' })
  })

  test('the same file twice at once', async () => {
    const socket = await rig.api.connect()
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
    await waitFor('the first to begin', () => rig.inbox.busy.size === 1, PATIENCE)
    expect(await put('a')).toMatchObject({ status: 409, body: 'file already exists\n' })
    socket.write('world')
    expect((await readAnswer(socket)).status).toBe(200)
    expect(final('a')).toBe('helloworld')
  })

  test('faults of the disk, without saying where its folder is', async () => {
    rig.inbox.freeBytes = 3
    expect(await put('a')).toMatchObject({ status: 507, body: 'the disk has not enough room\n' })
    rig.inbox.freeBytes = -1
    for (const code of ['folder-gone', 'not-a-folder', 'no-rights', 'io'] as const) {
      rig.inbox.fault = new InboxFault(code, 'the folder /secret is bad')
      const answer = await put('a')
      expect(answer.status).toBe(500)
      expect(answer.body).not.toContain('secret')
      expect(rig.rows.at(-1)!.events).toEqual([`refused ${code}`])
    }
  })

  test('a disk that is full in the middle: what came before stays', async () => {
    const socket = await rig.api.connect()
    const answer = readAnswer(socket)
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
    await waitFor('the first half', () => rig.rows[0]?.events.includes('progress 0'), PATIENCE)
    rig.inbox.writeFault = new InboxFault('no-space', 'full')
    socket.write('world')
    expect((await answer).status).toBe(507)
    expect(partial('a')).toBeDefined()
    expect(rig.inbox.busy.size).toBe(0)
  })
})

describe('who may not send', () => {
  const asks = ['PUT /v0/put/a', 'GET /v0/put/a', 'GET /v0/put/', 'DELETE /v0/put/a', 'PUT /v0/put/%zz']
  const refusedAll = async (ip: string): Promise<void> => {
    for (const line of asks) expect(await rig.ask(line, line.startsWith('PUT') ? 'hello' : '', ip), line).toMatchObject({ status: 403, body: 'Taildrop disabled; no storage directory\n' })
    expect([rig.inbox.final.size, rig.rows.length]).toEqual([0, 0])
  }
  const change = (id: number, more: Partial<Node>): void => {
    const node = { ...rig.peers.get(id)!, ...more }
    rig.peers.set(id, node)
    const ip = `100.64.0.${id}`
    rig.api.callers.set(ip, { ...rig.api.callers.get(ip)!, node })
  }

  test('is another owner without a grant', async () => {
    rig.filters.clear()
    await refusedAll(OTHER_IP)
  })
  test('is a device that nobody of the network has signed', async () => {
    change(2, { UnsignedPeerAPIOnly: true })
    await refusedAll(OWN_IP)
  })
  test('is a device of ours that has a tag', async () => {
    change(2, { Tags: ['tag:server'] })
    await refusedAll(OWN_IP)
  })
  test('is everybody, when we have a tag and nobody a grant', async () => {
    rig.self.Tags = ['tag:server']
    await refusedAll(OWN_IP)
  })
  test('is everybody, when the server has switched it off', async () => {
    rig.self.CapMap = {}
    await refusedAll(OWN_IP)
  })
  test('is everybody, when we are not connected', async () => {
    rig.isConnected = false
    await refusedAll(OWN_IP)
  })
  test('is a device that has left the network while it sent: its file gets no name', async () => {
    const socket = await rig.api.connect()
    const answer = readAnswer(socket)
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
    await waitFor('it to begin', () => rig.inbox.busy.size === 1, PATIENCE)
    rig.peers.delete(2)
    socket.write('world')
    expect((await answer).status).toBe(403)
    expect([rig.inbox.final.size, rig.inbox.partial.size]).toEqual([0, 0])
    expect(rig.rows[0]!.events.at(-1)).toBe('refused not-allowed')
  })
  test('is told apart: a grant lets another owner send, and the rule for others asks', async () => {
    rig.settings = { ...rig.settings, Others: 'accept' }
    expect((await put('a.txt', 'hello', OTHER_IP)).status).toBe(200)
  })
  test('is who was refused by rule, and gets a reason', async () => {
    rig.settings = { ...rig.settings, Senders: { n2: 'refuse' } }
    expect(await put('a')).toMatchObject({ status: 403, body: 'files from that device are refused here\n' })
    expect(rig.rows).toEqual([])
    expect(rig.journal).toContainEqual(expect.objectContaining({ kind: 'incoming-refused', code: 'not-wanted', name: 'a' }))
  })
})

describe('a web page', () => {
  const ways: [string, string[]][] = [
    ['with its origin', ['Origin: http://evil.example']], ['with an opaque origin', ['Origin: null']], ['that a link led to', ['Referer: http://evil.example/']],
    ['by a browser', ['Sec-Fetch-Site: cross-site']], ['of the same site', ['Sec-Fetch-Site: same-origin']],
  ]
  for (const line of ['PUT /v0/put/a', 'POST /v0/put/a', 'GET /v0/put/a', 'GET /v0/put/', 'OPTIONS /v0/put/a', 'POST /v0/bowline/offer', 'PUT /v0/bowline/manifest/x/0', 'GET /v0/bowline/folder/x/0']) {
    test.each(ways)(`asks ${line} in vain, %s`, async (_name, headers) => {
      const answer = await rig.ask([line, ...headers].join('\n'), line.startsWith('GET') ? '' : 'hello')
      expect(answer).toMatchObject({ status: 403, body: 'invalid peerapi request\n' })
      expect(answer.head).not.toMatch(/access-control/i)
      expect([rig.inbox.final.size, rig.inbox.partial.size, rig.rows.length]).toEqual([0, 0, 0])
    })
  }
})

describe('a broken or hostile sender', () => {
  test('that stops is cut after two minutes, and what came stays', async () => {
    const socket = await rig.api.connect()
    const answer = readAnswer(socket)
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
    await waitFor('it to begin', () => rig.rows[0]?.events.includes('progress 0'), PATIENCE)
    await new Promise((resolve) => setImmediate(resolve))
    rig.api.clock.advance(120_000)
    await answer
    await waitFor('it to be kept', () => partial('a')?.toString() === 'hello', PATIENCE)
    expect(rig.rows[0]!.events.at(-1)).toBe('broken stopped')
  })

  test('that sends more than it said in its header is stopped', async () => {
    const answer = await put('a', '6\r\nhello!\r\n0\r\n\r\n', OWN_IP, 'Transfer-Encoding: chunked', 'Bowline-Size: 5')
    expect(answer).toMatchObject({ status: 500, body: 'what came is not as long as the sender said\n' })
    expect([rig.inbox.final.size, rig.inbox.partial.size]).toEqual([0, 0])
  })

  test('that contradicts itself is refused before anything is read', async () => {
    expect((await put('a', 'hello', OWN_IP, 'Bowline-Size: 4')).status).toBe(400)
    expect((await put('a', 'hello', OWN_IP, 'Bowline-Size: x')).status).toBe(400)
  })

  test('that is silent gives way to its own next try, and to nobody else’s', async () => {
    const socket = await rig.api.connect()
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
    await waitFor('it to begin', () => rig.rows[0]?.events.includes('progress 0'), PATIENCE)
    expect((await put('a')).status).toBe(409)
    rig.api.clock.advance(5_000)
    expect((await rig.ask('GET /v0/put/a')).body).toContain('"size":5')
    expect((await put('a', 'WORLD', OWN_IP, 'Range: bytes=5-')).status).toBe(200)
    expect(final('a')).toBe('helloWORLD')
    socket.destroy()
  })

  test('with hundreds of files at once has all of them taken, few at a time', async () => {
    let most = 0
    rig.inbox.slow = () => {
      most = Math.max(most, rig.inbox.busy.size)
      return new Promise((resolve) => setImmediate(resolve))
    }
    const answers = await Promise.all(Array.from({ length: 300 }, (_, i) => put(`f${i}`)))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    expect(rig.inbox.final.size).toBe(300)
    expect(most).toBeLessThanOrEqual(8)
    expect(rig.receiver.counters()).toMatchObject({ taildrop_in_received: 300, taildrop_in_running: 0 })
  })

  test('whose file a person cancels is refused, and nothing of it stays', async () => {
    const socket = await rig.api.connect()
    const answer = readAnswer(socket)
    socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
    await waitFor('it to begin', () => rig.rows[0]?.events.includes('progress 0'), PATIENCE)
    rig.rows[0]!.cancel()
    expect((await answer).status).toBe(403)
    expect([rig.inbox.final.size, rig.inbox.partial.size]).toEqual([0, 0])
  })

  test('does not fill the journal', async () => {
    for (let i = 0; i < 60; i++) await put('..')
    expect(rig.journal.filter(({ part }) => part === 'taildrop').length).toBeLessThanOrEqual(21)
    expect(rig.receiver.counters()).toMatchObject({ taildrop_in_refused: 60 })
  })
})

test('what is coming in when the engine stops stays partial', async () => {
  const socket = await rig.api.connect()
  socket.write(`PUT /v0/put/a HTTP/1.1\r\nHost: ${HOST}\r\nContent-Length: 10\r\n\r\nhello`)
  await waitFor('it to begin', () => rig.rows[0]?.events.includes('progress 0'), PATIENCE)
  rig.receiver.stop()
  await waitFor('it to be kept', () => partial('a')?.toString() === 'hello', PATIENCE)
  expect(rig.rows[0]!.events.at(-1)).toBe('broken turned-off')
  expect((await put('b')).status).toBe(403)
})
