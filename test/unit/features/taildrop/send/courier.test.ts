/**
 * Bringing things to devices of both makes, good and hostile ones.
 */
import { afterEach, describe, expect, it } from 'vitest'
import type { RequestListener } from 'node:http'
import { EngineError } from '../../../../../main/engine/base/errors.ts'
import { SourceFault } from '../../../../../main/engine/core/taildrop/files.ts'
import type { Parcel, ParcelSource, SendEnd, SendStep } from '../../../../../main/engine/features/taildrop/ports.ts'
import { waitFor } from '../../../../support/wait.ts'
import { BLOCK, BytesReader, Device, makeRig, noise, parcelOf, sha256, sourceOf } from './rig.ts'
import type { Rig } from './rig.ts'

let rig: Rig
const never = new AbortController().signal
afterEach(() => rig.stop())

const PATIENCE = { withinMs: 30_000 }

async function send(parcel: Parcel, source: ParcelSource, signal: AbortSignal = never): Promise<{ end: SendEnd; steps: SendStep[] }> {
  const steps: SendStep[] = []
  return { end: await rig.courier.send(parcel, source, (step) => steps.push(step), signal), steps }
}

/** Sends while the clock is moved on. */
async function sendOver(parcel: Parcel, source: ParcelSource, stepMs = 5_000): Promise<{ end: SendEnd; passedMs: number }> {
  const beganMs = rig.clock.nowMs()
  let end: SendEnd | undefined
  void rig.courier.send(parcel, source, () => {}, never).then((one) => (end = one))
  await waitFor('the end', async () => {
    if (!end) await rig.clock.run(stepMs)
    return end
  }, { ...PATIENCE, everyMs: 1 })
  return { end: end!, passedMs: rig.clock.nowMs() - beganMs }
}

async function toDevice(make: 'stock' | 'bowline'): Promise<Device> {
  const device = new Device(make)
  rig = await makeRig(device.serve)
  return device
}

const toServer = async (serve: RequestListener): Promise<void> => void (rig = await makeRig((request, response) => {
  request.on('error', () => {})
  serve(request, response)
}))

describe('a stock device', () => {
  it('gets a file whole, and nothing is claimed to be checked', async () => {
    const device = await toDevice('stock')
    const content = noise(3_000_001)
    const { end, steps } = await send(parcelOf('a b%20ü.bin', content.length), sourceOf(content))
    expect(end).toEqual({ kind: 'delivered', checked: false })
    expect(device.files.get('a b%20ü.bin')!.equals(content)).toBe(true)
    expect(steps.at(-1)).toEqual({ kind: 'checking' })
    expect(steps.at(-2)).toEqual({ kind: 'sending', as: 'file', done: content.length, size: content.length })
    expect(rig.dialled).toEqual(['100.64.0.2 4444'])
  })

  it('gets an empty file', async () => {
    const device = await toDevice('stock')
    expect((await send(parcelOf('empty', 0), sourceOf(new Uint8Array()))).end.kind).toBe('delivered')
    expect(device.files.get('empty')!.length).toBe(0)
  })

  it('gets a folder as one archive', async () => {
    const device = await toDevice('stock')
    const opened: string[] = []
    const source: ParcelSource = { manifest: () => Promise.resolve([]), open: (as) => (opened.push(as), Promise.resolve(new BytesReader(Buffer.from('zip')))) }
    const { end, steps } = await send(parcelOf('photos', 99, { isFolder: true }), source)
    expect(end.kind).toBe('delivered')
    expect(opened).toEqual(['archive'])
    expect([...device.files.keys()]).toEqual(['photos.zip'])
    expect(steps.find((step) => step.kind === 'sending')).toMatchObject({ as: 'archive', size: 3 })
  })

  it('gets what nobody knows the length of', async () => {
    const device = await toDevice('stock')
    const content = noise(400_000)
    const source: ParcelSource = { manifest: () => Promise.resolve([]), open: () => Promise.resolve(new BytesReader(content, 7_000, -1)) }
    expect((await send(parcelOf('stdin', -1), source)).end.kind).toBe('delivered')
    expect(device.files.get('stdin')!.equals(content)).toBe(true)
  })

  it('gets a thousand small files over few connections, and is not asked for the parts of each', async () => {
    const device = await toDevice('stock')
    const names = Array.from({ length: 1_000 }, (_, i) => `file ${i}`)
    const work = names.values()
    const worker = async (): Promise<void> => {
      for (const name of work) expect((await send(parcelOf(name, 10), sourceOf(Buffer.from(name.padEnd(10).slice(0, 10))))).end.kind).toBe('delivered')
    }
    await Promise.all([worker(), worker(), worker(), worker()])
    expect(device.files.size).toBe(1_000)
    expect(rig.dialled.length).toBeLessThanOrEqual(4)
    // One offer and one list for each that began at the same time.
    expect(device.requests.length).toBeLessThanOrEqual(1_008)
  })

  it('is sent only what it has not, when it has a part', async () => {
    const device = await toDevice('stock')
    const content = noise(10 * BLOCK + 77)
    device.partials.set('f', content.subarray(0, 4 * BLOCK + 100))
    const { end, steps } = await send(parcelOf('f', content.length), sourceOf(content))
    expect(end.kind).toBe('delivered')
    expect(steps[0]).toEqual({ kind: 'comparing' })
    expect(device.offsets).toEqual([4 * BLOCK + 100])
    expect(device.files.get('f')!.equals(content)).toBe(true)
  })

  it('is sent again from the first block that differs', async () => {
    const device = await toDevice('stock')
    const content = noise(10 * BLOCK + 77)
    const wrong = Buffer.from(content)
    wrong[3 * BLOCK + 5]! ^= 1
    device.partials.set('f', wrong)
    expect((await send(parcelOf('f', content.length), sourceOf(content, 10_000))).end.kind).toBe('delivered')
    expect(device.offsets).toEqual([3 * BLOCK])
    expect(device.files.get('f')!.equals(content)).toBe(true)
  })

  it('that has more than there is gets what there is', async () => {
    const device = await toDevice('stock')
    const content = noise(2 * BLOCK + 5)
    device.partials.set('f', Buffer.concat([content, noise(3 * BLOCK, 9)]))
    expect((await send(parcelOf('f', content.length), sourceOf(content))).end.kind).toBe('delivered')
    expect(device.files.get('f')!.equals(content)).toBe(true)
  })
})

describe('a Bowline', () => {
  it('gets a file, and its hash of the whole is ours', async () => {
    const device = await toDevice('bowline')
    const content = noise(2_000_000)
    const { end } = await send(parcelOf('f', content.length), sourceOf(content))
    expect(end).toEqual({ kind: 'delivered', checked: true })
    expect(device.files.get('f')!.equals(content)).toBe(true)
    expect(device.requests).toEqual(['POST /v0/bowline/offer?wait=0', 'GET /v0/put/', 'PUT /v0/put/f'])
  })

  it('gets the hash of the whole also when it had a part', async () => {
    const device = await toDevice('bowline')
    const content = noise(5 * BLOCK)
    device.partials.set('f', content.subarray(0, 2 * BLOCK))
    expect((await send(parcelOf('f', content.length), sourceOf(content, 50_000))).end).toEqual({ kind: 'delivered', checked: true })
    expect(device.offsets).toEqual([2 * BLOCK])
  })

  it('gets a folder as a manifest and a stream', async () => {
    const device = await toDevice('bowline')
    const content = noise(300_000)
    const { end, steps } = await send(parcelOf('photos', content.length, { isFolder: true }), sourceOf(content))
    expect(end).toEqual({ kind: 'delivered', checked: true })
    const [[place, manifest]] = [...device.manifests] as [[string, unknown]]
    expect(place).toMatch(/^[0-9a-f]{32}\/0$/)
    expect(manifest).toEqual([{ path: 'a', size: 300_000, mtimeMs: 5 }])
    expect(device.requests.slice(1)).toEqual([`PUT /v0/bowline/manifest/${place}`, `GET /v0/bowline/folder/${place}`, `PUT /v0/bowline/folder/${place}`])
    expect(steps.find((step) => step.kind === 'sending')).toMatchObject({ as: 'folder' })
  })

  it('is asked once for a whole batch', async () => {
    const device = await toDevice('bowline')
    const batchItems = ['a', 'b', 'c'].map((name) => ({ id: name, name, isFolder: false, files: 1, size: 3 }))
    for (const item of batchItems) expect((await send(parcelOf(item.name, 3, { ...item, batchItems }), sourceOf(Buffer.from('abc')))).end.kind).toBe('delivered')
    expect(device.requests.filter((one) => one.includes('offer')).length).toBe(1)
  })

  it('is asked anew when a batch has other things in it than before', async () => {
    const device = await toDevice('bowline')
    for (const name of ['one', 'two']) expect((await send(parcelOf(name, 3, { isFolder: true }), sourceOf(Buffer.from('abc')))).end.kind).toBe('delivered')
    expect(device.requests.filter((one) => one.includes('offer')).length).toBe(2)
    expect(device.manifests.size).toBe(2)
  })

  it('is waited for while its person is asked, without haste', async () => {
    const device = await toDevice('bowline')
    device.offers.splice(0, 1, 'asking', 'asking', 'asking', 'accepted')
    const { end, passedMs } = await sendOver(parcelOf('f', 3), sourceOf(Buffer.from('abc')), 100)
    expect(end).toEqual({ kind: 'delivered', checked: true })
    expect(device.requests.filter((one) => one.includes('offer')).length).toBe(4)
    expect(passedMs).toBeGreaterThanOrEqual(2_000)
  })

  it('of a batch of ten thousand is asked too, and a stock device is not asked so much', async () => {
    const batchItems = Array.from({ length: 10_000 }, (_, i) => ({ id: i === 5 ? 'p1' : `i${i}`, name: `a longer name ${i}`, isFolder: false, files: 1, size: 3 }))
    for (const make of ['bowline', 'stock'] as const) {
      const device = await toDevice(make)
      expect((await send(parcelOf('a longer name 5', 3, { batchItems }), sourceOf(Buffer.from('abc')))).end).toEqual({ kind: 'delivered', checked: make === 'bowline' })
      expect(device.requests.slice(0, 2)).toEqual(['GET /v0/bowline/offer', make === 'bowline' ? 'POST /v0/bowline/offer?wait=0' : 'GET /v0/put/'])
      await rig.stop()
    }
    await toDevice('stock')
  })

  it('may refuse before anything is sent', async () => {
    const device = await toDevice('bowline')
    device.offers.splice(0, 1, 'refused')
    expect((await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))).end).toMatchObject({ kind: 'refused', why: { Code: 'peer-not-wanted' } })
    expect(device.requests.length).toBe(1)
  })

  it('whose hash is another one than ours has not got it', async () => {
    await toServer((request, response) => {
      request.resume().on('end', () => response.end(JSON.stringify(request.url!.includes('offer') ? { V: 1, State: 'accepted' } : { V: 1, Name: 'f', Size: 3, SHA256: sha256(Buffer.from('abd')) })))
    })
    expect((await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))).end).toMatchObject({ kind: 'broken', why: { Code: 'peer-wrong-hash' } })
  })
})

describe('a connection that breaks', () => {
  for (const make of ['stock', 'bowline'] as const) {
    it(`at 200 random points leaves no byte wrong and sends none twice beyond one block (${make})`, async () => {
      const device = await toDevice(make)
      const content = noise(6_000_000)
      let state = 7
      const random = (): number => (state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0) / 2 ** 32
      let end: SendEnd | undefined
      for (let cuts = 0; cuts < 200; cuts++) {
        // Short of what is missing, so that all of them happen.
        device.cutAfter = 1 + Math.floor(random() * 58_000)
        const before = device.partials.get('f')?.length ?? 0
        ;({ end } = await send(parcelOf('f', content.length), sourceOf(content, 200_000)))
        expect(end).toMatchObject({ kind: 'broken', isAway: false })
        expect(device.offsets.at(-1)!).toBe(before)
      }
      ;({ end } = await send(parcelOf('f', content.length), sourceOf(content, 200_000)))
      expect(end).toEqual({ kind: 'delivered', checked: make === 'bowline' })
      expect(device.files.get('f')!.equals(content)).toBe(true)
      expect(device.received).toBe(content.length)
    }, 60_000)
  }

  it('is the device away, when it cannot even be dialled', async () => {
    await toDevice('stock')
    rig.refuseDial = new EngineError('timeout', 'dial through the tunnel: timed-out')
    expect((await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))).end).toMatchObject({ kind: 'broken', isAway: true, why: { Code: 'peer-away' } })
  })

  it('leads over IPv6 when the device has nothing else', async () => {
    await toDevice('stock')
    rig.node = { ...rig.node, Hostinfo: { Services: [{ Proto: 'peerapi6', Port: 6_666 }] } } as typeof rig.node
    expect((await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))).end.kind).toBe('delivered')
    expect(rig.dialled).toEqual(['fd7a:115c:a1e0::2 6666'])
  })

  it('idle for half a minute is closed', async () => {
    await toDevice('stock')
    await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))
    expect(rig.sockets.filter((socket) => !socket.destroyed).length).toBe(1)
    await rig.clock.run(30_000)
    expect(rig.sockets.filter((socket) => !socket.destroyed).length).toBe(0)
  })
})

/** Answers offers and lists as a stock device, and anything else by `put`. */
const stockBut = (put: RequestListener): RequestListener => (request, response) => {
  if (request.method === 'POST') return void request.resume().on('end', () => response.writeHead(404).end())
  if (request.url === '/v0/put/') return void response.end('null\n')
  put(request, response)
}

describe('a device that refuses', () => {
  it('while we still send is understood, though it closes', async () => {
    let seen = 0
    await toServer(stockBut((request, response) => {
      seen++
      response.writeHead(403, { connection: 'close' }).end('Taildrop disabled; see…\n', () => request.socket.destroySoon())
    }))
    for (let i = 0; i < 30; i++) {
      const { end } = await send(parcelOf(`f${i}`, 30_000_000), sourceOf(Buffer.alloc(30_000_000), 1 << 19))
      expect(end).toMatchObject({ kind: 'refused', why: { Code: 'peer-not-allowed' } })
    }
    expect(seen).toBe(30)
  })

  const cases: [number, string, object][] = [
    [400, 'invalid filename', { kind: 'refused', why: { Code: 'peer-bad-name' } }],
    [400, 'invalid Range header', { kind: 'broken', why: { Code: 'peer-failed' } }],
    [403, 'no', { kind: 'refused', why: { Code: 'peer-not-allowed' } }],
    [404, 'unsupported peerapi path', { kind: 'refused', why: { Code: 'peer-no-files' } }],
    [409, 'file already exists', { kind: 'broken', why: { Code: 'peer-busy' }, afterMs: 5_000 }],
    [500, 'write: no space left on device', { kind: 'refused', why: { Code: 'peer-no-space' } }],
    [500, 'other', { kind: 'broken', why: { Code: 'peer-failed' } }],
    [507, '{"V":1,"Code":"no-space","Text":"full"}', { kind: 'refused', why: { Code: 'peer-no-space' } }],
    [302, '', { kind: 'broken', why: { Code: 'peer-bad-answer' } }],
  ]
  for (const [status, body, expected] of cases) {
    it(`with ${status} ${body} is told as what it means`, async () => {
      await toServer(stockBut((request, response) => void request.resume().on('end', () => response.writeHead(status, { location: 'http://elsewhere/' }).end(body))))
      expect((await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))).end).toMatchObject(expected)
    })
  }
})

describe('a hostile device', () => {
  it('that says 200 before it has all is not believed', async () => {
    await toServer(stockBut((_request, response) => void response.end('{}\n')))
    expect((await send(parcelOf('f', 30_000_000), sourceOf(Buffer.alloc(30_000_000)))).end).toMatchObject({ kind: 'broken', why: { Code: 'peer-bad-answer' } })
  })

  it('that stops reading is given up after ten minutes when it may be asking, and after one when it had begun', async () => {
    await toServer(stockBut(() => {}))
    const held = await sendOver(parcelOf('f', 30_000_000), sourceOf(Buffer.alloc(30_000_000)))
    expect(held.end).toMatchObject({ kind: 'broken', why: { Code: 'stalled' } })
    expect(held.passedMs).toBeGreaterThanOrEqual(600_000)
    await rig.stop()
    await toServer(stockBut((request) => {
      let got = 0
      request.on('data', (bytes: Buffer) => {
        got += bytes.length
        if (got > 20_000_000) request.pause()
      })
    }))
    const begun = await sendOver(parcelOf('f', 40_000_000), sourceOf(Buffer.alloc(40_000_000), 1 << 19), 500)
    expect(begun.end).toMatchObject({ kind: 'broken', why: { Code: 'stalled' } })
    expect(begun.passedMs).toBeLessThan(600_000)
  })

  it('that lists nothing but ends of lines is not listened to for ever', async () => {
    const device = new Device('stock')
    await toServer((request, response) => {
      if (request.method !== 'GET' || request.url === '/v0/put/') return device.serve(request, response)
      response.writeHead(200)
      const timer = setInterval(() => response.write('\n'.repeat(100)), 1)
      response.once('close', () => clearInterval(timer))
    })
    device.partials.set('f', Buffer.alloc(1))
    expect((await send(parcelOf('f', 100), sourceOf(Buffer.alloc(100)))).end).toMatchObject({ kind: 'delivered' })
  })

  const hashLists: [string, (write: (text: string) => boolean) => void][] = [
    ['garbage', (write) => void write('}{][ not json\n')],
    ['a line without end', (write) => {
      for (let i = 0; i < 100; i++) write('x'.repeat(1_000))
    }],
    ['blocks of other sizes', (write) => void write(`{"checksum":"${sha256(Buffer.alloc(0))}","algo":"sha256","size":-1}\n`)],
    ['blocks without end', (write) => {
      const line = `{"checksum":"${sha256(Buffer.alloc(BLOCK))}","algo":"sha256","size":65536}\n`
      for (let i = 0; i < 5_000; i++) write(line)
    }],
  ]
  for (const [what, tell] of hashLists) {
    it(`that lists ${what} as its hashes gets the file all the same`, async () => {
      const device = new Device('stock')
      await toServer((request, response) => {
        if (request.url === '/v0/put/') return void response.end('["f.self.partial"]')
        if (request.method !== 'GET') return device.serve(request, response)
        device.partials.set('f', Buffer.alloc(10 * BLOCK))
        tell((text) => response.write(text))
      })
      const content = Buffer.alloc(10 * BLOCK)
      expect((await send(parcelOf('f', content.length), sourceOf(content))).end.kind).toBe('delivered')
      expect(device.files.get('f')!.equals(content)).toBe(true)
    })
  }

  it('that never ends its list of partials is asked for each name', async () => {
    const device = new Device('stock')
    await toServer((request, response) => {
      if (request.url !== '/v0/put/') return device.serve(request, response)
      const more = (): void => void (response.writable && response.write('"x",'.repeat(50_000), () => setImmediate(more)))
      more()
    })
    expect((await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))).end).toMatchObject({ kind: 'broken', why: { Code: 'peer-bad-answer' } })
  })

  const floods: [string, (write: (text: string) => void) => void][] = [
    ['provisional answers', (write) => {
      for (let i = 0; i < 1_000; i++) write('HTTP/1.1 102 Processing\r\n\r\n')
    }],
    ['a head without end', (write) => {
      write('HTTP/1.1 200 OK\r\n')
      for (let i = 0; i < 1_000; i++) write(`X-${i}: ${'y'.repeat(100)}\r\n`)
    }],
    ['another protocol', (write) => write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: evil\r\n\r\nhello')],
    ['no HTTP', (write) => write('SSH-2.0-OpenSSH_9.6\r\n')],
  ]
  for (const [what, tell] of floods) {
    it(`that answers with ${what} is let go of`, async () => {
      await toServer(stockBut((request) => tell((text) => request.socket.write(text))))
      const { end } = await send(parcelOf('f', 3), sourceOf(Buffer.from('abc')))
      expect(end).toMatchObject({ kind: 'broken', isAway: false })
      expect(['peer-bad-answer', 'broken-off']).toContain((end as { why: { Code: string } }).why.Code)
    })
  }

  it('that never answers is given up in time', async () => {
    await toServer(() => {})
    const { end, passedMs } = await sendOver(parcelOf('f', 3), sourceOf(Buffer.from('abc')))
    expect(end).toMatchObject({ kind: 'broken', why: { Code: 'stalled' } })
    expect(passedMs).toBeLessThanOrEqual(60_000)
  })
})

describe('what is sent', () => {
  it('that changes meanwhile is never told to be whole', async () => {
    const device = await toDevice('stock')
    const reader = new BytesReader(noise(500_000))
    const read = reader.read.bind(reader)
    let left = 3
    reader.read = (most) => (left-- > 0 ? read(most) : Promise.reject(new SourceFault('source-changed', 'it changed')))
    const { end } = await send(parcelOf('f', 500_000), { manifest: () => Promise.resolve([]), open: () => Promise.resolve(reader) })
    expect(end).toEqual({ kind: 'refused', why: { Code: 'source-changed', Text: 'it changed' } })
    expect(reader.isClosed).toBe(true)
    await waitFor('the device to keep the part', () => device.partials.has('f'), PATIENCE)
    expect(device.files.size).toBe(0)
  })

  it('that is shorter or longer than it said is not told to be whole', async () => {
    const device = await toDevice('bowline')
    for (const size of [400_000, 600_000]) {
      const { end } = await send(parcelOf('f', size), { manifest: () => Promise.resolve([]), open: () => Promise.resolve(new BytesReader(noise(500_000), 100_000, size)) })
      expect(end).toMatchObject({ kind: 'refused', why: { Code: 'source-changed' } })
    }
    expect(device.files.size).toBe(0)
  })

  it('is given up at once when nobody wants it any more, at any moment', async () => {
    const device = await toDevice('stock')
    const content = noise(20_000_000)
    for (const at of ['comparing', 'sending', 'checking'] as const) {
      device.partials.set('f', content.subarray(0, 100))
      const abort = new AbortController()
      const end = await rig.courier.send(parcelOf('f', content.length), sourceOf(content), (step) => void (step.kind === at && abort.abort()), abort.signal)
      if (at !== 'checking') expect(end).toEqual({ kind: 'aborted' })
    }
    const abort = new AbortController()
    abort.abort()
    expect((await send(parcelOf('f', content.length), sourceOf(content), abort.signal)).end).toEqual({ kind: 'aborted' })
  })

  it('is given up at once also while the device is dialled', async () => {
    await toDevice('stock')
    rig.network.dial = () => new Promise(() => {})
    const abort = new AbortController()
    const sending = send(parcelOf('f', 3), sourceOf(Buffer.from('abc')), abort.signal)
    await rig.clock.run(1_000)
    abort.abort()
    expect((await sending).end).toEqual({ kind: 'aborted' })
  })

  it('waits for its own bytes as long as it takes', async () => {
    const device = await toDevice('stock')
    const reader = new BytesReader(noise(300_000), 100_000, -1)
    const read = reader.read.bind(reader)
    reader.read = async (most) => {
      await rig.clock.run(700_000)
      return read(most)
    }
    const { end } = await send(parcelOf('slow', -1), { manifest: () => Promise.resolve([]), open: () => Promise.resolve(reader) })
    expect(end.kind).toBe('delivered')
    expect(device.files.get('slow')!.length).toBe(300_000)
  })
})
