/**
 * Looks for a portal, the page of a network where somebody has to sign in, when things look like one, and tells of it until
 * it lets us through.
 *
 *   clear ──a warning that a portal explains, for 2 s──▶ look ──found──▶ told ──look every 10 s: gone──▶ clear, go on at once
 *                                                         └─not found──▶ look again a minute later, while the warning lasts
 *
 * What others find (a look at the network finds portals too) is taken as well.
 * Source: tailscale feature/captiveportal/captiveportal.go @ de9ec7e, read 2026-08.
 */
import type { Env } from '../base/env.ts'
import type { HealthState } from '../../localapi/types.ts'
import type { WarnableCode } from './warnables.ts'

const PATIENCE_MS = 2000
const AGAIN_MS = 60_000
const THERE_MS = 10_000
/** What it looks like from here when a portal holds everything back. */
const LOOKS_LIKE_IT: readonly WarnableCode[] = ['not-in-map-poll', 'no-derp-home', 'no-derp-connection', 'tls-connection-failed', 'blockblame-mitm-detected']
const CODE = 'captive-portal-detected'

export interface CaptiveWarnings {
  set(code: typeof CODE): void
  clear(code: typeof CODE): void
  state(): HealthState
  onChange(call: () => void): void
}

export interface CaptiveWatchDeps {
  readonly env: Env
  readonly warnings: CaptiveWarnings
  /** True: a portal answers in place of others; undefined: nobody could be asked. */
  readonly look: () => Promise<boolean | undefined>
  /** A portal that was there is gone. */
  readonly onThrough: (why: string) => void
}

export class CaptiveWatch {
  readonly #deps: CaptiveWatchDeps
  #isThere = false
  #cancelLook: (() => void) | undefined
  #stopped = false

  constructor(deps: CaptiveWatchDeps) {
    this.#deps = deps
    deps.warnings.onChange(() => this.#consider())
  }

  /** Somebody has looked. */
  note(found: boolean | undefined): void {
    if (this.#stopped || (found === true) === this.#isThere) return
    this.#isThere = found === true
    const { env, warnings, onThrough } = this.#deps
    const why = this.#isThere ? 'somebody else answers plain web requests' : 'web requests reach their targets again, or nobody answers any more'
    env.journal.add({ part: 'captive-portal', kind: this.#isThere ? 'found' : 'gone', why })
    env.log.info(`portal ${this.#isThere ? 'none → found' : 'found → none'} (${why})`)
    this.#lookIn(this.#isThere ? THERE_MS : undefined)
    if (this.#isThere) warnings.set(CODE)
    else {
      warnings.clear(CODE)
      onThrough('the portal is gone')
    }
  }

  stop(): void {
    this.#stopped = true
    this.#cancelLook?.()
  }

  #consider(): void {
    if (this.#isThere) return
    if (!this.#looksLikeIt()) this.#lookIn(undefined)
    else if (!this.#cancelLook) this.#lookIn(PATIENCE_MS)
  }

  #looksLikeIt(): boolean {
    const { Warnings } = this.#deps.warnings.state()
    return LOOKS_LIKE_IT.some((code) => Warnings?.[code] !== undefined)
  }

  #lookIn(delayMs: number | undefined): void {
    this.#cancelLook?.()
    this.#cancelLook = delayMs === undefined || this.#stopped ? undefined : this.#deps.env.clock.after(delayMs, () => void this.#look())
  }

  async #look(): Promise<void> {
    const found = await this.#deps.look()
    if (this.#stopped || !this.#cancelLook) return
    this.#lookIn(found === true ? THERE_MS : AGAIN_MS)
    this.note(found)
    this.#consider()
  }
}
