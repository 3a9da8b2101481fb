/**
 * Two hundred cuts at random places of transfers between the real courier and the real receiver, on a real disk: every byte that
 * arrives is right, and of what had arrived no more than a block is sent again.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Env } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { NetMap } from '../../../main/engine/core/netmap/types.ts'
import type { Node } from '../../../main/engine/core/tailcfg/types.ts'
import { makeReceiver } from '../../../main/engine/features/taildrop/receive/receiver.ts'
import { makeCourier, type PeerCourier } from '../../../main/engine/features/taildrop/send/courier.ts'
import type { IncomingRow, Parcel, SendEnd, SourceRef, TaildropNetwork } from '../../../main/engine/features/taildrop/ports.ts'
import { SystemClock } from '../../../main/engine/io/clock.ts'
import { DiskInbox } from '../../../main/engine/io/inbox/inbox.ts'
import { FileSources } from '../../../main/engine/io/outgoing/sources.ts'
import { PeerApiListener } from '../../../main/engine/peerapi/listener.ts'
import { DEFAULT_TAILDROP } from '../../../main/localapi/transfers.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { seededRandom } from '../clock.ts'
import { Rope } from './rope.ts'

const BLOCK = 64 << 10
/** A reset loses what lies in the receiver's buffers: of the connection, and of its reader. */
const IN_BUFFERS = 96 << 10
/** Lengths of chunks on the wire. */
const CHUNKING = 1 << 10
const CUTS = 200
const BATCH = 'c0ffee00'.repeat(4)

const user = { ID: 1, LoginName: 'alice@example.com', DisplayName: 'Alice' }
const CAPS = { 'https://tailscale.com/cap/file-sharing': [] }
const node = (id: number, ip: string): Node =>
  ({ ID: id, StableID: `n${id}`, Key: `nodekey:${id}`, Name: `n${id}.lab.internal.`, User: 1, Addresses: [`${ip}/32`], CapMap: CAPS, Online: true, Hostinfo: { OS: 'linux', Services: [{ Proto: 'peerapi4', Port: 4_444 }] } }) as unknown as Node
const sender = node(1, '100.64.0.1')
const receiver = node(2, '100.64.0.2')

let folder = ''
let inboxFolder = ''
let rope: Rope
let courier: PeerCourier
let listener: PeerApiListener
let stop = (): void => {}
let saved: string[] = []

beforeEach(() => {
  folder = makeTempDir('cuts')
  inboxFolder = join(folder, 'in')
  mkdirSync(inboxFolder)
  saved = []
  rope = new Rope()
  const env: Env = { clock: new SystemClock(), random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
  const mapOf = (self: Node, other: Node): NetMap => ({ self, selfAddresses: self.Addresses, peers: new Map([[other.ID, other]]), users: new Map([[1, user]]), capMap: CAPS, packetFilter: [] }) as unknown as NetMap
  const network = (self: Node, other: Node): TaildropNetwork => ({
    netMap: () => mapOf(self, other), pathTo: () => undefined,
    dial: async () => {
      const { near, far } = rope.connect()
      listener.accept({ socket: far, from: { ip: '100.64.0.1', port: 40_000 } })
      return near
    },
  })
  const row = (): IncomingRow => ({ id: '1', signal: new AbortController().signal, waiting() {}, progress() {}, checking() {}, received: ({ name }) => void saved.push(name), broken() {}, refused() {} })
  const received = makeReceiver({
    env, network: network(receiver, sender), settings: () => DEFAULT_TAILDROP, setRule: () => {}, folder: () => inboxFolder,
    inbox: new DiskInbox({ env }), book: { begin: row, asksChanged: () => {} },
  })
  listener = new PeerApiListener({ env, directory: { callerAt: (ip) => (ip === '100.64.0.1' ? { node: sender, user, self: receiver } : undefined) }, routes: received.routes })
  courier = makeCourier({ env, network: network(sender, receiver), tell: () => {} })
  stop = () => {
    courier.close()
    listener.close()
    received.stop()
  }
})

afterEach(() => {
  stop()
  removeTempDir(folder)
})

function parcelOf(name: string, size: number, isFolder: boolean, files: number): Parcel {
  return { id: name, batch: BATCH, peer: 'n2', name, isFolder, files, size, batchItems: [{ id: name, name, isFolder, files, size }] }
}

/** One try, from the file as it is. */
async function attempt(path: string, isFolder: boolean): Promise<SendEnd> {
  const sources = new FileSources(join(folder, 'spool'))
  const ref: SourceRef = { kind: 'path', path, isFolder }
  const look = await sources.look(ref)
  return courier.send(
    parcelOf(look.name, look.size, isFolder, look.files), { manifest: () => sources.manifest(ref), open: (as) => sources.open(ref, as, look.print) },
    () => {}, new AbortController().signal,
  )
}

const hashOf = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

describe.each(['file', 'folder'] as const)('a %s', (kind) => {
  test(`that is cut ${CUTS / 2} times at random places arrives whole, and little is sent twice`, async () => {
    const random = seededRandom(kind === 'file' ? 7 : 11)
    const unit = (): number => random.unit()
    let made = 0
    while (rope.cuts < CUTS / 2) {
      const name = `${kind} ${++made}`
      const path = join(folder, name)
      const whole = Buffer.from(random.bytes(1 << 20))
      const content = Buffer.concat([whole, whole, whole, whole.subarray(0, Math.floor(unit() * whole.length))])
      content.writeUInt32LE(made, 0)
      for (let i = 1; i < 4; i++) content.writeUInt32LE(i, i << 20 >= content.length ? 0 : i << 20)
      if (kind === 'file') writeFileSync(path, content)
      else {
        mkdirSync(join(path, 'sub'), { recursive: true })
        for (let i = 0; i < 8; i++) writeFileSync(join(path, i % 2 === 0 ? '' : 'sub', `part ${i}`), content.subarray((content.length * i) >> 3, (content.length * (i + 1)) >> 3))
      }
      const before = rope.puts.length
      let end: SendEnd | undefined
      const hows: string[] = []
      for (let tries = 0; end?.kind !== 'delivered' && tries < 200; tries++) {
        const how = unit() < 0.5 ? 'end' : 'reset'
        hows.push(how)
        rope.plan(unit() < 0.8 ? { after: Math.floor(unit() * 600_000), direction: 'to', how } : { after: Math.floor(unit() * 2_000), direction: 'back', how })
        end = await attempt(path, kind === 'folder')
        rope.rest()
        expect(['delivered', 'broken'], JSON.stringify(end)).toContain(end.kind)
      }
      expect(end).toEqual({ kind: 'delivered', checked: true })
      expectLittleTwice(before)
      if (kind === 'file') expect(hashOf(readFileSync(join(inboxFolder, name)))).toBe(hashOf(content))
      else for (let i = 0; i < 8; i++) {
        const part = join(i % 2 === 0 ? '' : 'sub', `part ${i}`)
        expect(hashOf(readFileSync(join(inboxFolder, name, part)))).toBe(hashOf(readFileSync(join(path, part))))
      }
    }
    // Nothing else came of it: no second copy of what was whole, and nothing partial.
    expect(readdirSync(inboxFolder).toSorted()).toEqual(Array.from({ length: made }, (_, i) => `${kind} ${i + 1}`).toSorted())
    expect(rope.cuts).toBeGreaterThanOrEqual(CUTS / 2)
  }, 180_000)
})

/** When all had come and only the answer was lost, the receiver knows nothing partial any more. */
function expectLittleTwice(from: number): void {
  const puts = rope.puts.slice(from)
  for (const [i, put] of puts.entries()) {
    const next = puts[i + 1]
    if (next && !put.isWhole) expect(next.offset, JSON.stringify(puts.slice(Math.max(0, i - 3), i + 3))).toBeGreaterThanOrEqual(put.offset + put.passed - BLOCK - IN_BUFFERS - CHUNKING)
  }
}
