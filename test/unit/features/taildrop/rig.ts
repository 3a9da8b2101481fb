/**
 * A Taildrop with a courier and sources that the test plays by hand, on a clock that stands still.
 */
import { HandClock, seededRandom, settle } from '../../../sim/clock.ts'
import type { Env, JournalEntry } from '../../../../main/engine/base/env.ts'
import { silentLog } from '../../../../main/engine/base/log.ts'
import type { NetMap } from '../../../../main/engine/core/netmap/types.ts'
import { SourceFault, type SourceLook, type SourceRef } from '../../../../main/engine/core/taildrop/files.ts'
import type { Node } from '../../../../main/engine/core/tailcfg/types.ts'
import type { Courier, Parcel, SendEnd, SendStep, Sources } from '../../../../main/engine/features/taildrop/ports.ts'
import { Taildrop } from '../../../../main/engine/features/taildrop/taildrop.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import { MemoryStore } from '../../../../main/engine/io/memory-store.ts'
import { DEFAULT_TAILDROP, NO_TRANSFERS, reduceTransfers, type TransferPath, type TransferRow, type TransfersNews, type TransfersPage } from '../../../../main/localapi/transfers.ts'
import type { Notify } from '../../../../main/localapi/types.ts'
import { WATCH } from '../../../../main/localapi/watch-mask.ts'

const CONNECTED = { a: true, b: true, c: true } as const

/** A map of this device and others of the same owner, or of `user`, by name, online or not. */
function netMapOf(devices: Readonly<Record<string, boolean>>, user = 1): NetMap {
  const node = (id: number, name: string, online: boolean, owner = 1): Node => ({
    ID: id, StableID: `s-${name}`, Name: `${name}.lab.internal.`, User: owner, Key: `nodekey:${name}`, Online: online, Addresses: [`100.64.0.${id}/32`],
    Hostinfo: { OS: 'linux', Services: [{ Proto: 'peerapi4', Port: 4000 }] },
  })
  const peers = Object.entries(devices).map(([name, online], at) => node(at + 2, name, online, user))
  const self = { ...node(1, 'me', true), CapMap: { 'https://tailscale.com/cap/file-sharing': null } }
  return { self, peers: new Map(peers.map((peer) => [peer.ID, peer])), userProfiles: new Map(), packetFilters: new Map() } as unknown as NetMap
}

/** One try that is under way. */
export interface Try {
  readonly parcel: Parcel
  readonly signal: AbortSignal
  step(step: SendStep): void
  end(end: SendEnd): Promise<void>
}

class HandCourier implements Courier {
  readonly tries = new Map<string, Try>()
  readonly begun: string[] = []
  /** Ends tries by itself when they are told to, as the real one does. */
  send(parcel: Parcel, _source: unknown, onStep: (step: SendStep) => void, signal: AbortSignal): Promise<SendEnd> {
    this.begun.push(parcel.name)
    return new Promise((resolve) => {
      const finish = (end: SendEnd): void => {
        if (this.tries.get(parcel.name)?.parcel === parcel) this.tries.delete(parcel.name)
        resolve(end)
      }
      signal.addEventListener('abort', () => finish({ kind: 'aborted' }))
      this.tries.set(parcel.name, { parcel, signal, step: onStep, end: async (end) => { finish(end); await settle() } })
    })
  }
  async deliver(parcel: Parcel, source: unknown, onStep: (step: SendStep) => void, signal: AbortSignal): Promise<{ end: SendEnd }> {
    return { end: await this.send(parcel, source, onStep, signal) }
  }
}

class HandSources implements Sources {
  readonly looks = new Map<string, Partial<SourceLook>>()

  async look(ref: SourceRef): Promise<SourceLook> {
    const name = ref.kind === 'path' ? ref.path.split('/').at(-1)! : ref.id
    const look = this.looks.get(name)
    if (!look) throw new SourceFault('source-gone', `${name} is not there`)
    return { name, isFolder: false, files: 1, size: 1_000, skipped: 0, print: '1', ...look } as SourceLook
  }
  manifest(): Promise<never> {
    return Promise.reject(new Error('not asked for'))
  }
  open(): Promise<never> {
    return Promise.reject(new Error('not asked for'))
  }
}

export interface TaildropRig {
  readonly clock: HandClock
  readonly taildrop: Taildrop
  readonly courier: HandCourier
  readonly sources: HandSources
  readonly store: MemoryStore
  readonly told: Notify[]
  readonly journal: JournalEntry[]
  readonly removed: string[]
  /** The page as a watcher of the bus has it. */
  readonly page: TransfersPage
  row(name: string): TransferRow
  setMap(devices: Readonly<Record<string, boolean>> | undefined, user?: number): void
  setProfile(id: string | undefined): void
  /** What is in the spool and must stay, at each sweep. */
  readonly sweeps: ReadonlySet<string>[]
  setPath(path: TransferPath): void
  send(peer: string, ...names: string[]): Promise<readonly string[]>
  run(ms?: number): Promise<void>
}

export function makeTaildropRig(options: { store?: MemoryStore; devices?: Readonly<Record<string, boolean>>; profile?: string | undefined } = {}): TaildropRig {
  const clock = new HandClock()
  const store = options.store ?? new MemoryStore()
  const journal: JournalEntry[] = []
  const told: Notify[] = []
  const removed: string[] = []
  const sweeps: ReadonlySet<string>[] = []
  const env: Env = { clock, random: seededRandom(7), log: silentLog, journal: { add: (event) => void journal.push(event) } }
  const courier = new HandCourier()
  const sources = new HandSources()
  let netMap: NetMap | undefined = netMapOf(options.devices ?? CONNECTED)
  let profile: string | undefined = 'profile' in options ? options.profile : 'p1'
  let path: TransferPath | undefined
  let page = NO_TRANSFERS
  const taildrop = new Taildrop({
    env, store, network: { netMap: () => netMap, pathTo: () => path, dial: () => Promise.reject(new Error('no network')) },
    settings: () => DEFAULT_TAILDROP, setRule: () => {}, profileId: () => profile, profileIds: () => ['p1', 'p2'],
    emit: (part) => {
      told.push(part as Notify)
      if (part.Transfers) page = reduceTransfers(page, part.Transfers as TransfersNews)
    },
    courier, sources,
    inbox: new DiskInbox({ env }), owner: () => undefined, stagedFolder: () => '/nowhere/files',
    spool: { put: () => Promise.reject(new Error('not asked for')), remove: async (id) => void removed.push(id), sweep: async (keep) => { sweeps.push(keep); return 0 } },
  })
  const first = taildrop.initial(WATCH.transfers).Transfers
  if (first) page = reduceTransfers(page, first)
  taildrop.changed()
  return {
    clock, taildrop, courier, sources, store, told, journal, removed, sweeps,
    get page() { return page },
    row: (name) => {
      const found = page.Rows.filter((row) => row.Name === name)
      if (found.length !== 1) throw new Error(`${found.length} rows are called ${name}`)
      return found[0]!
    },
    setMap: (devices, user) => {
      netMap = devices && netMapOf(devices, user)
      taildrop.changed()
    },
    setProfile: (id) => {
      profile = id
      taildrop.changed()
    },
    setPath: (next) => void (path = next),
    send: async (peer, ...names) => {
      for (const name of names) if (!sources.looks.has(name)) sources.looks.set(name, {})
      const { IDs } = await taildrop.transfers.act({ Do: 'send', Peer: `s-${peer}`, Items: names.map((name) => ({ Path: `/x/${name}` })) }, true)
      await settle()
      return IDs!
    },
    run: (ms = 300) => clock.run(ms),
  }
}
