/**
 * Files between nodes of the lab, of either make, by their LocalAPI: sent by file-put, listed, read and removed by files/. And the
 * PeerAPI from outside of any client: raw bytes through a node's proxy, for what no honest sender does.
 */
import { createHash } from 'node:crypto'
import { closeSync, createReadStream, openSync, writeSync } from 'node:fs'
import { request, type IncomingMessage } from 'node:http'
import { dirname, join } from 'node:path'
import type { Socket } from 'node:net'
import { NO_TRANSFERS, reduceTransfers, type TransferResult, type TransferRow, type TransfersNews } from '../../../main/localapi/transfers.ts'
import { WATCH } from '../../../main/localapi/watch-mask.ts'
import { dialVia } from '../../support/proxy-client.ts'
import { waitFor } from '../../support/wait.ts'
import type { Reply } from './local-api.ts'
import type { LabNode } from './node.ts'

/** Something to send, and what must arrive. */
export interface Goods {
  readonly path: string
  readonly size: number
  readonly sha256: string
}

const PIECE_BYTES = 1 << 20

/** Bytes that differ from place to place and from seed to seed. */
export function contentOf(size: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(size)
  let x = (seed * 2_654_435_761 + 88_172_645) >>> 0 || 1
  for (let i = 0; i < size; i++) {
    x ^= x << 13
    x ^= x >>> 17
    x ^= x << 5
    bytes[i] = x & 255
  }
  return bytes
}

export const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

/** Writes a file of that size; no two MiB of it are equal. */
export function makeGoods(path: string, size: number, seed = size + 1): Goods {
  const piece = contentOf(Math.min(size, PIECE_BYTES), seed)
  const hash = createHash('sha256')
  const fd = openSync(path, 'w')
  for (let at = 0; at < size; at += PIECE_BYTES) {
    if (size - at >= 8) piece.writeDoubleLE(at, 0)
    const part = piece.subarray(0, Math.min(PIECE_BYTES, size - at))
    hash.update(part)
    writeSync(fd, part)
  }
  closeSync(fd)
  return { path, size, sha256: hash.digest('hex') }
}

/** Sends by `file-put`, as the official command does; resolves with the daemon's answer, which comes when the receiver has it. */
export async function filePut(from: LabNode, to: LabNode, goods: Goods, name: string, timeoutMs = 110_000): Promise<Reply> {
  const path = `file-put/${await stableId(to)}/${encodeURIComponent(name)}`
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: from.api.socketPath, method: 'PUT', path: `/localapi/v0/${path}`, agent: false, timeout: timeoutMs,
        headers: { Host: 'local-tailscaled.sock', 'Tailscale-Cap': '141', 'Content-Length': goods.size },
      },
      (response) => void readText(response).then((text) => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }), reject),
    )
    call.once('timeout', () => call.destroy(new Error(`${path}: nothing moved for ${timeoutMs} ms`)))
    call.once('error', reject)
    createReadStream(goods.path, { highWaterMark: PIECE_BYTES }).once('error', (error) => call.destroy(error)).pipe(call)
  })
}

async function readText(response: IncomingMessage): Promise<string> {
  let text = ''
  for await (const part of response) text += String(part)
  return text
}

const stableIds = new WeakMap<LabNode, string>()

/** A node's stable ID, as itself told once. */
export async function stableId(node: LabNode): Promise<string> {
  const id = stableIds.get(node) ?? (await node.api.status()).Self.ID
  stableIds.set(node, id)
  return id
}

/** Our own way to send: the engine reads files and folders by their paths. Resolves with the batch and its IDs, once it has begun. */
export async function beginByPath(from: LabNode, to: LabNode, goods: readonly Pick<Goods, 'path'>[]): Promise<string> {
  return (await askToSend(from, to, goods)).batch
}

async function askToSend(from: LabNode, to: LabNode, goods: readonly Pick<Goods, 'path'>[]): Promise<{ batch: string; ids: readonly string[] }> {
  const reply = await from.api.call('POST', 'bowline/transfers', { Do: 'send', Peer: await stableId(to), Items: goods.map(({ path }) => ({ Path: path })) })
  if (reply.status !== 200) throw new Error(`bowline/transfers: ${reply.status} ${reply.text}`)
  const { Batch, IDs } = JSON.parse(reply.text) as TransferResult
  if (Batch === undefined || IDs?.length !== goods.length) throw new Error(`bowline/transfers: ${reply.text.slice(0, 500)}`)
  return { batch: Batch, ids: IDs }
}

/** The same; resolves when all are delivered. */
export async function sendByPath(from: LabNode, to: LabNode, goods: readonly Pick<Goods, 'path'>[], withinMs = 110_000): Promise<void> {
  const { batch, ids } = await askToSend(from, to, goods)
  // Of many that are over the engine soon forgets the first.
  const isDone = (rows: readonly TransferRow[]): boolean => {
    const states = new Map(rows.map(({ ID, State }) => [ID, State]))
    return ids.every((id) => (states.get(id) ?? 'delivered') === 'delivered')
  }
  await waitRows(from, batch, isDone, withinMs)
}

/** Resolves when the rows of a batch are as `wanted`; told by the bus, so nothing is asked again and again. */
export function waitRows(node: LabNode, batch: string, wanted: (rows: readonly TransferRow[]) => boolean, withinMs = 60_000): Promise<readonly TransferRow[]> {
  return new Promise((resolve, reject) => {
    let page = NO_TRANSFERS
    const rowsNow = (): readonly TransferRow[] => page.Rows.filter(({ Batch }) => Batch === batch)
    const timer = setTimeout(() => finish(new Error(`the rows of ${batch} at ${node.name}: ${JSON.stringify(rowsNow())}`)), withinMs)
    const watch = node.api.watch(WATCH.transfers, ({ Transfers }) => {
      if (!Transfers) return
      page = reduceTransfers(page, Transfers as TransfersNews)
      if (wanted(rowsNow())) finish()
    })
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      watch.stop()
      if (error) reject(error)
      else resolve(rowsNow())
    }
  })
}

/** Files that wait at a node to be fetched, by name. */
export async function waitingFiles(node: LabNode): Promise<Map<string, number>> {
  const reply = await node.api.call('GET', 'files/')
  if (reply.status !== 200) throw new Error(`files/: ${reply.status} ${reply.text}`)
  const files = JSON.parse(reply.text) as { Name: string; Size: number }[] | null
  return new Map((files ?? []).map(({ Name, Size }) => [Name, Size]))
}

/** Size and hash of a file that waits, read through the LocalAPI, which is how programs get it. */
export async function readWaiting(node: LabNode, name: string): Promise<{ size: number; sha256: string }> {
  return new Promise((resolve, reject) => {
    const call = request(
      {
        socketPath: node.api.socketPath, path: `/localapi/v0/files/${encodeURIComponent(name)}`, agent: false, timeout: 60_000,
        headers: { Host: 'local-tailscaled.sock', 'Tailscale-Cap': '141' },
      },
      (response) => {
        const hash = createHash('sha256')
        let size = 0
        response.on('data', (part: Buffer) => {
          size += part.length
          hash.update(part)
        })
        response.once('error', reject)
        response.once('end', () => (response.statusCode === 200 ? resolve({ size, sha256: hash.digest('hex') }) : reject(new Error(`files/${name}: ${response.statusCode}`))))
      },
    )
    call.once('timeout', () => call.destroy(new Error(`files/${name}: nothing moved`)))
    call.once('error', reject)
    call.end()
  })
}

export async function removeWaiting(node: LabNode, name: string): Promise<void> {
  const { status, text } = await node.api.call('DELETE', `files/${encodeURIComponent(name)}`)
  if (status !== 204) throw new Error(`DELETE files/${name}: ${status} ${text}`)
}

/** Resolves when `from` lists `to` among those it can send to. */
export async function waitTarget(from: LabNode, to: LabNode): Promise<void> {
  const id = await stableId(to)
  await waitFor(
    `${to.name} to be a target of ${from.name}`,
    async () => {
      const reply = await from.api.call('GET', 'file-targets')
      if (reply.status !== 200) throw new Error(`${reply.status} ${reply.text}`)
      return (JSON.parse(reply.text) as { Node: { StableID: string } }[] | null ?? []).some(({ Node }) => Node.StableID === id)
    },
    { withinMs: 30_000 },
  )
}

/** Where a node's PeerAPI is, as another one knows it. */
export async function peerApiOf(node: LabNode, seenBy: LabNode): Promise<{ v4: string; v6: string; port4: number; port6: number }> {
  return waitFor(
    `${seenBy.name} to know the PeerAPI of ${node.name}`,
    async () => {
      const urls = ((await seenBy.peer(node.name))?.PeerAPIURL ?? []).map((url) => new URL(url))
      const [four, six] = [urls.find(({ hostname }) => !hostname.startsWith('[')), urls.find(({ hostname }) => hostname.startsWith('['))]
      return four && six ? { v4: four.hostname, v6: six.hostname.slice(1, -1), port4: Number(four.port), port6: Number(six.port) } : undefined
    },
    { withinMs: 30_000 },
  )
}

export interface RawAnswer {
  /** 0: the connection ended without an answer. */
  readonly status: number
  readonly head: string
  readonly body: string
}

/** One request as raw bytes to a node's PeerAPI, through the proxy of `by`; reads one whole answer, or to the end. */
export async function rawRequest(by: LabNode, at: { host: string; port: number }, request: string | Uint8Array, timeoutMs = 60_000): Promise<RawAnswer> {
  const socket = await dialVia(by.via(), at.host, at.port, 30_000)
  try {
    return await exchange(socket, request, timeoutMs)
  } finally {
    socket.destroy()
  }
}

/** Sends `request` on an open connection and reads one whole answer, or to its end. */
export function exchange(socket: Socket, request: string | Uint8Array, timeoutMs = 60_000): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    let got = ''
    const timer = setTimeout(() => finish(new Error(`no whole answer: ${JSON.stringify(got.slice(0, 500))}`)), timeoutMs)
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      socket.removeAllListeners('data').removeAllListeners('close')
      if (error) reject(error)
      else resolve(answerFrom(got) ?? { status: Number(got.split(' ')[1] ?? 0), head: got, body: '' })
    }
    socket.on('data', (bytes: Buffer) => {
      got += bytes.toString('latin1')
      if (answerFrom(got)) finish()
    })
    socket.on('error', () => {})
    socket.once('close', () => finish())
    socket.resume()
    socket.write(typeof request === 'string' ? Buffer.from(request, 'latin1') : request)
  })
}

/** The first answer in `got`, when it is whole: by Content-Length, or in chunks. */
function answerFrom(got: string): RawAnswer | undefined {
  const at = got.indexOf('\r\n\r\n')
  if (at < 0) return undefined
  const [head, rest] = [got.slice(0, at), got.slice(at + 4)]
  const status = Number(head.split(' ')[1])
  if (status === 100) return answerFrom(rest)
  const length = /^content-length: (\d+)/im.exec(head)?.[1]
  if (length !== undefined) return rest.length >= Number(length) ? { status, head, body: rest.slice(0, Number(length)) } : undefined
  if (!/^transfer-encoding: chunked/im.test(head)) return undefined
  let body = ''
  for (let from = 0; ;) {
    const end = rest.indexOf('\r\n', from)
    if (end < 0) return undefined
    const size = Number.parseInt(rest.slice(from, end), 16)
    if (rest.length < end + 4 + size) return undefined
    if (size === 0) return { status, head, body }
    body += rest.slice(end + 2, end + 2 + size)
    from = end + 4 + size
  }
}

/** Head of a PUT of one file, ready for its body. `escaped` stands in the path as it is; characters are bytes. */
export function putHead(escaped: string, headers: Readonly<Record<string, string | number>>): string {
  const lines = Object.entries({ Host: 'peer', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `PUT /v0/put/${escaped} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** A folder beside the node's own, for things to send or to receive. */
export function folderBeside(node: LabNode, name: string): string {
  return join(dirname(node.folder), name)
}
