/**
 * A control client with real network adapters and nothing behind it, for interop tests: it keeps what it was told.
 */
import { makeLog } from '../../main/engine/base/log.ts'
import type { JournalEntry } from '../../main/engine/base/env.ts'
import { discoKey, PrivateKey } from '../../main/engine/base/keys.ts'
import { Control } from '../../main/engine/control/control.ts'
import type { ControlWants } from '../../main/engine/control/ports.ts'
import type { NetMap } from '../../main/engine/core/netmap/types.ts'
import type { ControlState } from '../../main/engine/core/session/types.ts'
import { SystemClock } from '../../main/engine/io/clock.ts'
import { dial, plainFetch } from '../support/plain-world.ts'
import { Http2Connection } from '../../main/engine/io/http2.ts'
import { systemRandom } from '../../main/engine/io/random.ts'
import { zstdDecompress } from '../../main/engine/io/zstd.ts'

export class ControlClient {
  readonly control: Control
  readonly machineKey = PrivateKey.fromRandom(systemRandom.bytes(32))
  readonly states: ControlState[] = []
  readonly journal: JournalEntry[] = []
  readonly links: string[] = []
  nodeKey: PrivateKey | undefined
  netMap: NetMap | undefined
  maps = 0
  log = ''
  readonly #wants: ControlWants

  constructor(name: string, options: { zstd?: boolean; ca?: string } = {}) {
    const log = makeLog('trace', (line) => void (this.log += `${line}\n`))
    const env = { clock: new SystemClock(), random: systemRandom, log, journal: { add: (entry: JournalEntry) => void this.journal.push(entry) } }
    this.control = new Control({
      env,
      dial,
      http: plainFetch(options.ca === undefined ? undefined : [options.ca]),
      http2: (stream, authority) => new Http2Connection(stream, authority),
      zstd: options.zstd === false ? undefined : zstdDecompress,
    })
    this.#wants = {
      hostinfo: { IPNVersion: '1.0.0-bowline', OS: 'linux', OSVersion: '6.1.0', Hostname: name, BackendLogID: '0'.repeat(64), Userspace: true, UserspaceRouter: true },
      endpoints: [],
      discoKey: discoKey(systemRandom.bytes(32)),
    }
    this.control.start({
      onState: (state) => this.states.push(state),
      onLoggedIn: (login) => void (this.nodeKey = login.nodeKey),
      onNetMap: (delta) => {
        this.netMap = delta.netMap
        this.maps++
      },
      onPopBrowser: (url) => this.links.push(url),
    })
    this.control.set(this.#wants)
  }

  get state(): ControlState {
    return this.control.state
  }

  /** Tells control of other endpoints or another host name. */
  tell(change: Partial<ControlWants>): void {
    this.control.set({ ...this.#wants, ...change })
  }

  get hostinfo(): ControlWants['hostinfo'] {
    return this.#wants.hostinfo
  }
}
