/**
 * The system's proxy settings, PAC files among them, as whoever hosts the engine can tell them: asked per place, over the process's port.
 *
 *   engine → host   { kind: 'proxy', id, url }          https://host:port/ or http://…, nothing of a path
 *   host → engine   { kind: 'proxy', id, answer }       as a PAC file answers: "PROXY proxy:3128; SOCKS5 other:1080; DIRECT"
 *
 * A host that says nothing in time means no proxy: the way out must not hang on a settings service. Answers are kept for a minute.
 */
import type { HostPort } from './host-keeper.ts'
import { parseProxy, type Proxy, type ProxyTarget } from './proxy-rules.ts'

const LIMIT_MS = 3_000
const KEPT_MS = 60_000
const MOST_KEPT = 200
const MOST_PROXIES = 5

interface Kept {
  readonly untilMs: number
  readonly proxies: Promise<readonly Proxy[]>
}

export class HostProxies {
  readonly #port: HostPort
  readonly #nowMs: () => number
  readonly #limitMs: number
  readonly #waiting = new Map<number, (answer: string) => void>()
  readonly #kept = new Map<string, Kept>()
  #nextId = 1

  constructor(port: HostPort, nowMs: () => number, limitMs = LIMIT_MS) {
    this.#port = port
    this.#nowMs = nowMs
    this.#limitMs = limitMs
    port.on('message', ({ data }) => {
      if (typeof data !== 'object' || data === null) return
      const { kind, id, answer } = data as Record<string, unknown>
      if (kind === 'proxy' && typeof id === 'number' && typeof answer === 'string') this.#waiting.get(id)?.(answer)
    })
  }

  /** Another network may have other settings. */
  forget(): void {
    this.#kept.clear()
  }

  /** The proxies to try for a connection, in order; [] = direct. Never rejects. */
  proxiesFor({ host, port, tls }: ProxyTarget): Promise<readonly Proxy[]> {
    const url = `${tls ? 'https' : 'http'}://${host.includes(':') ? `[${host}]` : host}:${port}/`
    const kept = this.#kept.get(url)
    if (kept && kept.untilMs > this.#nowMs()) return kept.proxies
    if (this.#kept.size >= MOST_KEPT) this.#kept.clear()
    const proxies = this.#ask(url).then(proxiesOf)
    this.#kept.set(url, { untilMs: this.#nowMs() + KEPT_MS, proxies })
    return proxies
  }

  async #ask(url: string): Promise<string> {
    const id = this.#nextId++
    let timer: NodeJS.Timeout | undefined
    const answer = new Promise<string>((resolve) => {
      this.#waiting.set(id, resolve)
      timer = setTimeout(() => {
        // Asked again next time.
        this.#kept.delete(url)
        resolve('')
      }, this.#limitMs)
    })
    this.#port.postMessage({ kind: 'proxy', id, url })
    return await answer.finally(() => {
      clearTimeout(timer)
      this.#waiting.delete(id)
    })
  }
}

const SCHEMES: Readonly<Record<string, string>> = { PROXY: 'http', HTTP: 'http', HTTPS: 'https', SOCKS5: 'socks5' }

/** The proxies that a PAC answer names before it says DIRECT; what we cannot speak (SOCKS 4) and what is no proxy is left out. Pure. */
export function proxiesOf(answer: string): readonly Proxy[] {
  const found: Proxy[] = []
  for (const part of answer.slice(0, 2000).split(';')) {
    const [kind = '', at = '', ...more] = part.trim().split(/\s+/)
    if (kind.toUpperCase() === 'DIRECT' || found.length >= MOST_PROXIES) break
    const scheme = SCHEMES[kind.toUpperCase()]
    const proxy = scheme === undefined || at === '' || more.length > 0 ? undefined : parseProxy(`${scheme}://${at}`)
    if (proxy) found.push(proxy)
  }
  return found
}
