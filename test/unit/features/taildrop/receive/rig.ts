/**
 * A receiver behind a real PeerAPI over real streams, with an inbox in memory; the test is the devices that send.
 */
import { createHash } from 'node:crypto'
import type { Socket } from 'node:net'
import type { Env, JournalEntry } from '../../../../../main/engine/base/env.ts'
import { silentLog } from '../../../../../main/engine/base/log.ts'
import type { NetMap } from '../../../../../main/engine/core/netmap/types.ts'
import type { AsksKept } from '../../../../../main/engine/core/taildrop/asks.ts'
import type { Node } from '../../../../../main/engine/core/tailcfg/types.ts'
import type { Receiver } from '../../../../../main/engine/features/taildrop/receive/ports.ts'
import { makeReceiver } from '../../../../../main/engine/features/taildrop/receive/receiver.ts'
import { DEFAULT_TAILDROP, type TaildropSettings } from '../../../../../main/localapi/transfers.ts'
import { seededRandom } from '../../../../sim/clock.ts'
import { makePeerApi, HOST, type PeerApiRig } from '../../../peerapi/rig.ts'
import { MemoryInbox } from './memory-inbox.ts'

export const FOLDER = '/inbox'
export const OWN_IP = '100.64.0.2'
export const OTHER_IP = '100.64.0.3'
export const BATCH = '0123456789abcdef0123456789abcdef'
export const sha256 = (bytes: Uint8Array | string): string => createHash('sha256').update(bytes).digest('hex')

const FILE_SHARING = { 'https://tailscale.com/cap/file-sharing': null }
const makeNode = (id: number, user: number, more: Partial<Node> = {}): Node =>
  ({ ID: id, StableID: `n${id}`, Key: `nodekey:${id}`, Name: `n${id}.lab.internal.`, User: user, Addresses: [`100.64.0.${id}/32`], ...more }) as unknown as Node

export interface ReceiveRig {
  readonly api: PeerApiRig
  readonly inbox: MemoryInbox
  readonly receiver: Receiver
  readonly rows: { readonly what: Record<string, unknown>; readonly events: string[]; readonly cancel: () => void }[]
  readonly journal: JournalEntry[]
  settings: TaildropSettings
  kept: AsksKept | undefined
  /** Of the map; what is changed here counts at once. */
  readonly self: { -readonly [K in keyof Node]: Node[K] }
  readonly peers: Map<number, Node>
  readonly filters: Map<string, readonly unknown[]>
  isConnected: boolean
  /** One request over a connection of its own; the answer's status and body. */
  ask(head: string, body?: string | Uint8Array, ip?: string): Promise<Reply>
  stop(): Promise<void>
}

export interface Reply {
  readonly status: number
  readonly head: string
  readonly body: string
}

export async function makeRig(kept?: AsksKept): Promise<ReceiveRig> {
  const inbox = new MemoryInbox()
  const rows: ReceiveRig['rows'] = []
  const self = makeNode(1, 1, { CapMap: FILE_SHARING } as Partial<Node>)
  const peers = new Map([makeNode(2, 1), makeNode(3, 2)].map((node) => [node.ID, node]))
  const grant = { SrcIPs: [OTHER_IP], CapGrant: [{ Dsts: ['100.64.0.1/32'], CapMap: { 'https://tailscale.com/cap/file-send': null } }] }
  const filters = new Map<string, readonly unknown[]>([['base', [grant]]])
  const user = { ID: 1, LoginName: 'alice@example.com', DisplayName: 'Alice' }
  const netMap = { self, peers, packetFilters: filters, userProfiles: new Map([[1, user], [2, { ID: 2, LoginName: 'bob@example.com', DisplayName: 'Bob' }]]) } as unknown as NetMap
  // The listener and the receiver share a clock and a journal, so the routes are filled in afterwards.
  const routes: Receiver['routes'][number][] = []
  const api = await makePeerApi(routes as never)
  const env: Env = { clock: api.clock, random: seededRandom(2), log: silentLog, journal: { add: (entry) => void api.journal.push(entry) } }
  for (const peer of peers.values()) api.callers.set(`100.64.0.${peer.ID}`, { node: peer, user, self })
  const rig = {
    api, inbox, rows, journal: api.journal, self, peers, filters, isConnected: true,
    settings: { ...DEFAULT_TAILDROP } as TaildropSettings, kept: undefined as AsksKept | undefined,
    receiver: undefined as unknown as Receiver,
    ask: async (head: string, body: string | Uint8Array = '', ip = OWN_IP) => await ask(await api.connect(ip), head, body),
    stop: async () => {
      rig.receiver.stop()
      await api.stop()
    },
  }
  rig.receiver = makeReceiver({
    env, inbox, kept, settings: () => rig.settings, folder: () => FOLDER, keep: (now) => (rig.kept = now),
    network: { netMap: () => (rig.isConnected ? netMap : undefined), pathTo: () => ({ Kind: 'direct', Via: '' }), dial: () => Promise.reject(new Error('no')) },
    setRule: (id, rule) => (rig.settings = { ...rig.settings, Senders: { ...rig.settings.Senders, [id]: rule } }),
    book: {
      asksChanged: () => {},
      begin: (what) => {
        const events: string[] = []
        const canceled = new AbortController()
        rows.push({ what: { ...what }, events, cancel: () => canceled.abort() })
        return {
          id: String(rows.length), signal: canceled.signal, waiting: () => events.push('waiting'), progress: (done) => events.push(`progress ${done}`), checking: () => events.push('checking'),
          received: (saved, checked) => events.push(`received ${saved.name}${checked ? ' checked' : ''}`), broken: ({ Code }) => events.push(`broken ${Code}`), refused: ({ Code }) => events.push(`refused ${Code}`),
        }
      },
    },
  })
  routes.push(...rig.receiver.routes)
  return rig
}

/** Sends one request with the Host header that is right, and reads one whole answer or to the end. */
export async function ask(socket: Socket, head: string, body: string | Uint8Array = ''): Promise<Reply> {
  const [line, ...headers] = head.split('\n')
  const length = headers.some((one) => /^(content-length|transfer-encoding):/i.test(one)) || /^GET|^HEAD/.test(head) ? [] : [`Content-Length: ${Buffer.byteLength(body)}`]
  const answer = readAnswer(socket)
  socket.write([`${line} HTTP/1.1`, `Host: ${HOST}`, ...length, ...headers, '', ''].join('\r\n'))
  if (body.length > 0) socket.write(body)
  return await answer
}

export function readAnswer(socket: Socket): Promise<Reply> {
  return new Promise((resolve) => {
    let got = ''
    const done = (): void => {
      socket.off('data', onData).off('close', done)
      const at = got.indexOf('\r\n\r\n')
      const head = at < 0 ? got : got.slice(0, at)
      const raw = at < 0 ? '' : got.slice(at + 4)
      const body = /^transfer-encoding: chunked/im.test(head) ? raw.split('\r\n').filter((_, i) => i % 2 === 1).join('') : raw
      resolve({ status: Number(head.split(' ')[1] ?? 0), head, body })
    }
    const onData = (bytes: Buffer): void => {
      got += bytes.toString()
      const at = got.indexOf('\r\n\r\n')
      if (at < 0) return
      const length = /^content-length: (\d+)/im.exec(got.slice(0, at))?.[1]
      if (length !== undefined ? Buffer.byteLength(got.slice(at + 4)) >= Number(length) : got.endsWith('0\r\n\r\n')) done()
    }
    socket.on('data', onData).once('close', done)
  })
}
