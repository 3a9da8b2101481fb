/**
 * Which notifications are on screen: one for each cause, at most one new or changed one in ten seconds. Pure; time comes in.
 *
 *   (cause) → waiting → shown → told           told: seen, closed by the person, or shown by the window itself
 *                └──────┴→ in the window       where the window is on screen and does not show the same, or the system refuses
 *
 * A cause that says something else is told anew in the same place; one that has gone is closed. Of ten thousand causes at once the
 * gravest hundred are kept. Levels: `toast` is all of this, `badge` only counts, `off` is not there.
 */
import type { AppSettings, NoticeCategory } from '../../localapi/app-settings.ts'
import type { Action } from '../actions.ts'

export interface NoticeAction {
  readonly label: string
  readonly action: Action
}

export interface Cause {
  /** The same while it is the same cause. */
  readonly key: string
  readonly category: NoticeCategory
  readonly title: string
  readonly body: string
  /** The first one is what most people do. */
  readonly actions: readonly NoticeAction[]
  /** What a click on the notification itself does. */
  readonly open: Action
  /** The main window says the same by itself, wherever it is. */
  readonly inWindow: boolean
  /** Nothing is left to do about it: it counts until it was told, or the window was seen. */
  readonly isNews?: boolean
}

export type Effect =
  /** Shows it, in place of what was shown for the same key. */
  | { readonly kind: 'show'; readonly cause: Cause }
  | { readonly kind: 'close'; readonly key: string }
  /** How many causes there are that count, and how many of them are no mere news. */
  | { readonly kind: 'badge'; readonly count: number; readonly acts: number }
  /** What the window is to show, all of it. */
  | { readonly kind: 'window'; readonly causes: readonly Cause[] }

export const PACE_MS = 10_000
export const LIMIT = 100
/** The gravest first. */
const RANK: readonly NoticeCategory[] = ['exit-node', 'sign-in', 'connection-lost', 'incoming-files', 'watched', 'blocked', 'delivered-files', 'updates']

interface Entry {
  readonly cause: Cause
  readonly state: 'waiting' | 'shown' | 'window' | 'told'
}

export class NoticeMachine {
  #levels: AppSettings['notifications']
  #entries = new Map<string, Entry>()
  /** Keys of what is on screen: also of one that waits to be replaced. */
  #onScreen = new Set<string>()
  #causes: readonly Cause[] = []
  #visible = false
  #shownMs = -Infinity
  #effects: Effect[] = []
  #badge = '0 0'
  /** News that are told, also where they only count. */
  #seen = new Set<string>()
  #window = ''

  constructor(levels: AppSettings['notifications']) {
    this.#levels = levels
  }

  /** All that is so now. */
  handleCauses(nowMs: number, causes: readonly Cause[]): void {
    this.#causes = causes.toSorted((a, b) => RANK.indexOf(a.category) - RANK.indexOf(b.category)).slice(0, LIMIT)
    this.#compare(nowMs)
  }

  handleLevels(nowMs: number, levels: AppSettings['notifications']): void {
    this.#levels = levels
    this.#compare(nowMs)
  }

  /** The person can see the main window, or no longer. What it shows by itself needs no telling any more. */
  handleVisible(nowMs: number, visible: boolean): void {
    this.#visible = visible
    this.#seeAll()
    if (visible) {
      for (const { cause, state } of this.#entries.values()) {
        this.#close(cause.key)
        if (state === 'shown' || state === 'waiting') this.#put(cause, cause.inWindow ? 'told' : 'window')
      }
    }
    this.#go(nowMs)
  }

  /** The system does not show it: the window does. */
  handleFailed(nowMs: number, key: string): void {
    const entry = this.#entries.get(key)
    this.#onScreen.delete(key)
    if (entry?.state === 'shown') this.#put(entry.cause, entry.cause.inWindow ? 'told' : 'window')
    this.#go(nowMs)
  }

  /** The person has closed it, or has done what it offered. */
  handleClosed(nowMs: number, key: string): void {
    const entry = this.#entries.get(key)
    if (!entry) return
    this.#close(key)
    this.#put(entry.cause, 'told')
    if (entry.cause.isNews === true) this.#seen.add(newsOf(entry.cause))
    this.#go(nowMs)
  }

  handleTimeout(nowMs: number): void {
    this.#go(nowMs)
  }

  /** When the next one may be shown; undefined = none waits. */
  nextTimeout(): number | undefined {
    return this.#next() ? this.#shownMs + PACE_MS : undefined
  }

  takeEffects(): readonly Effect[] {
    return this.#effects.splice(0)
  }

  /** The cause of a key, for what is done about it. */
  causeOf(key: string): Cause | undefined {
    return this.#entries.get(key)?.cause
  }

  #put(cause: Cause, state: Entry['state']): void {
    this.#entries.set(cause.key, { cause, state })
  }

  /** The news of now are seen while the window is. */
  #seeAll(): void {
    const news = this.#causes.filter(({ isNews }) => isNews === true).map(newsOf)
    if (this.#visible) for (const one of news) this.#seen.add(one)
    for (const one of this.#seen) if (!news.includes(one)) this.#seen.delete(one)
  }

  #close(key: string): void {
    if (this.#onScreen.delete(key)) this.#effects.push({ kind: 'close', key })
  }

  #compare(nowMs: number): void {
    this.#seeAll()
    const present = new Map(this.#causes.filter((cause) => this.#levels[cause.category] === 'toast').map((cause) => [cause.key, cause]))
    for (const key of this.#entries.keys()) {
      if (present.has(key)) continue
      this.#close(key)
      this.#entries.delete(key)
    }
    for (const cause of present.values()) {
      const before = this.#entries.get(cause.key)
      if (before && saysSame(before.cause, cause)) this.#put(cause, before.state)
      else if (this.#visible) this.#put(cause, cause.inWindow ? 'told' : 'window')
      else this.#put(cause, 'waiting')
    }
    this.#go(nowMs)
  }

  #next(): Cause | undefined {
    // In the order of the causes, so that a grave one does not wait behind many small ones.
    return this.#causes.find((cause) => this.#entries.get(cause.key)?.state === 'waiting')
  }

  #go(nowMs: number): void {
    const next = this.#next()
    if (next && nowMs >= this.#shownMs + PACE_MS) {
      this.#shownMs = nowMs
      this.#put(next, 'shown')
      this.#onScreen.add(next.key)
      this.#effects.push({ kind: 'show', cause: next })
    }
    const counted = this.#causes.filter((cause) => this.#levels[cause.category] !== 'off' && !this.#seen.has(newsOf(cause)))
    const [count, acts] = [counted.length, counted.filter(({ isNews }) => isNews !== true).length]
    if (`${count} ${acts}` !== this.#badge) this.#effects.push({ kind: 'badge', count, acts })
    this.#badge = `${count} ${acts}`
    const causes = [...this.#entries.values()].filter(({ state }) => state === 'window').map(({ cause }) => cause)
    const window = JSON.stringify(causes)
    if (window !== this.#window && !(causes.length === 0 && this.#window === '')) this.#effects.push({ kind: 'window', causes })
    this.#window = window
  }
}

const saysSame = (a: Cause, b: Cause): boolean => JSON.stringify([a.title, a.body, a.actions]) === JSON.stringify([b.title, b.body, b.actions])
/** Other words are other news. */
const newsOf = ({ key, title, body }: Cause): string => JSON.stringify([key, title, body])
