/**
 * LocalAPI's file-put, over the real courier, to a device that keeps what it gets.
 */
import { once } from 'node:events'
import { createServer, request as httpRequest } from 'node:http'
import type { ClientRequest, IncomingMessage, Server, ServerResponse } from 'node:http'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { OutgoingBook, SendEnd, SendStep } from '../../../main/engine/features/taildrop/ports.ts'
import { FilePut } from '../../../main/engine/features/taildrop/send/file-put.ts'
import { filePut } from '../../../main/engine/server/file-put.ts'
import type { Call } from '../../../main/engine/server/handlers.ts'
import { send } from '../../../main/engine/server/reply.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { waitFor } from '../../support/wait.ts'
import { Device, makeRig, noise } from '../features/taildrop/send/rig.ts'
import type { Rig } from '../features/taildrop/send/rig.ts'

const PATIENCE = { withinMs: 30_000 }
let folder: string
let device: Device
let rig: Rig
let server: Server
let targets: readonly string[] = []
const rows: { what: Parameters<OutgoingBook['begin']>[0]; cancel: () => void; steps: SendStep[]; end?: SendEnd }[] = []

async function start(make: 'stock' | 'bowline', made = new Device(make)): Promise<void> {
  device = made
  rig = await makeRig(device.serve)
  const book: OutgoingBook = {
    begin(what, cancel) {
      const row: (typeof rows)[number] = { what, cancel, steps: [] }
      rows.push(row)
      return { step: (step) => void row.steps.push(step), end: (end) => void (row.end = end) }
    },
  }
  const puts = new FilePut({ env: rig.env, courier: rig.courier, book })
  const taildrop = { filePut: puts, targets: { stock: () => targets.map((StableID) => ({ node: { StableID } })) } }
  server = createServer((request, response) => {
    request.on('error', () => {})
    const call = { taildrop, request, response, rest: request.url!.slice('/file-put/'.length) } as unknown as Call
    void filePut(call).then((reply) => {
      if (!request.complete) response.setHeader('Connection', 'close')
      send(response, reply, false)
    })
  })
  server.listen(join(folder, 'api'))
  await once(server, 'listening')
}

beforeEach(() => {
  folder = makeTempDir('file-put')
  targets = ['n2']
  rows.length = 0
})
afterEach(async () => {
  await rig.stop()
  server.closeAllConnections()
  server.close()
  removeTempDir(folder)
})

const open = (method: string, path: string, headers: Record<string, string | number> = {}): ClientRequest =>
  httpRequest({ socketPath: join(folder, 'api'), method, path: `/file-put/${path}`, headers }).on('error', () => {})

async function answerOf(call: ClientRequest): Promise<{ status: number; text: string }> {
  const [response] = (await once(call, 'response')) as [IncomingMessage]
  let text = ''
  for await (const part of response.setEncoding('utf8')) text += part
  return { status: response.statusCode!, text }
}

function put(path: string, body: Uint8Array, headers: Record<string, string | number> = { 'content-length': body.length }): Promise<{ status: number; text: string }> {
  const call = open('PUT', path, headers)
  const answer = answerOf(call)
  call.end(body)
  return answer
}

function form(...parts: readonly (readonly [type: string, name: string | undefined, body: string | Uint8Array])[]): Promise<{ status: number; text: string }> {
  const pieces = parts.flatMap(([type, name, body]) => [
    Buffer.from(`--X\r\nContent-Disposition: form-data; name="f"${name === undefined ? '' : `; filename="${name}"`}\r\nContent-Type: ${type}\r\n\r\n`), Buffer.from(body), Buffer.from('\r\n'),
  ])
  const call = open('POST', 'n2', { 'content-type': 'multipart/form-data; boundary=X' })
  const answer = answerOf(call)
  call.end(Buffer.concat([...pieces, Buffer.from('--X--\r\n')]))
  return answer
}

const JSON_TYPE = 'application/json'
const BYTES = 'application/octet-stream'

describe('file-put', () => {
  test.each(['stock', 'bowline'] as const)('brings the body to a device (%s), and is in the list of transfers and on the bus', async (make) => {
    await start(make)
    const content = noise(2_000_000)
    expect(await put('n2/a%20b%2520.bin', content)).toEqual({ status: 200, text: '{}\n' })
    expect(device.files.get('a b%20.bin')!.equals(content)).toBe(true)
    expect(rows).toMatchObject([{ what: { peer: 'n2', name: 'a b%20.bin', size: content.length }, end: { kind: 'delivered', checked: make === 'bowline' } }])
    await rig.clock.run(1_000)
    expect(rig.told.at(-1)).toMatchObject([{ ID: expect.stringMatching(/^[0-9a-f]{30}$/), PeerID: 'n2', Name: 'a b%20.bin', DeclaredSize: content.length, Sent: content.length, Finished: true, Succeeded: true }])
  })

  test('takes a body of unknown length', async () => {
    await start('stock')
    const content = noise(300_000)
    expect((await put('n2/stdin', content, {})).status).toBe(200)
    expect(device.files.get('stdin')!.equals(content)).toBe(true)
  })

  test('goes on from what the device has', async () => {
    await start('stock')
    const content = noise(1_000_000)
    device.partials.set('f', content.subarray(0, 500_000))
    expect((await put('n2/f', content)).status).toBe(200)
    expect(device.offsets).toEqual([500_000])
    expect(device.files.get('f')!.equals(content)).toBe(true)
  })

  test('names what is wrong with a request', async () => {
    await start('stock')
    expect(await put('n2', Buffer.from('x'))).toEqual({ status: 400, text: 'bogus URL\n' })
    expect(await put('n3/f', Buffer.from('x'))).toEqual({ status: 404, text: 'node not found\n' })
    for (const name of ['', '..', '%2e%2e', 'a%2fb', 'a/b', '%zz', 'x.partial']) expect(await put(`n2/${name}`, Buffer.from('x'))).toEqual({ status: 400, text: 'invalid filename\n' })
    expect(device.requests).toEqual([])
  })

  test('hands on the words of the device, and nothing that a terminal obeys', async () => {
    device = new Device('stock')
    Object.assign(device, { serve: (request: IncomingMessage, response: ServerResponse) => void response.writeHead(request.method === 'PUT' ? 403 : 404).end('no \u001b]0;x\u0007way\u202e\r\nat all\n') })
    await start('stock', device)
    expect(await put('n2/f', Buffer.from('x'))).toEqual({ status: 403, text: 'no ]0;xway\nat all\n' })
  })

  test('hands on what the device says', async () => {
    await start('bowline')
    device.offers.splice(0, 1, 'refused')
    expect(await put('n2/f', noise(9_000_000))).toEqual({ status: 403, text: 'the device refuses files from this one\n' })
  })

  test('says that the device is away', async () => {
    await start('stock')
    rig.refuseDial = new Error('timed-out')
    expect(await put('n2/f', noise(9_000_000))).toEqual({ status: 502, text: 'the device does not answer\n' })
  })

  test('ends when its caller goes away, and leaves the part at the device', async () => {
    await start('stock')
    const call = open('PUT', 'n2/f', { 'content-length': 9_000_000 })
    call.write(noise(500_000))
    await waitFor('the device to be given something', () => device.offsets.length === 1, PATIENCE)
    call.destroy()
    await waitFor('the end', () => rows[0]?.end, PATIENCE)
    expect(rows[0]!.end).toEqual({ kind: 'aborted' })
    await waitFor('the part', () => device.partials.has('f'), PATIENCE)
    expect(device.files.size).toBe(0)
  })

  test('ends when a person cancels it', async () => {
    await start('stock')
    const call = open('PUT', 'n2/f', { 'content-length': 9_000_000 })
    const answer = answerOf(call)
    call.write(noise(500_000))
    await waitFor('the device to be given something', () => device.offsets.length === 1, PATIENCE)
    rows[0]!.cancel()
    expect(await answer).toEqual({ status: 500, text: 'the transfer was canceled\n' })
  })

  test('waits ten minutes for the person at the device', async () => {
    await start('bowline')
    device.offers.splice(0, 1, 'asking')
    let answer: { status: number; text: string } | undefined
    void put('n2/f', Buffer.from('abc')).then((one) => (answer = one))
    await waitFor('the answer', async () => {
      await rig.clock.run(1_000)
      return answer
    }, { ...PATIENCE, everyMs: 1 })
    expect(answer).toEqual({ status: 403, text: 'nobody at the device answered whether the file may come in\n' })
    expect(rig.clock.nowMs()).toBeGreaterThanOrEqual(600_000)
  })
})

describe('file-put as a form', () => {
  const list = (files: readonly { ID?: string; Name: string; DeclaredSize?: number }[]): readonly [string, undefined, string] => [JSON_TYPE, undefined, JSON.stringify(files)]

  test('brings one file after the other, as its list says', async () => {
    await start('stock')
    const [a, b] = [noise(700_000, 1), noise(300_000, 2)]
    const files = [{ ID: 'one', Name: 'a%20a', DeclaredSize: a.length }, { Name: 'b' }]
    expect((await form(list(files), [BYTES, 'a%20a', a], ['text/plain', 'b', b])).status).toBe(200)
    expect(device.files.get('a a')!.equals(a)).toBe(true)
    expect(device.files.get('b')!.equals(b)).toBe(true)
    await rig.clock.run(1_000)
    expect(rig.told.at(-1)!.map(({ ID }) => ID)[0]).toBe('one')
  })

  test('takes a thousand small files', async () => {
    await start('stock')
    const names = Array.from({ length: 1_000 }, (_, i) => `f${i}`)
    expect((await form(list(names.map((Name) => ({ Name, DeclaredSize: 5 }))), ...names.map((name) => [BYTES, name, 'hello'] as const))).status).toBe(200)
    expect(device.files.size).toBe(1_000)
  })

  test('ends at the first that fails', async () => {
    await start('stock')
    const files = ['a', 'b'].map((Name) => ({ Name, DeclaredSize: 3 }))
    expect((await form(list(files), [BYTES, 'a', 'abc'], [BYTES, 'c', 'xyz'], [BYTES, 'b', 'abc'])).status).toBe(400)
    expect([...device.files.keys()]).toEqual(['a'])
  })

  test.each([
    ['without a list', [[BYTES, 'a', 'abc']], 'first MIME part must be a JSON map of filename -> size\n'],
    ['with a list that is none', [[JSON_TYPE, undefined, '{"a":1}']], 'invalid manifest\n'],
    ['with a list that is no JSON', [[JSON_TYPE, undefined, 'x']], 'invalid manifest\n'],
  ] as const)('%s is refused', async (_, parts, text) => {
    await start('stock')
    expect(await form(...parts)).toEqual({ status: 400, text })
  })

  test('that ends in the middle of a file does not have that file delivered', async () => {
    await start('stock')
    const call = open('POST', 'n2', { 'content-type': 'multipart/form-data; boundary=X' })
    const answer = answerOf(call)
    call.end(`--X\r\nContent-Disposition: form-data; name="l"\r\nContent-Type: application/json\r\n\r\n[{"Name":"a"}]\r\n--X\r\nContent-Disposition: form-data; name="f"; filename="a"\r\n\r\n${'half '.repeat(50_000)}`)
    expect((await answer).status).toBeGreaterThanOrEqual(400)
    expect(device.files.size).toBe(0)
    expect(rows[0]!.end!.kind).not.toBe('delivered')
  })

  test.each(['multipart/form-data', 'multipart/form-data; boundary=', 'text/plain', ''])('of type %j is refused', async (type) => {
    await start('stock')
    const call = open('POST', 'n2', type === '' ? {} : { 'content-type': type })
    const answer = answerOf(call)
    call.end('abc')
    expect((await answer).status).toBe(400)
  })
})
