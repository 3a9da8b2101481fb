/**
 * Whether there is a newer version: asks the one place that the build names (`updateFeed` of the packaged package.json), and only when the
 * person has switched that on. It tells that there is one and where its page is; it fetches and installs nothing.
 *
 *   feed   { "version": "1.2.3", "page": "https://…" }       the page on the feed's own host
 *
 * Asked at a random moment of the first half hour and about once a day, so that nothing can be told from the time.
 */

export interface Newer {
  readonly version: string
  readonly page: string
}

export interface UpdateDeps {
  /** The text behind an https address; rejects when it cannot be had or is longer than `limitBytes`. */
  readonly fetch: (url: string, limitBytes: number) => Promise<string>
  readonly ours: string
  /** From 0 to 1. */
  readonly random: () => number
  readonly onNewer: (newer: Newer | undefined) => void
}

const LIMIT_BYTES = 16 * 1024
const FIRST_MS = 30 * 60_000
const DAY_MS = 24 * 60 * 60_000

export class UpdateCheck {
  readonly #feed: string
  readonly #deps: UpdateDeps
  #timer: NodeJS.Timeout | undefined
  #on = false

  constructor(feed: string, deps: UpdateDeps) {
    this.#feed = feed
    this.#deps = deps
  }

  /** Begins to ask, or stops and forgets. */
  set(on: boolean): void {
    if (on === this.#on) return
    this.#on = on
    clearTimeout(this.#timer)
    if (on) this.#later(this.#deps.random() * FIRST_MS)
    else this.#deps.onNewer(undefined)
  }

  /** Asks now. A feed that cannot be had or read says nothing. */
  async ask(): Promise<void> {
    try {
      const newer = newerOf(await this.#deps.fetch(this.#feed, LIMIT_BYTES), this.#feed, this.#deps.ours)
      if (this.#on) this.#deps.onNewer(newer)
    } catch {
      // Asked again tomorrow.
    }
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => {
      void this.ask()
      if (this.#on) this.#later(DAY_MS * (0.75 + this.#deps.random() / 2))
    }, ms)
    this.#timer.unref()
  }
}

/** A feed's address as a build names it; undefined = none that may be asked. */
export function feedOf(value: unknown): string | undefined {
  if (typeof value !== 'string' || !URL.canParse(value)) return undefined
  const { protocol, username, password } = new URL(value)
  return protocol === 'https:' && username === '' && password === '' ? value : undefined
}

/** What a feed says, where that is newer than ours; throws when it is no such feed. */
export function newerOf(text: string, feed: string, ours: string): Newer | undefined {
  const { version, page } = JSON.parse(text) as { version?: unknown; page?: unknown }
  if (typeof version !== 'string' || typeof page !== 'string' || page.length > 500) throw new Error('no such feed')
  const url = new URL(page)
  if (url.protocol !== 'https:' || url.host !== new URL(feed).host || url.username !== '' || url.password !== '') throw new Error('its page is elsewhere')
  return isNewer(version, ours) ? { version, page: url.href } : undefined
}

/** Three numbers, compared as such; anything else is not newer. */
function isNewer(version: string, ours: string): boolean {
  const [a, b] = [version, ours].map((text) => /^v?(\d{1,6})\.(\d{1,6})\.(\d{1,6})$/.exec(text)?.slice(1).map(Number))
  if (!a || !b) return false
  const at = a.findIndex((part, index) => part !== b[index])
  return at >= 0 && a[at]! > b[at]!
}
