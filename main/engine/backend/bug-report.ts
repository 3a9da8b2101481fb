/**
 * Markers of bug reports. A marker is a line that a person can quote; around it the journal keeps what was wrong at that
 * moment. Nothing leaves this machine.
 *
 *   BUG-<64 hex: this life of the engine>-<YYYYMMDDhhmmss>Z-<16 hex>
 */
import { toHex } from '../base/bytes.ts'
import type { Env } from '../base/env.ts'
import type { Model } from './model.ts'
import type { HealthPort } from './ports.ts'

export class BugReports {
  readonly #env: Env
  readonly #model: Model
  readonly #health: HealthPort
  #life = ''

  constructor(env: Env, model: Model, health: HealthPort) {
    this.#env = env
    this.#model = model
    this.#health = health
  }

  /** A new marker, in the journal with the note; with `diagnose` also with what is known of the network. */
  mark(note: string, diagnose: boolean): string {
    const { random, clock, journal, log } = this.#env
    if (this.#life === '') this.#life = toHex(random.bytes(32))
    const at = new Date(clock.wallMs()).toISOString().replace(/\.\d+Z$/, 'Z').replace(/[-:T]/g, '')
    const marker = `BUG-${this.#life}-${at}-${toHex(random.bytes(8))}`
    log.info(`bug report ${marker}`)
    const { life, control, homeRegion, netInfo, netMap } = this.#model
    journal.add({
      part: 'backend', kind: 'bug-report', why: note === '' ? 'a person asked for a marker' : note, marker, state: life.name, control: control.kind,
      nodeId: netMap?.self.StableID, keyExpiry: netMap?.self.KeyExpiry, health: this.#health.texts(),
      ...(diagnose ? { homeRegion, netInfo, peers: netMap?.peers.size ?? 0 } : {}),
    })
    return marker
  }
}
