/**
 * One question to all resolvers of a route at once: the first good answer counts; failures and refusals only when there is
 * nothing better. At most 10 s in all.
 */
import type { Env } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { RCODE } from '../core/dns/message.ts'
import { askPlain } from './exchange.ts'
import type { Exchange, Message } from './exchange.ts'
import type { HttpsAsker } from './https.ts'
import type { Carrier, ResolverDeps } from './ports.ts'
import type { Asking, Target } from './targets.ts'

export const LIMIT_MS = 10_000
/** How much earlier HTTPS is asked than the same resolver the plain way. */
const HTTPS_FIRST_MS = 500
const MAX_TARGETS = 32

/** What became of asking one of them. */
export interface Attempt {
  readonly target: Target
  readonly message?: Message
  readonly latencyMs?: number
  readonly failed?: string
}

export interface Forwarded {
  /** The one that counts; undefined: nobody answered. */
  readonly used: Attempt | undefined
  /** In the order of the targets. */
  readonly attempts: readonly Attempt[]
}

export interface ForwarderDeps extends Pick<ResolverDeps, 'system' | 'tunnel' | 'systemLookup'> {
  readonly env: Env
  readonly https: HttpsAsker
  readonly onStray: () => void
  /** Whether the system may be asked for names. */
  readonly asksSystem: () => boolean
}

export class Forwarder {
  readonly #deps: ForwarderDeps
  readonly #running = new Set<() => void>()

  constructor(deps: ForwarderDeps) {
    this.#deps = deps
  }

  /** Asks all of them; `waitForAllMs`: after the first good answer the others have so long, for a person who compares. Never rejects. */
  async ask(query: Message, targets: readonly Target[], waitForAllMs = 0): Promise<Forwarded> {
    const some = targets.slice(0, MAX_TARGETS)
    const attempts: Attempt[] = some.map((target) => ({ target, failed: target.asking.kind === 'refused' ? target.asking.why : 'another one answered first' }))
    const running = some.map((target, i) => this.#start(query, target, (attempt) => (attempts[i] = attempt)))
    const cancel = (): void => running.forEach((one) => one.cancel())
    this.#running.add(cancel)
    const firstGood = new Promise<void>((resolve) => {
      for (const { done } of running) void done.then((attempt) => void (isGood(attempt) && resolve()))
      void Promise.all(running.map(({ done }) => done)).then(() => resolve())
    })
    await firstGood
    if (waitForAllMs > 0) await this.#waitForAll(running.map(({ done }) => done), waitForAllMs)
    this.#running.delete(cancel)
    cancel()
    const inOrder = attempts.filter(isGood).toSorted((a, b) => (a.latencyMs ?? 0) - (b.latencyMs ?? 0))
    return { used: inOrder[0] ?? attempts.find(({ message }) => message !== undefined), attempts }
  }

  /** Ends every question under way without an answer: the ways that they go are those of before. */
  cancelAll(): void {
    for (const cancel of this.#running) cancel()
  }

  async #waitForAll(all: readonly Promise<unknown>[], ms: number): Promise<void> {
    let cancel = (): void => {}
    const late = new Promise<void>((resolve) => (cancel = this.#deps.env.clock.after(ms, resolve)))
    await Promise.race([Promise.all(all), late])
    cancel()
  }

  #start(query: Message, target: Target, note: (attempt: Attempt) => void): { readonly done: Promise<Attempt>; cancel(): void } {
    const { env } = this.#deps
    const startedMs = env.clock.nowMs()
    const exchange = this.#exchange(query, target.asking)
    let isOver = false
    const done = exchange.answer.then(
      (message): Attempt => ({ target, message, latencyMs: env.clock.nowMs() - startedMs }),
      (error: unknown): Attempt => ({ target, failed: errorText(error) }),
    ).then((attempt) => {
      if (!isOver) note(attempt)
      return attempt
    })
    return {
      done,
      cancel: () => {
        isOver = true
        exchange.cancel()
      },
    }
  }

  #exchange(query: Message, asking: Asking): Exchange {
    const { env, https, onStray } = this.#deps
    const context = { env, limitMs: LIMIT_MS, onStray }
    switch (asking.kind) {
      case 'refused':
        return { answer: Promise.reject(new EngineError('not-supported', asking.why)), cancel: () => {} }
      case 'plain':
        return askPlain(this.#carrier(asking.way.kind), asking.at, query, context)
      case 'peer':
        return https.askPeer(this.#deps.tunnel, asking.at, asking.url, query, LIMIT_MS)
      case 'https': {
        const first = https.askHttps(`${asking.url} ${asking.addresses.join(' ')} ${asking.way.kind}`, () => this.#dialHttps(asking), asking.url, query, LIMIT_MS)
        const { plain } = asking
        return plain ? this.#orLater(first, () => askPlain(this.#carrier(asking.way.kind), plain, query, context)) : first
      }
    }
  }

  /** The first to answer of two, the second asked a little later, or when the first has failed. */
  #orLater(first: Exchange, later: () => Exchange): Exchange {
    let second: Exchange | undefined
    let isOver = false
    let begin = (): void => {}
    let end = (): void => {}
    const answer = new Promise<Message>((resolve, reject) => {
      end = () => reject(new EngineError('aborted', 'another one answered first'))
      let failures = 0
      const failed = (error: Error): void => {
        if (++failures === 2) reject(error)
      }
      begin = () => {
        if (second || isOver) return
        cancelTimer()
        second = later()
        second.answer.then(resolve, failed)
      }
      const cancelTimer = this.#deps.env.clock.after(HTTPS_FIRST_MS, () => begin())
      first.answer.then((message) => {
        cancelTimer()
        isOver = true
        resolve(message)
      }, (error: Error) => {
        begin()
        failed(error)
      })
    })
    const cancel = (): void => {
      isOver = true
      first.cancel()
      second?.cancel()
      end()
    }
    void answer.then(cancel, cancel)
    return { answer, cancel }
  }

  #carrier(kind: 'system' | 'tunnel'): Carrier {
    return kind === 'system' ? this.#deps.system : this.#deps.tunnel
  }

  async #dialHttps({ url, addresses, way }: Extract<Asking, { kind: 'https' }>): Promise<Awaited<ReturnType<Carrier['dial']>>> {
    const { hostname, port } = new URL(url)
    const carrier = this.#carrier(way.kind)
    if (addresses.length === 0 && !this.#deps.asksSystem()) throw new EngineError('dns-failed', `${hostname} cannot be looked up while an exit node is chosen`)
    const known = addresses.length > 0 ? addresses : await this.#deps.systemLookup(hostname)
    let last: unknown = new EngineError('dns-no-such-name', `${hostname} has no address`)
    for (const ip of known.slice(0, 4)) {
      try {
        return await carrier.dial({ ip, port: port === '' ? 443 : Number(port) }, LIMIT_MS / 4)
      } catch (error) {
        last = error
      }
    }
    throw last
  }
}

/** It says what is, or that there is nothing. */
function isGood({ message }: Attempt): boolean {
  return message !== undefined && (message.bones.rcode === RCODE.ok || message.bones.rcode === RCODE.noSuchName)
}
