/**
 * A courier, and devices to bring things to: real sockets and real HTTP, without a network between. A device keeps what it
 * gets in memory, in the stock manner or as a Bowline, and can be told to misbehave.
 */
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Env, JournalEntry } from '../../../../../main/engine/base/env.ts'
import { silentLog } from '../../../../../main/engine/base/log.ts'
import type { NetMap } from '../../../../../main/engine/core/netmap/types.ts'
import { decodeManifest, encodeBlockHash, encodePutAnswer } from '../../../../../main/engine/core/taildrop/wire.ts'
import type { Node } from '../../../../../main/engine/core/tailcfg/types.ts'
import { makeCourier } from '../../../../../main/engine/features/taildrop/send/courier.ts'
import type { PeerCourier } from '../../../../../main/engine/features/taildrop/send/courier.ts'
import type { ManifestEntry, Parcel, ParcelSource, SourceReader, TaildropNetwork } from '../../../../../main/engine/features/taildrop/ports.ts'
import type { OutgoingFile } from '../../../../../main/localapi/types.ts'
import { HandClock, seededRandom } from '../../../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../../../support/temp.ts'

export const BLOCK = 64 << 10
const BATCH = '0123456789abcdef0123456789abcdef'
const SELF = { ID: 1, StableID: 'self', Addresses: ['100.64.0.1/32', 'fd7a:115c:a1e0::1/128'] } as unknown as Node

export interface Rig {
  readonly clock: HandClock
  readonly courier: PeerCourier
  readonly env: Env
  readonly network: TaildropNetwork
  /** Connections that were dialled, by address. */
  readonly dialled: string[]
  readonly sockets: Socket[]
  /** OutgoingFiles of the bus. */
  readonly told: (readonly OutgoingFile[])[]
  /** What dialling does instead of reaching the device. */
  refuseDial: Error | undefined
  /** The device as the map has it. */
  node: Node
  stop(): Promise<void>
}

/** A courier with one device "n2" that answers by `serve`. */
export async function makeRig(serve: RequestListener): Promise<Rig> {
  const clock = new HandClock()
  const journal: JournalEntry[] = []
  const env: Env = { clock, random: seededRandom(1), log: silentLog, journal: { add: (entry) => void journal.push(entry) } }
  const folder = makeTempDir('courier')
  const server: Server = createServer({ requestTimeout: 0, headersTimeout: 0, keepAliveTimeout: 0 }, serve)
  server.listen(join(folder, 's'))
  await once(server, 'listening')
  const network: TaildropNetwork = {
    netMap: () => ({ self: SELF, peers: new Map([[2, rig.node]]) }) as unknown as NetMap,
    pathTo: () => undefined,
    async dial(ip, port) {
      rig.dialled.push(`${ip} ${port}`)
      if (rig.refuseDial) throw rig.refuseDial
      const socket = connect(join(folder, 's'))
      await once(socket, 'connect')
      rig.sockets.push(socket)
      return socket
    },
  }
  const rig: Rig = {
    clock, env, network, dialled: [], sockets: [], refuseDial: undefined,
    told: [],
    courier: makeCourier({ env, network, tell: (files) => void rig.told.push(files) }),
    node: { ID: 2, StableID: 'n2', Addresses: ['fd7a:115c:a1e0::2/128', '100.64.0.2/32'], Hostinfo: { Services: [{ Proto: 'peerapi4', Port: 4_444 }, { Proto: 'peerapi6', Port: 6_666 }] } } as unknown as Node,
    async stop() {
      rig.courier.close()
      for (const socket of rig.sockets) socket.destroy()
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      removeTempDir(folder)
    },
  }
  return rig
}

/** A device that keeps what it gets. */
export class Device {
  readonly files = new Map<string, Buffer>()
  readonly partials = new Map<string, Buffer>()
  readonly manifests = new Map<string, readonly ManifestEntry[]>()
  readonly requests: string[] = []
  /** Bytes of bodies of PUT. */
  received = 0
  /** Offsets at which it was gone on from. */
  readonly offsets: number[] = []
  /** The next PUT is cut after so many bytes of its body. */
  cutAfter = Number.POSITIVE_INFINITY
  /** Answers to offers, the last one for good. */
  readonly offers: string[] = ['accepted']
  readonly #bowline: boolean

  constructor(make: 'stock' | 'bowline') {
    this.#bowline = make === 'bowline'
  }

  readonly serve = (request: IncomingMessage, response: ServerResponse): void => {
    request.on('error', () => {})
    this.requests.push(`${request.method} ${request.url}`)
    void this.#serve(request, response)
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!
    if (request.headers.host !== 'peer') return void response.writeHead(403).end()
    if (path.startsWith('/v0/bowline/') && !this.#bowline) {
      // A body that is too long to be read is cut off, as Go's server does it.
      if (Number(request.headers['content-length'] ?? 0) > 256 << 10) response.once('finish', () => request.socket.destroy())
      else request.resume()
      return void response.writeHead(404).end('404 page not found\n')
    }
    if (path.startsWith('/v0/bowline/offer')) {
      if (request.method !== 'POST') return void response.writeHead(405).end('expected method POST\n')
      await text(request)
      const State = this.offers.length > 1 ? this.offers.shift()! : this.offers[0]!
      return void response.end(JSON.stringify({ V: 1, State, ...(State === 'refused' ? { Why: { Code: 'not-wanted', Text: 'no' } } : {}) }))
    }
    if (path.startsWith('/v0/bowline/manifest/')) {
      this.manifests.set(path.slice('/v0/bowline/manifest/'.length), decodeManifest(await text(request)) as readonly ManifestEntry[])
      return void response.end(encodePutAnswer({ name: 'folder', size: 0, sha256: '' }))
    }
    const name = decodeURIComponent(path.slice(path.lastIndexOf('/') + 1))
    if (request.method === 'GET') return this.#list(name, response)
    await this.#put(name, request, response)
  }

  #list(name: string, response: ServerResponse): void {
    if (name === '') return void response.end(`${JSON.stringify(this.partials.size === 0 ? null : [...this.partials.keys()].map((one) => `${one}.self.partial`))}\n`)
    const partial = this.partials.get(name) ?? Buffer.alloc(0)
    for (let at = 0; at < partial.length; at += BLOCK) {
      const block = partial.subarray(at, at + BLOCK)
      response.write(encodeBlockHash({ checksum: sha256(block), algo: 'sha256', size: block.length }))
    }
    response.end()
  }

  async #put(name: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const offset = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? 'bytes=0-')![1])
    this.offsets.push(offset)
    const parts = [(this.partials.get(name) ?? Buffer.alloc(0)).subarray(0, offset)]
    let left = this.cutAfter
    this.cutAfter = Number.POSITIVE_INFINITY
    const keep = (): void => void this.partials.set(name, Buffer.concat(parts))
    try {
      for await (const chunk of request as AsyncIterable<Buffer>) {
        const taken = chunk.subarray(0, left)
        left -= taken.length
        this.received += taken.length
        parts.push(taken)
        if (left === 0) {
          keep()
          return void request.socket.destroy()
        }
      }
    } catch {
      return keep()
    }
    const whole = Buffer.concat(parts)
    this.partials.delete(name)
    const told = request.trailers['bowline-sha256']
    if (this.#bowline && told !== sha256(whole)) return void response.writeHead(422).end(JSON.stringify({ V: 1, Code: 'wrong-hash', Text: 'x' }))
    this.files.set(name, whole)
    response.end(this.#bowline ? encodePutAnswer({ name, size: whole.length, sha256: sha256(whole) }) : '{}\n')
  }
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Bytes that differ from block to block. */
export function noise(length: number, seed = 1): Buffer {
  const out = Buffer.alloc(length)
  let state = seed
  for (let i = 0; i + 4 <= length; i += 4) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    out.writeUInt32LE(state, i)
  }
  return out
}

/** A source over bytes, in pieces of `piece`. */
export class BytesReader implements SourceReader {
  readonly size: number
  isClosed = false
  readonly #rest: Uint8Array[]
  readonly #piece: number

  constructor(bytes: Uint8Array, piece = 100_000, size = bytes.length) {
    this.#rest = [bytes]
    this.#piece = piece
    this.size = size
  }

  async read(most: number): Promise<Uint8Array> {
    const bytes = this.#rest.pop() ?? new Uint8Array()
    const length = Math.min(most, this.#piece)
    if (bytes.length > length) this.#rest.push(bytes.subarray(length))
    return bytes.subarray(0, length)
  }

  unread(bytes: Uint8Array): void {
    this.#rest.push(bytes)
  }

  async close(): Promise<void> {
    this.isClosed = true
  }
}

export function parcelOf(name: string, size: number, more: Partial<Parcel> = {}): Parcel {
  const item = { id: 'p1', name, isFolder: more.isFolder ?? false, files: 1, size }
  return { batch: BATCH, peer: 'n2', ...item, batchItems: [item], ...more }
}

export const sourceOf = (bytes: Uint8Array, piece?: number): ParcelSource => ({
  manifest: () => Promise.resolve([{ path: 'a', size: bytes.length, mtimeMs: 5 }]),
  open: () => Promise.resolve(new BytesReader(bytes, piece)),
})

async function text(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = []
  for await (const part of request as AsyncIterable<Buffer>) parts.push(part)
  return Buffer.concat(parts).toString()
}
