/**
 * What no honest sender does, from a real device of the network through the tunnel: names that lead elsewhere, links planted in the
 * folder, offsets and sizes that are lies, hashes that are wrong, senders that stop, a thousand at once, a web page, a stranger.
 * Around the folder lies a tree whose every file is compared before and after.
 */
import { createHash } from 'node:crypto'
import { linkSync, lstatSync, mkdirSync, readdirSync, readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { launchChromium, missingBrowser } from '../e2e/browser.ts'
import { usageOf } from '../support/child.ts'
import { dialVia } from '../support/proxy-client.ts'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'
import { contentOf, exchange, folderBeside, peerApiOf, putHead, rawRequest, sha256, stableId, waitTarget, type RawAnswer } from './lab/taildrop.ts'

let ours: LabNode
let asker: LabNode
let stranger: LabNode
let port = 0
let host = ''
let sender = ''
/** The folder that receives, and the one around it. */
let inbox = ''
let tree = ''

const BODY = contentOf(70_000, 3)

/** Everything below a folder, one line each: kind, path, and what is in it. Links are not followed. */
function snapshot(folder: string, below = ''): string[] {
  return readdirSync(join(folder, below)).toSorted().flatMap((name) => {
    const path = join(below, name)
    const stat = lstatSync(join(folder, path))
    if (stat.isSymbolicLink()) return [`link ${path} → ${readlinkSync(join(folder, path))}`]
    if (stat.isDirectory()) return [`folder ${path}`, ...snapshot(folder, path)]
    if (!stat.isFile()) return [`other ${path}`]
    return [`file ${path} ${createHash('sha256').update(readFileSync(join(folder, path))).digest('hex')}`]
  })
}

const outside = (): string[] => snapshot(tree).filter((line) => !/^\S+ in(\/|$| )/.test(line))
const inside = (): string[] => readdirSync(inbox).toSorted()
const contentsInside = (): string[] => inside().filter((name) => lstatSync(join(inbox, name)).isFile()).map((name) => sha256(readFileSync(join(inbox, name))))

function bytesOf(head: string, body: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(head, 'latin1'), body])
}

function raw(request: string | Uint8Array, by = asker): Promise<RawAnswer> {
  return rawRequest(by, { host, port }, request)
}

/** A PUT of these bytes under a name that is written in the path as it stands. */
function put(escaped: string, body: Uint8Array = BODY, headers: Record<string, string | number> = {}, by = asker): Promise<RawAnswer> {
  return raw(bytesOf(putHead(escaped, { 'Content-Length': body.length, Connection: 'close', ...headers }), body), by)
}

/** An open connection on which a PUT has begun and not ended. */
async function begin(escaped: string, claimed: number, first: Uint8Array, headers: Record<string, string | number> = {}): Promise<Socket> {
  const socket = await dialVia(asker.via(), host, port, 30_000)
  socket.on('error', () => {})
  socket.write(bytesOf(putHead(escaped, { 'Content-Length': claimed, ...headers }), first))
  return socket
}

const partialOf = (name: string): string => join(inbox, `${name}.${sender}.partial`)
const sizeOf = (path: string): number => lstatSync(path, { throwIfNoEntry: false })?.size ?? -1

/** Resolves when so many bytes of a file lie partial, and nobody writes. */
async function waitPartial(name: string, bytes: number): Promise<void> {
  await waitFor(`${bytes} bytes of ${name} to lie there`, () => sizeOf(partialOf(name)) === bytes, { withinMs: 30_000 })
}

async function setFolder(folder: string): Promise<void> {
  const { status, text } = await ours.api.call('PATCH', 'bowline/extras', { Taildrop: { Folder: folder } })
  if (status !== 200) throw new Error(`${status} ${text}`)
}

async function expectServing(): Promise<void> {
  const answer = await put('still%20serving.txt', Buffer.from('yes'))
  expect([answer.status, answer.body]).toEqual([200, '{}\n'])
  rmSync(join(inbox, 'still serving.txt'))
}

labSuite(
  'Taildrop and those who mean harm',
  {},
  async (lab) => {
    ;[ours, asker] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'asker')])
    await lab.headscale.cli('users', 'create', 'bob')
    const key = JSON.parse(await lab.headscale.cli('-o', 'json', 'preauthkeys', 'create', '--user', '2')) as { key: string }
    stranger = await lab.add('tailscaled', 'stranger')
    await stranger.up(key.key)
    await Promise.all([asker.waitUsable(ours), stranger.waitUsable(ours), waitTarget(asker, ours)])
    const at = await peerApiOf(ours, asker)
    host = at.v4
    port = at.port4
    sender = await stableId(asker)
    tree = folderBeside(ours, 'tree')
    inbox = join(tree, 'in')
    mkdirSync(inbox, { recursive: true })
    await setFolder(inbox)
  },
  (lab) => {
    let before: string[] = []

    beforeEach(() => {
      // What was under way may still look for its folder, and makes it.
      rmSync(tree, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 })
      mkdirSync(inbox, { recursive: true })
      mkdirSync(join(tree, 'beside'))
      for (const path of ['escape', 'secret.txt', 'beside/victim.txt']) writeFileSync(join(tree, path), `not to be touched: ${path}`)
      before = outside()
    })

    afterEach(() => {
      expect(outside()).toEqual(before)
    })

    describe('names', () => {
      const refused = [
        '', '.', '..', '%2e', '%2e%2e', '%2E%2E%2Fescape', '..%2fescape', '%2e%2e/escape', '../escape', '../../escape', '..%5cescape', '..%5Cescape', '/escape', '%2fescape', '%2ftmp%2fescape',
        'a/b', 'a%2fb', 'a%2Fb', 'a%5cb', 'a\\b', 'a%3ab', 'file.txt::$DATA', 'a%2ab', 'a%22b', 'a%3cb', 'a%3eb', 'a%7cb', 'C%3a%5cescape', '%5c%5cserver%5cshare',
        '%00', 'escape%00.txt', 'a%0ab', 'a%0d%0ab', 'a%09b', 'a%1bb', 'a%7fb', '%c0%ae%c0%ae%2fescape', '%c0%af', '%e0%80%af', '%f0%80%80%af', '%ff%fe', '%ed%a0%80', '%', '%2', '%zz', 'a%u002f',
        '%e2%80%ae.txt', 'a%e2%80%8bb', '%ef%bb%bfa', 'a%c2%adb', '%e2%81%a0', '%20lead', 'trail%20', '%c2%a0nbsp', 'a%e2%80%a8b',
        'x.partial', `x.txt.${'n1'}.partial`, 'x.deleted', 'a'.repeat(256), '%c3%a9'.repeat(128), 'a'.repeat(10_000), '....%2f%2f....%2f%2fescape', '..;/escape', '%2e%2e%3b/escape', '\xff\xfe', 'a\xc0\xafb',
      ]
      test.each(refused.map((name) => [name.length > 60 ? `${name.slice(0, 57)}… (${name.length})` : name, name]))('PUT of "%s" is refused and nothing is written', async (_shown, name) => {
        const answer = await put(name)
        expect(answer.status, answer.body).toBeGreaterThanOrEqual(400)
        expect(answer.status, answer.body).toBeLessThan(500)
        expect(inside()).toEqual([])
        const asked = await raw(`GET /v0/put/${name} HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n`)
        expect(asked.body).not.toContain('checksum')
        expect(asked.body).not.toContain('not to be touched')
      })

      const devices = ['con', 'CON', 'nul.txt', 'NUL', 'lpt1.txt', 'com9', 'com%c2%b9.log', 'aux.h', 'prn', 'CONIN$', 'name.', 'name..', 'x.PARTIAL']
      test.each(devices)('PUT of "%s", which another system would not take for a file, is refused', async (name) => {
        expect((await put(name)).status).toBe(400)
        expect(inside()).toEqual([])
      })

      test('a name that is escaped twice is that very name and no way up', async () => {
        expect((await put('%252e%252e%252fescape')).status).toBe(200)
        expect(inside()).toEqual(['%2e%2e%2fescape'])
      })

      test.each([['upper and lower case', 'Twin.txt', 'tWIN.TXT'], ['composed and decomposed', 'caf%c3%a9.txt', 'cafe%cc%81.txt'], ['sharp s', 'stra%c3%9fe.txt', 'STRASSE.TXT']])('twins that differ in %s do not overwrite each other', async (_what, one, two) => {
        const [first, second] = [contentOf(5000, 1), contentOf(5000, 2)]
        expect((await put(one, first)).status).toBe(200)
        expect((await put(two, second)).status).toBe(200)
        expect(contentsInside().toSorted()).toEqual([sha256(first), sha256(second)].toSorted())
      })

      test('an only just good name is received', async () => {
        const longest = 'a'.repeat(255 - `.${sender}.partial`.length)
        expect((await put(longest)).status).toBe(200)
        expect(inside()).toEqual([longest])
      })
    })

    describe('links in the folder', () => {
      test('a link in place of the partial file is not followed', async () => {
        symlinkSync(join(tree, 'secret.txt'), partialOf('evil.bin'))
        const asked = await raw(`GET /v0/put/evil.bin HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n`)
        expect(asked.body).not.toContain('checksum')
        await put('evil.bin')
        await put('evil.bin', BODY, { Range: 'bytes=5-' })
        await expectServing()
      })

      test('a second name of a foreign file in place of the partial file does not change that file', async () => {
        linkSync(join(tree, 'beside/victim.txt'), partialOf('evil.bin'))
        await put('evil.bin')
        await expectServing()
      })

      test('a link, a dangling link and a folder under the final name are left as they are', async () => {
        symlinkSync(join(tree, 'secret.txt'), join(inbox, 'one.txt'))
        symlinkSync(join(tree, 'beside/new.txt'), join(inbox, 'two.txt'))
        mkdirSync(join(inbox, 'three.txt'))
        for (const name of ['one.txt', 'two.txt', 'three.txt']) expect((await put(name)).status).toBe(200)
        expect(readlinkSync(join(inbox, 'one.txt'))).toBe(join(tree, 'secret.txt'))
        expect(inside()).toEqual(['one (1).txt', 'one.txt', 'three (1).txt', 'three.txt', 'two (1).txt', 'two.txt'])
      })

      test.each(['folder', 'pipe'])('a %s in place of the partial file stops neither us nor the sender for good', async (kind) => {
        if (kind === 'folder') mkdirSync(partialOf('odd.bin'))
        else expect(spawnSync('mkfifo', [partialOf('odd.bin')]).status).toBe(0)
        await put('odd.bin')
        await raw(`GET /v0/put/odd.bin HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n`)
        await expectServing()
      })

      test('a link that takes the place of the partial file while it comes does not get the bytes', async () => {
        const socket = await begin('swap.bin', BODY.length, BODY.subarray(0, 30_000))
        await waitFor('the partial file', () => sizeOf(partialOf('swap.bin')) >= 0, { withinMs: 30_000 })
        renameSync(partialOf('swap.bin'), join(inbox, 'aside'))
        symlinkSync(join(tree, 'secret.txt'), partialOf('swap.bin'))
        await exchange(socket, BODY.subarray(30_000)).catch(() => undefined)
        socket.destroy()
        await expectServing()
      })

      test('a folder that becomes a link to elsewhere receives nothing there', async () => {
        renameSync(inbox, join(tree, 'moved'))
        symlinkSync(join(tree, 'beside'), inbox)
        await put('through.txt')
        expect(readdirSync(join(tree, 'beside'))).toEqual(['victim.txt'])
        rmSync(inbox)
        renameSync(join(tree, 'moved'), inbox)
        await expectServing()
      })
    })

    describe('offsets, sizes and hashes', () => {
      test.each(['bytes=-5', 'bytes=5-10', 'bytes=0-0', 'bytes=0-,5-', 'bytes=5-,9-', 'bytes=x-', 'bytes=1e3-', 'bytes=+5-', 'items=5-', 'bytes=9007199254740993-', 'bytes=18446744073709551616-', 'bytes=', '5-'])('Range "%s" is refused', async (range) => {
        const { status } = await put('range.bin', BODY, { Range: range })
        expect(status).toBeGreaterThanOrEqual(400)
        expect(inside().filter((name) => !name.endsWith('.partial'))).toEqual([])
      })

      test('an offset past the end is refused, and what is there stays', async () => {
        const socket = await begin('gap.bin', BODY.length, BODY.subarray(0, 30_000))
        await waitFor('some of it', () => sizeOf(partialOf('gap.bin')) >= 0, { withinMs: 30_000 })
        socket.destroy()
        await waitPartial('gap.bin', 30_000)
        for (const offset of [30_001, 1_000_000, 9_007_199_254_740_991]) expect((await put('gap.bin', BODY, { Range: `bytes=${offset}-` })).status).toBeGreaterThanOrEqual(400)
        expect(inside()).toEqual([`gap.bin.${sender}.partial`])
        expect(sizeOf(partialOf('gap.bin'))).toBe(30_000)
        // From a good offset on it goes on; what was behind the offset is written anew.
        expect((await put('gap.bin', BODY.subarray(20_000), { Range: 'bytes=20000-' })).status).toBe(200)
        expect(contentsInside()).toEqual([sha256(BODY)])
      })

      test('a body that ends too early stays partial, and its hashes are told to its sender alone', async () => {
        const socket = await begin('short.bin', BODY.length, BODY.subarray(0, 66_000))
        await waitFor('some of it', () => sizeOf(partialOf('short.bin')) >= 0, { withinMs: 30_000 })
        socket.destroy()
        await waitPartial('short.bin', 66_000)
        const list = await raw('GET /v0/put/ HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n')
        expect(JSON.parse(list.body)).toEqual([`short.bin.${sender}.partial`])
        const hashes = await raw('GET /v0/put/short.bin HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n')
        expect(hashes.body.trim().split('\n').map((line) => JSON.parse(line) as unknown)).toEqual([
          { checksum: sha256(BODY.subarray(0, 65_536)), algo: 'sha256', size: 65_536 }, { checksum: sha256(BODY.subarray(65_536, 66_000)), algo: 'sha256', size: 464 },
        ])
        const foreign = await raw('GET /v0/put/short.bin HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n', stranger)
        expect(foreign.status).toBe(403)
      })

      const chunked = (trailer: string, ...parts: Uint8Array[]): Buffer => Buffer.concat([
        ...parts.flatMap((part) => [Buffer.from(`${part.length.toString(16)}\r\n`), part, Buffer.from('\r\n')]), Buffer.from(`0\r\n${trailer}\r\n`),
      ])
      const batch = 'ab'.repeat(16)
      const bowline = (escaped: string, size: string, body: Uint8Array): Promise<RawAnswer> =>
        raw(bytesOf(putHead(escaped, { 'Transfer-Encoding': 'chunked', Trailer: 'Bowline-SHA256', 'Bowline-Transfer': batch, 'Bowline-Size': size, Connection: 'close' }), body))

      test('a wrong hash: nothing is received, and nothing stays', async () => {
        const answer = await bowline('wrong.bin', String(BODY.length), chunked(`Bowline-SHA256: ${sha256(Buffer.from('other'))}\r\n`, BODY))
        expect([answer.status, (JSON.parse(answer.body) as { Code: string }).Code]).toEqual([422, 'wrong-hash'])
        expect(inside()).toEqual([])
      })

      test('a right hash is received and told back', async () => {
        const answer = await bowline('right.bin', String(BODY.length), chunked(`Bowline-SHA256: ${sha256(BODY)}\r\n`, BODY))
        expect([answer.status, JSON.parse(answer.body)]).toEqual([200, { V: 1, Name: 'right.bin', Size: BODY.length, SHA256: sha256(BODY) }])
      })

      test.each(['nonsense', '', 'A'.repeat(64), '0'.repeat(63), '0'.repeat(10_000)])('a trailer that is no hash ("%s") receives nothing', async (hash) => {
        const answer = await bowline('nohash.bin', String(BODY.length), chunked(`Bowline-SHA256: ${hash}\r\n`, BODY))
        expect(answer.status === 0 || answer.status >= 400, String(answer.status)).toBe(true)
        expect(inside().filter((name) => !name.endsWith('.partial'))).toEqual([])
      })

      test.each([['too small', BODY.length - 1], ['too large', BODY.length + 1], ['much too large', 9_007_199_254_740_991]])('a size that is %s is not believed', async (_what, size) => {
        const answer = await bowline('lie.bin', String(size), chunked(`Bowline-SHA256: ${sha256(BODY)}\r\n`, BODY))
        expect(answer.status).toBeGreaterThanOrEqual(400)
        expect(inside().filter((name) => !name.endsWith('.partial'))).toEqual([])
      })

      test.each(['-1', '1e3', '0x10', 'many', '99999999999999999999'])('a size of "%s" is refused', async (size) => {
        const { status } = await bowline('odd.bin', size, chunked(`Bowline-SHA256: ${sha256(BODY)}\r\n`, BODY))
        expect(status).toBeGreaterThanOrEqual(400)
        expect(inside().filter((name) => !name.endsWith('.partial'))).toEqual([])
      })

      test('more bytes than were announced are another request, and nonsense', async () => {
        const answer = await raw(bytesOf(putHead('exact.bin', { 'Content-Length': 10 }), BODY))
        // The nonsense may be answered before the file is.
        expect([200, 400]).toContain(answer.status)
        await waitFor('the file to be done with', () => inside().every((name) => !name.endsWith('.partial')), { withinMs: 30_000 })
        if (inside().length > 0) expect(contentsInside()).toEqual([sha256(BODY.subarray(0, 10))])
      })
    })

    describe('senders', () => {
      test('one that stops holds up nobody but itself', async () => {
        const socket = await begin('stuck.bin', 1_000_000, BODY)
        await waitFor('some of it', () => sizeOf(partialOf('stuck.bin')) >= 0, { withinMs: 30_000 })
        expect((await put('stuck.bin')).status).toBe(409)
        await expectServing()
        socket.destroy()
        await waitFor('the place to be free again', async () => (await put('stuck.bin')).status === 200, { withinMs: 30_000, everyMs: 200 })
        expect(contentsInside()).toEqual([sha256(BODY)])
      })

      test('one of another owner sends nothing, reads nothing and learns nothing', async () => {
        const socket = await begin('mine.bin', BODY.length, BODY.subarray(0, 1000))
        await waitFor('some of it', () => sizeOf(partialOf('mine.bin')) >= 0, { withinMs: 30_000 })
        for (const request of [
          bytesOf(putHead('theirs.bin', { 'Content-Length': BODY.length, Connection: 'close' }), BODY),
          'GET /v0/put/ HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n',
          'GET /v0/put/mine.bin HTTP/1.1\r\nHost: peer\r\nConnection: close\r\n\r\n',
          `POST /v0/bowline/offer?wait=1 HTTP/1.1\r\nHost: peer\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}`,
        ]) expect((await raw(request, stranger)).status).toBe(403)
        expect(inside()).toEqual([`mine.bin.${sender}.partial`])
        socket.destroy()
      })

      test.each(['POST', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'MOVE'])('%s is not a way to change anything', async (method) => {
        writeFileSync(join(inbox, 'kept.txt'), 'kept')
        const { status } = await raw(`${method} /v0/put/kept.txt HTTP/1.1\r\nHost: peer\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
        expect(status).toBeGreaterThanOrEqual(400)
        expect(snapshot(inbox)).toEqual([`file kept.txt ${sha256(Buffer.from('kept'))}`])
      })

      test('a thousand at once get an answer or an end, and memory stays bounded', async () => {
        const rssBefore = usageOf(ours.pid).peakRssMb
        const one = async (i: number): Promise<number> => {
          try {
            return (await put(`many-${i}.bin`)).status
          } catch {
            return 0
          }
        }
        const statuses = await Promise.all(Array.from({ length: 1000 }, (_, i) => one(i)))
        const done = statuses.filter((status) => status === 200).length
        expect(done).toBeGreaterThan(50)
        await waitFor('all that was begun to be over', () => inside().filter((name) => !name.endsWith('.partial')).length >= done, { withinMs: 30_000 })
        for (const name of inside().filter((each) => !each.endsWith('.partial'))) expect(sha256(readFileSync(join(inbox, name)))).toBe(sha256(BODY))
        // Each connection may hold a megabyte on its way, and 64 of one device are open at once.
        expect(usageOf(ours.pid).peakRssMb - rssBefore).toBeLessThan(250)
        await waitFor('the device to be served again', async () => (await put('after.txt', Buffer.from('x'))).status === 200, { withinMs: 30_000, everyMs: 200 })
      })

      test('one that is thrown out of the network in the middle does not get its file in', async () => {
        const thrown = await lab().join('tailscaled', 'thrown')
        await Promise.all([thrown.waitUsable(ours), waitTarget(thrown, ours)])
        const socket = await dialVia(thrown.via(), host, port, 30_000)
        socket.on('error', () => {})
        socket.write(bytesOf(putHead('thrown.bin', { 'Content-Length': BODY.length }), BODY.subarray(0, 60_000)))
        await waitFor('some of it', () => inside().some((name) => name.endsWith('.partial')), { withinMs: 30_000 })
        await lab().headscale.remove((await lab().headscale.node('thrown')).id)
        await waitFor('us to know', async () => (await ours.peer('thrown')) === undefined, { withinMs: 30_000 })
        socket.end(BODY.subarray(60_000))
        await expectServing()
        expect(inside().filter((name) => !name.endsWith('.partial'))).toEqual([])
        socket.destroy()
      })
    })

    describe('the folder', () => {
      test('that is gone takes nothing, says so, and is made by nobody elsewhere; once it is back, it receives', async () => {
        renameSync(inbox, join(tree, 'away'))
        rmSync(join(tree, 'away'), { recursive: true })
        rmSync(tree, { recursive: true })
        const answer = await put('nowhere.txt')
        expect(answer.status).toBeGreaterThanOrEqual(500)
        expect(lstatSync(tree, { throwIfNoEntry: false })).toBeUndefined()
        mkdirSync(join(tree, 'beside'), { recursive: true })
        for (const path of ['escape', 'secret.txt', 'beside/victim.txt']) writeFileSync(join(tree, path), `not to be touched: ${path}`)
        mkdirSync(inbox, { recursive: true })
        await expectServing()
      })

      test('that vanishes while something comes ends that with an error, and nothing is written where it was', async () => {
        const socket = await begin('gone.bin', BODY.length, BODY.subarray(0, 60_000))
        await waitFor('some of it', () => sizeOf(partialOf('gone.bin')) >= 0, { withinMs: 30_000 })
        rmSync(inbox, { recursive: true })
        const answer = await exchange(socket, BODY.subarray(60_000))
        socket.destroy()
        expect(answer.status === 0 || answer.status >= 500, String(answer.status)).toBe(true)
        mkdirSync(inbox, { recursive: true })
        await expectServing()
        expect(inside()).toEqual([])
      })
    })

    test.skipIf(missingBrowser() !== undefined)('a page in a browser whose system is in the network puts nothing here', async () => {
      const page = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'))
      page.listen(0, '127.0.0.1')
      await once(page, 'listening')
      const browser = await launchChromium()
      try {
        const context = await browser.newContext({ proxy: { server: `socks5://127.0.0.1:${asker.socksPort}`, bypass: '127.0.0.1' } })
        const tab = await context.newPage()
        const asked = async (url: string): Promise<Record<string, string>> => tab.evaluate(async (target) => {
          const tries: Record<string, () => Promise<unknown>> = {
            put: async () => (await fetch(`${target}v0/put/page.txt`, { method: 'PUT', body: 'x' })).text(),
            blind: async () => (await fetch(`${target}v0/put/page.txt`, { method: 'PUT', body: 'x', mode: 'no-cors', referrerPolicy: 'no-referrer' })).text(),
            post: async () => (await fetch(`${target}v0/put/page.txt`, { method: 'POST', body: 'x', mode: 'no-cors', referrerPolicy: 'no-referrer' })).text(),
            offer: async () => (await fetch(`${target}v0/bowline/offer?wait=1`, { method: 'POST', body: '{}', mode: 'no-cors', referrerPolicy: 'no-referrer' })).text(),
            list: async () => (await fetch(`${target}v0/put/`, { referrerPolicy: 'no-referrer' })).text(),
            beacon: async () => (navigator.sendBeacon(`${target}v0/put/page.txt`, 'x') ? '' : 'failed'),
            form: () => new Promise((resolve) => {
              const frame = Object.assign(document.createElement('iframe'), { name: 'f' })
              const form = Object.assign(document.createElement('form'), { method: 'POST', action: `${target}v0/put/page.txt`, target: 'f', enctype: 'text/plain' })
              form.append(Object.assign(document.createElement('input'), { name: 'a', value: 'b' }))
              document.body.append(frame, form)
              frame.onload = () => resolve(frame.contentDocument?.body?.textContent ?? '')
              form.submit()
              setTimeout(() => resolve(''), 3000)
            }),
          }
          const out: Record<string, string> = {}
          for (const [name, attempt] of Object.entries(tries)) out[name] = String(await attempt().catch(() => 'failed'))
          return out
        }, url)
        // The way there works: a person who opens the address is greeted.
        expect((await tab.goto(`http://${host}:${port}/`))?.status()).toBe(200)
        await tab.goto(`http://127.0.0.1:${(page.address() as AddressInfo).port}/`)
        for (const [name, text] of Object.entries(await asked(`http://${host}:${port}/`))) expect(['', 'failed'], `${name}: ${text}`).toContain(text)
        // A page that we served ourselves, and one behind a name that leads to our address.
        await tab.goto(`http://${host}:${port}/`)
        for (const [name, text] of Object.entries(await asked('/'))) expect(text, name).not.toContain('{}')
        await tab.goto(`http://ours.lab.internal:${port}/`)
        for (const [name, text] of Object.entries(await asked('/'))) expect(text, name).not.toContain('{}')
        expect(inside()).toEqual([])
      } finally {
        await browser.close()
        page.close()
      }
    })
  },
)
