/**
 * A PeerAPI at one end of real streams; the test is the device at the other end.
 */
import { once } from 'node:events'
import { createServer, connect, type Socket } from 'node:net'
import { join } from 'node:path'
import type { Env, JournalEntry } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { Node } from '../../../main/engine/core/tailcfg/types.ts'
import { PeerApiListener } from '../../../main/engine/peerapi/listener.ts'
import type { Caller, Route } from '../../../main/engine/peerapi/ports.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

export const SELF_IP = '100.64.0.1'
export const PEER_IP = '100.64.0.2'
export const HOST = `${SELF_IP}:58436`

const user = { ID: 1, LoginName: 'alice@example.com', DisplayName: 'Alice <b>' }
export const self = { ID: 1, StableID: 'n1', Key: 'nodekey:1', Name: 'n1.lab.internal.', User: 1, Addresses: [`${SELF_IP}/32`, 'fd7a:115c:a1e0::1/128'] } as unknown as Node
export const peer = { ID: 2, StableID: 'n2', Key: 'nodekey:2', Name: 'n2.lab.internal.', User: 1, Addresses: [`${PEER_IP}/32`] } as unknown as Node

export interface PeerApiRig {
  readonly clock: HandClock
  readonly journal: JournalEntry[]
  readonly listener: PeerApiListener
  /** Who has which address; the test may change it. */
  readonly callers: Map<string, Caller>
  /** Our ends of all connections, in the order in which they came. */
  readonly sockets: readonly Socket[]
  /** A connection from `ip`, as the tunnel brings it. The caller owns it. */
  connect(ip?: string): Promise<Socket>
  stop(): Promise<void>
}

export async function makePeerApi(routes: readonly Route[] = []): Promise<PeerApiRig> {
  const clock = new HandClock(Date.UTC(2026, 10, 22))
  const journal: JournalEntry[] = []
  const env: Env = { clock, random: seededRandom(1), log: silentLog, journal: { add: (entry) => void journal.push(entry) } }
  const callers = new Map<string, Caller>([[PEER_IP, { node: peer, user, self }]])
  const listener = new PeerApiListener({ env, directory: { callerAt: (ip) => callers.get(ip) }, routes })
  const folder = makeTempDir('peerapi')
  const path = join(folder, 's')
  const wanted: string[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    listener.accept({ socket, from: { ip: wanted.shift()!, port: 40_000 } })
  })
  server.listen(path)
  await once(server, 'listening')
  return {
    clock, journal, listener, callers, sockets,
    async connect(ip = PEER_IP) {
      wanted.push(ip)
      const socket = connect(path)
      await once(socket, 'connect')
      // A peer that is cut off may find its last words unread.
      return socket.on('error', () => {})
    },
    async stop() {
      listener.close()
      await new Promise<void>((resolve) => server.close(() => resolve()))
      removeTempDir(folder)
    },
  }
}

/** Writes, then reads to the end or to the end of one whole answer. */
export async function ask(socket: Socket, request: string | Uint8Array): Promise<string> {
  let got = ''
  const over = new Promise<void>((resolve) => {
    socket.on('data', (bytes) => {
      got += bytes.toString('latin1')
      const [head, body] = got.split('\r\n\r\n')
      const length = /^content-length: (\d+)/im.exec(head ?? '')?.[1]
      if (body !== undefined && length !== undefined && body.length >= Number(length)) resolve()
    })
    socket.once('close', () => resolve())
    socket.on('error', () => resolve())
  })
  socket.write(request)
  await over
  return got
}
