/**
 * An engine in a process of its own whose network has as many devices as wanted, and the simulated control server in this one.
 */
import { fork, type ChildProcess } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { MapResponse, Node, UserProfile } from '../../main/engine/core/tailcfg/types.ts'
import { BUS_MASK } from '../../main/localapi/reduce-notify.ts'
import { STATE_NUMBER } from '../../main/localapi/types.ts'
import type { Notify } from '../../main/localapi/types.ts'
import { mapFrame, type MapSession } from '../sim/control/map-session.ts'
import { SimControl } from '../sim/control/sim-control.ts'
import { LocalApi } from '../sim/demo/local-api.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { pause, within } from '../support/wait.ts'

const ADA: UserProfile = { ID: 1, LoginName: 'ada@example.com', DisplayName: 'Ada' }

const engineModule = fileURLToPath(new URL('./netmap-engine.ts', import.meta.url))

/** An engine process that is signed in to a server whose first map has `count` more devices. */
export class ManyPeers {
  readonly #folder = makeTempDir('netmap')
  readonly #peers: readonly Node[]
  readonly #users: readonly UserProfile[]
  readonly control: SimControl
  #child: ChildProcess | undefined
  #session: MapSession | undefined
  api!: LocalApi
  /** From the first byte of the map to Running on the bus. */
  fullSec = NaN

  get socketPath(): string {
    return join(this.#folder, 'engine.sock')
  }

  /** `peers` are what the first map has besides this device, which belongs to user 1. */
  constructor(peers: readonly Node[], users: readonly UserProfile[] = [ADA]) {
    this.#peers = peers
    this.#users = users
    this.control = new SimControl({ onStream: (session, first) => this.#first(session, first) })
  }

  #firstSentMs = 0

  #first(session: MapSession, first: MapResponse): void {
    this.#session = session
    const frame = mapFrame({ ...first, Peers: this.#peers, UserProfiles: this.#users }, session.zstd)
    this.#firstSentMs = performance.now()
    session.sendBytes(frame)
  }

  async start(): Promise<void> {
    await this.control.start()
    const { socketPath } = this
    this.api = new LocalApi(socketPath)
    this.#child = fork(engineModule, [join(this.#folder, 'state'), socketPath], { execArgv: ['--expose-gc', '--disable-warning=ExperimentalWarning'], stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    await within('the engine to start', 30_000, once(this.#child, 'message'))
    let tell = (): void => {}
    const running = new Promise<void>((done) => (tell = done))
    const end = this.api.watch(2, (notify) => {
      if (notify.State === STATE_NUMBER.Running) tell()
    })
    const AuthKey = this.control.createAuthKey({ login: 'ada@example.com' })
    await this.api.call('start', { body: { AuthKey, UpdatePrefs: { ControlURL: this.control.url, WantRunning: true, Hostname: 'bench' } } })
    await within('the engine to run', 60_000, running)
    this.fullSec = (performance.now() - this.#firstSentMs) / 1000
    end()
  }

  async ask(ask: string): Promise<Record<string, number>> {
    const answer = once(this.#child!, 'message') as Promise<[Record<string, number>]>
    this.#child!.send({ ask })
    return (await within(`an answer to ${ask}`, 30_000, answer))[0]
  }

  send(message: MapResponse): void {
    this.#session!.sendBytes(mapFrame(message, this.#session!.zstd))
  }

  /** Watches as a window does; resolves when the watcher has the whole map. */
  async watch(onNotify: (notify: Notify) => void): Promise<() => void> {
    let tell = (): void => {}
    const first = new Promise<void>((done) => (tell = done))
    const end = this.api.watch(BUS_MASK, (notify) => {
      if (notify.NetMap) tell()
      else onNotify(notify)
    })
    await within('the watcher to have the map', 30_000, first)
    return end
  }

  async stop(): Promise<void> {
    const child = this.#child
    if (child && child.exitCode === null) {
      const ended = once(child, 'exit')
      child.send({ ask: 'stop' })
      await Promise.race([ended, pause(5000)])
      child.kill('SIGKILL')
    }
    await this.control.stop()
    removeTempDir(this.#folder)
  }
}

/** A device as Headscale tells of it, with a whole Hostinfo. */
export function device(id: number): Node {
  const hex = (salt: string): string => createHash('sha256').update(`${salt}${id}`).digest('hex')
  const addresses = [`100.${64 + (id >> 16)}.${(id >> 8) & 255}.${id & 255}/32`, `fd7a:115c:a1e0::${(id >> 16).toString(16)}:${(id & 0xffff).toString(16)}/128`]
  return {
    ID: id, StableID: String(id), Name: `device-${id}.sim.internal.`, User: 1, Key: `nodekey:${hex('n')}`, Machine: `mkey:${hex('m')}`, DiscoKey: `discokey:${hex('d')}`,
    Addresses: addresses, AllowedIPs: addresses, Endpoints: [`192.0.2.${id & 255}:${1024 + (id % 60000)}`, `10.0.${(id >> 8) & 255}.${id & 255}:41641`], HomeDERP: 1 + (id % 20),
    Hostinfo: {
      IPNVersion: '1.102.5', BackendLogID: hex('l'), OS: 'linux', OSVersion: '6.1.0', Distro: 'debian', DistroVersion: '12.11', DistroCodeName: 'bookworm', Desktop: true,
      Hostname: `device-${id}`, Machine: 'x86_64', GoArch: 'amd64', Services: [{ Proto: 'peerapi4', Port: 40000 + (id % 20000) }, { Proto: 'peerapi6', Port: 40000 + (id % 20000) }],
      NetInfo: { WorkingIPv6: false, OSHasIPv6: true, WorkingUDP: true, WorkingICMPv4: false, UPnP: false, PMP: false, PCP: false, PreferredDERP: 1 + (id % 20), DERPLatency: { '1-v4': id / 1e5, '2-v4': id / 5e4 } },
      Userspace: false, UserspaceRouter: false, StateEncrypted: false,
    },
    Created: '2026-11-22T21:44:17.535229899Z', Cap: 131, Online: id % 3 !== 0, MachineAuthorized: true, CapMap: { 'suggest-exit-node': null },
  }
}
