/**
 * A LocalAPI server on a real Unix socket in a temporary folder, over a backend with parts played by hand.
 */
import { request } from 'node:http'
import { join } from 'node:path'
import type { JournalEvent } from '../../../main/engine/core/journal/journal.ts'
import { makeCourier } from '../../../main/engine/features/taildrop/send/courier.ts'
import { makeSources } from '../../../main/engine/io/outgoing/sources.ts'
import { Machine } from '../../../main/engine/features/machine/machine.ts'
import { Taildrop } from '../../../main/engine/features/taildrop/taildrop.ts'
import { trialSlice } from '../../../main/engine/features/trial/slice.ts'
import type { TrialSlice } from '../../../main/engine/features/trial/slice.ts'
import type { MachineAction, MachinePage } from '../../../main/localapi/machine.ts'
import type { PreviewFacts } from '../../../main/engine/core/preview/facts.ts'
import { LocalApiServer } from '../../../main/engine/server/localapi-server.ts'
import type { PeerCredentials } from '../../../main/engine/server/caller.ts'
import type { TryPortMap } from '../../../main/engine/server/port-map-trial.ts'
import { DiskInbox } from '../../../main/engine/io/inbox/inbox.ts'
import { KnownHosts } from '../../../main/engine/io/known-hosts.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { SystemRoots } from '../../../main/engine/io/roots.ts'
import { Spool } from '../../../main/engine/io/spool.ts'
import { ServerTrust } from '../../../main/engine/io/server-trust.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'
import { makeRig } from '../backend/rig.ts'
import type { Rig } from '../backend/rig.ts'

export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  readonly text: string
  json(): unknown
}

export interface ServerRig {
  readonly rig: Rig
  readonly server: LocalApiServer
  readonly socketPath: string
  readonly journal: FakeJournal
  call(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer>
  join(): void
  stop(): Promise<void>
}

export async function serve(options: { peerCredentials?: PeerCredentials; tryPortMap?: TryPortMap; staged?: string; seen?: Partial<PreviewFacts>; machinePage?: MachinePage } = {}): Promise<ServerRig> {
  const dir = makeTempDir('api')
  const socketPath = join(dir, 'sub', 'x.sock')
  const rig = makeRig()
  rig.backend.start()
  const journal = new FakeJournal()
  const server = new LocalApiServer({ env: rig.env, backend: rig.backend, taildrop: makeTaildrop(rig, join(dir, 'spool'), options.staged), machine: makeMachine(rig), trial: makeTrial(rig, options.seen, options.machinePage), trust: makeTrust(rig), journal, peerCredentials: options.peerCredentials, ...(options.tryPortMap ? { tryPortMap: options.tryPortMap } : {}) })
  await server.listen(socketPath)
  return {
    rig, server, socketPath, journal,
    call: (method, path, { body, headers } = {}) => exchange(socketPath, method, `/localapi/v0/${path}`, body, headers),
    join() {
      rig.backend.startWith({ UpdatePrefs: { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true, Hostname: 'n1', NetfilterMode: 2, NoStatefulFiltering: true, AutoUpdate: { Check: true, Apply: false } }, AuthKey: 'k' })
      rig.signIn()
    },
    async stop() {
      rig.backend.stop()
      await server.close()
      removeTempDir(dir)
    },
  }
}

/** The whole-computer mode of an engine that cannot have it. */
export function makeMachine(rig: Pick<Rig, 'env' | 'backend'>): Machine {
  return new Machine({
    env: rig.env, store: new MemoryStore(), parts: { Code: 'no-rights', Text: 'no rights' }, view: () => rig.backend.views.machine(), udpPort: () => 0, isService: false, device: 'bowline0', startedAs: undefined,
    emit: (part) => rig.backend.sendNotify(part), warnings: { set: () => {}, clear: () => {} }, onForm: () => {}, onOwnNames: () => {},
  })
}

/** Previews and trials on a computer where nothing is to be seen. */
export function makeTrial({ env, backend, store }: Pick<Rig, 'env' | 'backend' | 'store'>, seen: Partial<PreviewFacts> = {}, page?: MachinePage): TrialSlice {
  const look = async (): Promise<Omit<PreviewFacts, 'system'>> => ({ connections: [], neighbours: [], printers: [], nets: [], names: { servers: [], search: [] }, ...seen })
  const real = makeMachine({ env, backend })
  const machine = { page: () => page ?? real.page(), act: (action: MachineAction) => real.act(action) }
  const slice = trialSlice({ env, store, wanted: backend.wanted, machine, surroundings: { look, proxyPorts: () => [1055] }, backend })
  backend.attach(slice.trials)
  return slice
}

/** What is in the journal, put there by hand. */
export class FakeJournal {
  readonly events: JournalEvent[] = [{ seq: 1, atMs: 0, part: 'test', kind: 'k', why: 'w' }]
  readonly #followers = new Set<(event: JournalEvent) => void>()

  add(event: Omit<JournalEvent, 'seq' | 'atMs'> & { readonly part: string; readonly kind: string }): void {
    const whole = { ...event, seq: this.events.length + 1, atMs: 0 }
    this.events.push(whole)
    for (const call of this.#followers) call(whole)
  }

  tail(count: number, afterSeq: number): JournalEvent[] {
    return this.events.filter((event) => event.seq > afterSeq).slice(-count)
  }

  follow(call: (event: JournalEvent) => void): () => void {
    this.#followers.add(call)
    return () => void this.#followers.delete(call)
  }
}

/** The real one, which reaches nobody; without `staged` it has no folder. */
export function makeTaildrop({ env, backend }: Pick<Rig, 'env' | 'backend'>, dir: string, staged?: string): Taildrop {
  const network = { netMap: () => backend.views.liveMap(), pathTo: () => undefined, dial: () => Promise.reject(new Error('no network')) }
  const taildrop = new Taildrop({
    env, network, courier: makeCourier({ env, network, tell: () => {} }), sources: makeSources({ spool: dir }), store: new MemoryStore(), settings: () => backend.extras.Taildrop, profileId: () => backend.views.profileId(), profileIds: () => [],
    spool: new Spool({ dir, random: env.random }), emit: (part) => backend.sendNotify(part),
    inbox: new DiskInbox({ env }), owner: () => backend.views.owner(), setRule: () => {}, stagedFolder: () => staged ?? '/nowhere/files',
  })
  backend.attach(taildrop)
  return taildrop
}

/** The real one, with nothing on disk. */
export function makeTrust({ env, backend }: Pick<Rig, 'env' | 'backend'>): ServerTrust {
  const store = new MemoryStore()
  return new ServerTrust({ roots: new SystemRoots(), known: new KnownHosts(store, () => 0), store, journal: env.journal, server: () => backend.views.prefs().ControlURL })
}

export async function exchange(socketPath: string, method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
  return await new Promise((resolve, reject) => {
    const call = request({ socketPath, method, path, headers: { host: 'local-tailscaled.sock', ...headers }, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text, json: () => JSON.parse(text) as unknown }))
      response.on('error', reject)
    })
    call.on('error', reject)
    call.end(body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body))
  })
}
