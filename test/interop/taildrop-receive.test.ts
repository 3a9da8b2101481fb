/**
 * Files that a device of the network sends to our PeerAPI, beside the same sent to a tailscaled: the same answers, byte for byte.
 */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TransfersPage } from '../../main/localapi/transfers.ts'
import { launchChromium, missingBrowser } from '../e2e/browser.ts'
import { dialVia } from '../support/proxy-client.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

const PATIENCE = { withinMs: 60_000 }
let ours: LabNode
let real: LabNode
/** Another engine of ours. */
let friend: LabNode
/** Sends to the others. */
let asker: LabNode
const ports = new Map<LabNode, number>()

async function peerApiPort(name: string): Promise<number> {
  return await waitFor(`the PeerAPI of ${name}`, async () => {
    const urls = (await asker.peer(name))?.PeerAPIURL ?? []
    return urls.length === 2 ? Number(new URL(urls[0]!).port) : undefined
  }, PATIENCE)
}

async function connect(node: LabNode, family: 'v4' | 'v6' = 'v4'): Promise<Socket> {
  const socket = await dialVia(asker.via(), (await node.ips())[family], ports.get(node)!)
  return socket.on('error', () => {})
}

interface Reply {
  readonly status: number
  readonly type: string | undefined
  readonly body: string
}

/** One request over a connection of its own, and one whole answer. */
async function ask(node: LabNode, request: string, family: 'v4' | 'v6' = 'v4'): Promise<Reply> {
  const socket = await connect(node, family)
  const answer = readAnswer(socket, request.startsWith('HEAD'))
  socket.write(Buffer.from(request.replace(' HTTP/1.1\r\n', ' HTTP/1.1\r\nHost: peer\r\n'), 'latin1'))
  try {
    return await answer
  } finally {
    socket.destroy()
  }
}

function readAnswer(socket: Socket, isHead = false): Promise<Reply> {
  return new Promise((resolve, reject) => {
    let got = Buffer.alloc(0)
    const look = (isOver: boolean): void => {
      const at = got.indexOf('\r\n\r\n')
      if (at < 0) return isOver ? reject(new Error(`no answer: ${JSON.stringify(got.toString())}`)) : undefined
      const head = got.subarray(0, at).toString('latin1')
      const rest = got.subarray(at + 4).toString()
      const length = /^content-length: (\d+)/im.exec(head)?.[1]
      const isChunked = /^transfer-encoding: chunked/im.test(head)
      if (!isOver && !isHead && (isChunked ? !rest.endsWith('0\r\n\r\n') : length === undefined || Buffer.byteLength(rest) < Number(length))) return
      const body = isChunked ? rest.split('\r\n').filter((_, i) => i % 2 === 1).join('') : rest
      resolve({ status: Number(head.split(' ')[1]), type: /^content-type: ([^\r]*)/im.exec(head)?.[1], body })
    }
    socket.on('data', (bytes) => {
      got = Buffer.concat([got, bytes])
      look(false)
    })
    socket.once('close', () => look(true))
    socket.resume()
  })
}

const put = (name: string, body: string, ...headers: string[]): string => [`PUT /v0/put/${name} HTTP/1.1`, `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n')
const get = (path: string, method = 'GET'): string => `${method} /v0/put/${path} HTTP/1.1\r\n\r\n`
const both = async (request: string): Promise<[Reply, Reply]> => (await Promise.all([ask(ours, request), ask(real, request)])) as [Reply, Reply]

/** What waits, as LocalAPI lists it. */
async function waiting(node: LabNode): Promise<Record<string, number>> {
  const files = JSON.parse((await node.api.call('GET', 'files/')).text) as { Name: string; Size: number }[] | null
  return Object.fromEntries((files ?? []).map(({ Name, Size }) => [Name, Size]))
}

/** Sends the beginning of a file to both and goes when it is there. */
async function cutBoth(name: string, length: number, sent: string): Promise<void> {
  await Promise.all([ours, real].map(async (node) => {
    const socket = await connect(node)
    socket.resume()
    socket.write(`PUT /v0/put/${name} HTTP/1.1\r\nHost: peer\r\nContent-Length: ${length}\r\n\r\n${sent}`)
    await waitFor('the beginning to be there', async () => (await ask(node, get(''))).body.includes(`"${name}.`), PATIENCE)
    socket.end()
    await waitFor('all that was sent to be there', async () => {
      const { body } = await ask(node, get(name))
      return body.split('\n').filter((line) => line !== '').reduce((all, line) => all + (JSON.parse(line) as { size: number }).size, 0) === sent.length
    }, PATIENCE)
  }))
}

labSuite(
  'Taildrop: receiving',
  {},
  async (lab) => {
    ;[ours, real, asker, friend] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real'), lab.join('tailscaled', 'asker'), lab.join('bowline', 'friend')])
    await Promise.all([asker.waitUsable(ours), asker.waitUsable(real), friend.waitUsable(ours)])
    for (const node of [ours, real]) ports.set(node, await peerApiPort(node.name))
  },
  () => {
    // The order matters: each builds on what the ones before it left.
    const requests: [string, string][] = [
      ['names of nothing', get('')],
      ['hashes of nothing', get('none.txt')],
      ['a file', put('a.txt', 'hello')],
      ['the same file again', put('a.txt', 'hello')],
      ['another file of its name', put('a.txt', 'other')],
      ['a third', put('a.txt', 'third')],
      ['one with two endings', put('b.tar.gz', 'one')],
      ['another with two endings', put('b.tar.gz', 'two')],
      ['no name', put('', 'x')],
      ['a name that leads up', put('..%2fx', 'x')],
      ['one that leads up by backslash', put('..%5cx', 'x')],
      ['one that leads up unescaped', put('../put/x', 'x')],
      ['a path', put('a/b', 'x')],
      ['bytes that are no text', put('%ff', 'x')],
      ['overlong bytes', put('%c0%ae%c0%ae', 'x')],
      ['a zero byte', put('a%00b', 'x')],
      ['a control character', put('a%1bb', 'x')],
      ['a direction character', put('%e2%80%aegpj.exe', 'x')],
      ['joined signs', put(encodeURIComponent('👨‍👩‍👧.txt'), 'x')],
      ['an outer space', put('%20a', 'x')],
      ['a stream of NTFS', put('a.txt:b', 'x')],
      ['a star', put('a*', 'x')],
      ['the name of something partial', put('a.partial', 'x')],
      ['the name of something deleted', put('a.deleted', 'x')],
      ['256 bytes', put('x'.repeat(256), 'x')],
      ['255 bytes, too many with what is added', put('x'.repeat(255), 'x')],
      ['umlauts', put('gr%C3%B6%C3%9Fe.txt', 'x')],
      ['umlauts taken apart', put(encodeURIComponent('größe3.txt'.normalize('NFD')), 'x')],
      ['a sign', put(encodeURIComponent('📷.jpg'), 'x')],
      ['escaped twice', put('a%252fb', 'x')],
      ['a plus', put('a+b', 'x')],
      ['a question mark', put('a%3fb', 'x')],
      ['a query', put('q.txt?x=1', 'x')],
      ['a range with an end', put('r', 'x', 'Range: bytes=1-2')],
      ['a range from the end', put('r', 'x', 'Range: bytes=-5')],
      ['two ranges', put('r', 'x', 'Range: bytes=1-,2-')],
      ['a range of nothing known', put('r', 'x', 'Range: x')],
      ['a range from the start', put('r0', 'x', 'Range: bytes=0-')],
      ['a range with commas and spaces', put('r1', 'x', 'Range:  bytes= ,0- ')],
      ['an offset past the end', put('rp', 'x', 'Range: bytes=7-')],
      ['chunks', 'PUT /v0/put/ch HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n'],
      ['no length', 'PUT /v0/put/nl HTTP/1.1\r\n\r\n'],
      ['hashes of a bad name', get('..%2fx')],
      ['POST', 'POST /v0/put/p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc'],
      ['PATCH', 'PATCH /v0/put/p HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc'],
      ['DELETE', get('p', 'DELETE')],
      ['OPTIONS', get('p', 'OPTIONS')],
      ['HEAD', get('p', 'HEAD')],
      ['HEAD of names', get('', 'HEAD')],
      ['the path without its end', 'PUT /v0/put HTTP/1.1\r\nContent-Length: 1\r\n\r\nx'],
      ['the request of a web page', put('o', 'x', 'Origin: http://evil.example')],
      ['the request of a link', put('o', 'x', 'Referer: http://evil.example/')],
    ]

    test('every request gets the answer that a tailscaled gives, and leaves the same files', async () => {
      for (const [name, request] of requests) {
        const [answer, theirs] = await both(request)
        // Of an empty answer a tailscaled says no type.
        expect({ name, ...answer, ...(theirs.type === undefined ? { type: undefined } : {}) }).toEqual({ name, ...theirs })
      }
      const theirs = await waiting(real)
      expect(await waiting(ours)).toEqual(theirs)
      expect(Object.keys(theirs)).toContain('a (2).txt')
    })

    test('what lay on no disk of every system is refused, which a tailscaled on Linux takes', async () => {
      for (const name of ['con', 'NUL.txt', 'aux.c', 'com1', 'a.', 'LPT1']) {
        expect(await ask(ours, put(name, 'x'))).toMatchObject({ status: 400, body: 'invalid filename\n' })
      }
    })

    test('what broke off is told by names and hashes as a tailscaled tells it, and goes on', async () => {
      const text = Array.from({ length: 30_000 }, (_, i) => `line ${i}\n`).join('')
      await cutBoth('cut.txt', text.length, text.slice(0, 200_000))
      for (const request of [get(''), get('cut.txt')]) {
        const [answer, theirs] = await both(request)
        // Of a try past the end a tailscaled keeps an empty file.
        expect(answer).toEqual({ ...theirs, body: theirs.body.replace(/,"rp\.\d+\.partial"/, '') })
      }
      for (const [offset, from] of [[250_000, 250_000], [131_072, 131_072]] as const) {
        const [answer, theirs] = await both(put('cut.txt', text.slice(from), `Range: bytes=${offset}-`))
        expect(answer).toEqual(theirs)
      }
      for (const node of [ours, real]) {
        const got = await node.api.call('GET', 'files/cut.txt')
        expect(got.text === text, node.name).toBe(true)
      }
    })

    test('the same file twice at once is refused the second time, as a tailscaled does', async () => {
      const held = await Promise.all([ours, real].map(async (node) => {
        const socket = await connect(node)
        socket.resume()
        socket.write('PUT /v0/put/busy HTTP/1.1\r\nHost: peer\r\nContent-Length: 4\r\n\r\nxx')
        await waitFor('it to begin', async () => (await ask(node, get(''))).body.includes('"busy.'), PATIENCE)
        return socket
      }))
      const [answer, theirs] = await both(put('busy', 'yyyy'))
      expect(answer).toEqual(theirs)
      expect(answer.status).toBe(409)
      const ends = held.map((socket) => readAnswer(socket))
      for (const socket of held) socket.write('xx')
      expect((await Promise.all(ends)).map(({ status }) => status)).toEqual([200, 200])
    })

    test('at our IPv6 address it is the same', async () => {
      expect(await ask(ours, put('six.txt', 'hello'), 'v6')).toMatchObject({ status: 200, body: '{}\n' })
      expect((await waiting(ours))['six.txt']).toBe(5)
    })

    test('a thousand files at once all come in', async () => {
      const before = Object.keys(await waiting(ours)).length
      const statuses: number[] = []
      for (let run = 0; run < 5; run++) {
        statuses.push(...await Promise.all(Array.from({ length: 200 }, async (_, i) => (await ask(ours, put(`many-${run}-${i}`, `${run}-${i}`, 'Connection: close'))).status)))
      }
      expect(statuses.filter((status) => status !== 200)).toEqual([])
      expect(Object.keys(await waiting(ours)).length).toBe(before + 1_000)
    })

    test.skipIf(missingBrowser() !== undefined)('a page in a browser whose system is in the network can neither bring nor read a file', async () => {
      const { v4 } = await ours.ips()
      const before = await waiting(ours)
      const page = createServer((_request, response) => response.setHeader('content-type', 'text/html').end('<!doctype html><title>evil</title>'))
      page.listen(0, '127.0.0.1')
      await once(page, 'listening')
      const browser = await launchChromium()
      try {
        const context = await browser.newContext({ proxy: { server: `socks5://127.0.0.1:${asker.socksPort}`, bypass: '127.0.0.1' } })
        const tab = await context.newPage()
        const base = `http://${v4}:${ports.get(ours)!}/`
        expect((await tab.goto(base))?.status()).toBe(200)
        await tab.goto(`http://127.0.0.1:${(page.address() as AddressInfo).port}/`)
        const got = await tab.evaluate(async (url) => {
          const out: string[] = []
          const body = JSON.stringify({ V: 1, Batch: '0'.repeat(32), Items: [{ Name: 'evil', Size: 1, Folder: false, Files: 1 }] })
          const options: [string, RequestInit][] = [
            ['v0/put/evil', { method: 'PUT', body: 'x' }], ['v0/put/evil', { method: 'POST', body: 'x' }], ['v0/put/', {}], ['v0/put/a.txt', {}],
            ['v0/put/evil', { method: 'POST', body: 'x', mode: 'no-cors', referrerPolicy: 'no-referrer' }], ['v0/put/', { mode: 'no-cors', referrerPolicy: 'no-referrer' }],
            ['v0/bowline/offer', { method: 'POST', body, mode: 'no-cors', referrerPolicy: 'no-referrer', credentials: 'include' }],
          ]
          for (const [path, init] of options) out.push(await fetch(url + path, init).then((reply) => reply.text(), () => 'failed'))
          const form = Object.assign(document.createElement('form'), { action: `${url}v0/put/evil`, method: 'post', target: 'frame' })
          const frame = Object.assign(document.createElement('iframe'), { name: 'frame' })
          document.body.append(frame, form)
          const loaded = new Promise((resolve) => frame.addEventListener('load', resolve))
          form.submit()
          await loaded
          out.push(frame.contentDocument?.body.textContent ?? '')
          return out
        }, base)
        for (const text of got) expect(['', 'failed']).toContain(text)
        expect(await waiting(ours)).toEqual(before)
        expect((await tab.goto(`http://ours.lab.internal:${ports.get(ours)!}/v0/put/`))?.status()).toBe(403)
      } finally {
        await browser.close()
        page.close()
      }
    })

    test('the official command brings files to us, and a person here is asked when that is the rule', async () => {
      const { v4 } = await ours.ips()
      const setRule = async (Own: string): Promise<unknown> => expect((await ours.api.call('PATCH', 'bowline/extras', JSON.stringify({ Taildrop: { Own } }))).status).toBe(200)
      const asks = async (): Promise<{ Batch: string }[]> => (JSON.parse((await ours.api.call('GET', 'bowline/transfers')).text) as { Asks: { Batch: string }[] }).Asks
      const send = async (name: string): ReturnType<LabNode['tailscale']> => await asker.tailscale('file', 'cp', `--name=${name}`, '/etc/hostname', `${v4}:`)
      await setRule('ask')
      const sent = send('asked.txt')
      const ask = await waitFor('a person to be asked', async () => (await asks())[0], PATIENCE)
      expect(ask).toMatchObject({ Held: true, Count: 1, Items: [{ Name: 'asked.txt' }], PeerName: 'asker' })
      expect((await ours.api.call('POST', 'bowline/transfers', JSON.stringify({ Do: 'accept', Batch: ask.Batch }))).status).toBe(200)
      expect((await sent).code).toBe(0)
      expect((await waiting(ours))['asked.txt']).toBeGreaterThan(0)
      expect(await asks()).toEqual([])
      await setRule('refuse')
      const refused = await send('refused.txt')
      expect(refused.code).not.toBe(0)
      expect(refused.stderr).toContain('files from that device are refused here')
      expect(Object.keys(await waiting(ours))).not.toContain('refused.txt')
      await setRule('accept')
    })

    test('another Bowline asks once for all that it brings, a file and a folder, hears the answer, and both are checked', async () => {
      const folder = makeTempDir('receive')
      const page = async (node: LabNode): Promise<TransfersPage> => JSON.parse((await node.api.call('GET', 'bowline/transfers')).text) as TransfersPage
      const act = async (node: LabNode, action: object): Promise<void> => expect((await node.api.call('POST', 'bowline/transfers', JSON.stringify(action))).status).toBe(200)
      const rules = async (Taildrop: object): Promise<void> => expect((await ours.api.call('PATCH', 'bowline/extras', JSON.stringify({ Taildrop }))).status).toBe(200)
      const rows = (of: TransfersPage): object => of.Rows.filter(({ Name }) => ['one.bin', 'many'].includes(Name)).map(({ Name, State, Checked, Why }) => [Name, State, Checked, Why?.Code]).toSorted((a, b) => (String(a) < String(b) ? 1 : -1))
      try {
        const [source, inbox] = [join(folder, 'source'), join(folder, 'inbox')]
        for (const path of [join(source, 'many/below/empty'), inbox]) mkdirSync(path, { recursive: true })
        const bytes = randomBytes(700_000)
        writeFileSync(join(source, 'one.bin'), bytes)
        for (const name of ['many/a', 'many/below/b']) writeFileSync(join(source, name), name)
        await rules({ Folder: inbox, Own: 'ask' })
        const id = (await friend.peer('ours'))!.ID
        const send = (): Promise<void> => act(friend, { Do: 'send', Peer: id, Items: [{ Path: join(source, 'one.bin') }, { Path: join(source, 'many') }] })
        await send()
        const ask = await waitFor('a person to be asked', async () => (await page(ours)).Asks[0], PATIENCE)
        expect(ask).toMatchObject({ Count: 2, Held: true, PeerName: 'friend', Size: 700_000 + 'many/amany/below/b'.length, Items: [{ Name: 'one.bin', Kind: 'file' }, { Name: 'many', Kind: 'folder', Files: 2 }] })
        await waitFor('the sender to know that it waits', async () => (await page(friend)).Rows.some(({ State }) => State === 'waiting-answer'), PATIENCE)
        await act(ours, { Do: 'accept', Batch: ask.Batch })
        await waitFor('both to be delivered', async () => JSON.stringify(rows(await page(friend))) === JSON.stringify([['one.bin', 'delivered', true, undefined], ['many', 'delivered', true, undefined]]), PATIENCE)
        expect(rows(await page(ours))).toEqual([['one.bin', 'received', true, undefined], ['many', 'received', true, undefined]])
        expect(readFileSync(join(inbox, 'one.bin')).equals(bytes)).toBe(true)
        for (const name of ['many/a', 'many/below/b']) expect(readFileSync(join(inbox, name), 'utf8')).toBe(name)
        expect(readdirSync(join(inbox, 'many/below')).toSorted()).toEqual(['b', 'empty'])
        expect((await page(ours)).Asks).toEqual([])

        await rules({ Own: 'refuse' })
        await send()
        await waitFor('it to be refused', async () => (await page(friend)).Rows.filter(({ State, Why }) => State === 'stopped' && Why?.Code === 'peer-not-wanted').length === 2, PATIENCE)
        expect(readdirSync(inbox).toSorted()).toEqual(['many', 'one.bin'])
      } finally {
        await rules({ Folder: '', Own: 'accept' })
        removeTempDir(folder)
      }
    })
  },
)
