/**
 * Names as the system resolves them, hosts file included, with a bound on time, and the addresses remembered of a host
 * for when DNS is slow or broken.
 *
 * One lookup a name is under way at a time: the system has only a few threads for them, and with broken DNS each is held
 * for half a minute.
 */
import { lookup } from 'node:dns/promises'
import { isIP } from 'node:net'
import { EngineError } from '../base/errors.ts'

/** How long DNS may take before remembered addresses are tried beside it. */
const PATIENCE_MS = 400
const LIMIT_MS = 5000

export type Lookup = (host: string, options: { all: true; verbatim: true; family: 0 | 4 | 6 }) => Promise<readonly { readonly address: string }[]>

export interface ResolverOptions {
  readonly lookup: Lookup
  /** Addresses at which a host was reached before. */
  readonly remembered?: (host: string) => readonly string[]
  readonly patienceMs?: number
  readonly limitMs?: number
}

export interface Find {
  readonly family?: 4 | 6
  readonly signal?: AbortSignal
}

export class Resolver {
  readonly #lookup: Lookup
  readonly #remembered: (host: string) => readonly string[]
  readonly #patienceMs: number
  readonly #limitMs: number
  readonly #underway = new Map<string, Promise<readonly string[]>>()

  constructor(options: ResolverOptions) {
    this.#lookup = options.lookup
    this.#remembered = options.remembered ?? (() => [])
    this.#patienceMs = options.patienceMs ?? PATIENCE_MS
    this.#limitMs = options.limitMs ?? LIMIT_MS
  }

  /**
   * Tells addresses as they become known: the system's, and remembered ones when it takes long or fails. Resolves when no
   * more will come. Rejects with EngineError('dns-no-such-name' | 'dns-failed') when DNS has none; remembered ones were told.
   */
  async find(host: string, find: Find, tell: (addresses: readonly string[], from: 'system' | 'memory') => void): Promise<void> {
    if (isIP(host) !== 0) return tell([host], 'system')
    const remembered = this.#remembered(host).filter((address) => find.family === undefined || isIP(address) === find.family)
    let toldMemory = remembered.length === 0
    const tellMemory = (): void => {
      if (!toldMemory && find.signal?.aborted !== true) tell(remembered, 'memory')
      toldMemory = true
    }
    const timer = setTimeout(tellMemory, this.#patienceMs)
    try {
      tell(await this.#within(this.#ask(host, find.family ?? 0), host), 'system')
    } catch (error) {
      tellMemory()
      throw dnsFault(error, host)
    } finally {
      clearTimeout(timer)
    }
  }

  /** All addresses of a name, families taking turns, else remembered ones. Rejects as `find` does when there are none. */
  async addresses(host: string, family?: 4 | 6): Promise<readonly string[]> {
    const told: string[] = []
    try {
      await this.find(host, family === undefined ? {} : { family }, (addresses) => told.push(...addresses))
    } catch (error) {
      if (told.length === 0) throw error
    }
    return [...new Set(told)]
  }

  #ask(host: string, family: 0 | 4 | 6): Promise<readonly string[]> {
    const key = `${family} ${host.toLowerCase()}`
    let answer = this.#underway.get(key)
    if (!answer) {
      answer = this.#lookup(host, { all: true, verbatim: true, family }).then((found) => alternate(found.map((entry) => entry.address)))
      this.#underway.set(key, answer)
      const done = (): void => void this.#underway.delete(key)
      answer.then(done, done)
    }
    return answer
  }

  #within<T>(work: Promise<T>, host: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new EngineError('dns-failed', slow(host))), this.#limitMs)
      work.then(resolve, reject).finally(() => clearTimeout(timer))
    })
  }
}

/** The addresses with families taking turns, the first one's family first. */
function alternate(addresses: readonly string[]): string[] {
  const first = addresses[0] === undefined ? 0 : isIP(addresses[0])
  const ours = addresses.filter((address) => isIP(address) === first)
  const others = addresses.filter((address) => isIP(address) !== first)
  const out: string[] = []
  for (let i = 0; i < Math.max(ours.length, others.length); i++) {
    for (const list of [ours, others]) if (list[i] !== undefined) out.push(list[i]!)
  }
  return out
}

function dnsFault(error: unknown, host: string): EngineError {
  if (error instanceof EngineError) return error
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOTFOUND' || code === 'EAI_NONAME') {
    return new EngineError('dns-no-such-name', `DNS knows no ${host}. Check how the name is spelled, and whether it is known in this network`, { cause: error })
  }
  if (code === 'ENODATA' || code === 'EAI_NODATA') return new EngineError('dns-no-such-name', `DNS has no address for ${host}. Ask whoever runs the server`, { cause: error })
  return new EngineError('dns-failed', slow(host), { cause: error })
}

function slow(host: string): string {
  return `DNS does not answer, so ${host} cannot be found. Check this computer's network and its DNS servers`
}

/** As any program asks the system, its hosts file included. */
export const systemLookup: Lookup = lookup

/** Addresses of a name, IPv4 first; rejects when it has none. */
export async function resolveHost(host: string, by: Lookup): Promise<readonly string[]> {
  const found = await by(host, { all: true, verbatim: true, family: 0 })
  return found.map((entry) => entry.address).toSorted((a, b) => isIP(a) - isIP(b))
}
