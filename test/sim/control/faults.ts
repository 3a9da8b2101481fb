/**
 * What a test may make a simulated server do wrong, request by request.
 *
 * Rules are tried in order; a rule is used up after `times` requests (endless without). `hold` waits until released.
 */
export type Fault =
  | { readonly kind: 'status'; readonly status: number; readonly body?: string; readonly headers?: Readonly<Record<string, string>> }
  | { readonly kind: 'drop' }
  | { readonly kind: 'hold' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'garbage'; readonly bytes: Uint8Array }

interface Rule {
  readonly path: string
  readonly fault: Fault
  left: number
}

export class Faults {
  #rules: Rule[] = []
  #held: (() => void)[] = []

  /** The next `times` requests to this path (exact, e.g. "/machine/map") go wrong in this way. */
  add(path: string, fault: Fault, times = Number.POSITIVE_INFINITY): void {
    this.#rules.push({ path, fault, left: times })
  }

  /** All is well again; held requests go on. */
  clear(): void {
    this.#rules = []
    this.release()
  }

  /** Lets the requests that are held go on. */
  release(): void {
    const held = this.#held
    this.#held = []
    for (const go of held) go()
  }

  /** The fault for a request to this path, used up by the asking. */
  take(path: string): Fault | undefined {
    const rule = this.#rules.find((one) => one.path === path)
    if (!rule) return undefined
    rule.left -= 1
    if (rule.left <= 0) this.#rules = this.#rules.filter((one) => one !== rule)
    return rule.fault
  }

  /** Resolves when `release` or `clear` is called. */
  held(): Promise<void> {
    return new Promise((go) => this.#held.push(go))
  }
}
