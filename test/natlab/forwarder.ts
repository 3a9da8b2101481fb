/**
 * The native forwarder: links between namespaces with what the kernel cannot play. One process for all links; it ends with
 * this one.
 */
import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process'
import { createInterface } from 'node:readline'
import { program } from './programs.ts'

/** One end of a link: a TUN device of that name is made in the namespace. */
export interface LinkEnd {
  readonly namespace: string
  readonly device: string
}

/** What counts of a destination (RFC 4787 §4.1, §5): nothing, its address, or its address and port. */
export type Scope = 'endpoint' | 'address' | 'port'

/** What is left out stays as it is. */
export interface LinkSettings {
  /** Each way. */
  readonly delayMs?: number
  /** More delay at random for each packet, so that they overtake each other. */
  readonly jitterMs?: number
  /** Each way, independently. */
  readonly lossPercent?: number
  /** Starts the random series anew. */
  readonly seed?: number
  /** Longer packets vanish without a word; 0 = no limit. */
  readonly mtu?: number
  /** The ways that let UDP pass. */
  readonly udp?: 'both' | 'out' | 'in' | 'none'
  /** Translates to this address, and lets only answers in. */
  readonly outer?: string
  readonly mapping?: Scope
  readonly filtering?: Scope
  readonly ports?: 'keep' | 'random'
  readonly hairpin?: boolean
}

export interface WayCounts {
  readonly passed: number
  /** On purpose. */
  readonly lost: number
  readonly refused: number
  /** For want of room. */
  readonly overflowed: number
}

export class Forwarder {
  #process: ChildProcessWithoutNullStreams | undefined
  #answers: AsyncIterator<string> | undefined
  #turn: Promise<unknown> = Promise.resolve()

  async start(): Promise<void> {
    this.#process = spawn(await program('natlab-forwarder'))
    this.#process.stderr.pipe(process.stderr)
    this.#answers = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]()
    const { value } = await this.#answers.next()
    if (value !== 'ready') throw new Error('the forwarder did not start')
  }

  /** Makes a link. Neither end has an address yet or is up. */
  async link(id: string, inside: LinkEnd, outside: LinkEnd): Promise<void> {
    await this.#ask(`link ${id} ${inside.namespace} ${inside.device} ${outside.namespace} ${outside.device}`)
  }

  async set(id: string, settings: LinkSettings): Promise<void> {
    const { delayMs, jitterMs, lossPercent, hairpin, ...rest } = settings
    const words = Object.entries({
      ...(delayMs === undefined ? {} : { delay_us: Math.round(delayMs * 1000) }),
      ...(jitterMs === undefined ? {} : { jitter_us: Math.round(jitterMs * 1000) }),
      ...(lossPercent === undefined ? {} : { loss_ppm: Math.round(lossPercent * 10_000) }),
      ...(hairpin === undefined ? {} : { hairpin: hairpin ? 'on' : 'off' }),
      ...rest,
    }).map(([name, value]) => `${name}=${value}`)
    await this.#ask(['set', id, ...words].join(' '))
  }

  /** The link's NAT forgets its mappings and takes other ports from here on. */
  async rebind(id: string): Promise<void> {
    await this.#ask(`rebind ${id}`)
  }

  /** Outward first. */
  async counts(id: string): Promise<readonly [WayCounts, WayCounts]> {
    return JSON.parse(await this.#ask(`stats ${id}`)) as [WayCounts, WayCounts]
  }

  stop(): void {
    this.#process?.stdin.end()
    this.#process = undefined
  }

  /** One question, one line of answer, in turn. */
  #ask(line: string): Promise<string> {
    const answer = this.#turn.then(async () => {
      if (this.#process === undefined) throw new Error('the forwarder does not run')
      this.#process.stdin.write(`${line}\n`)
      const { value } = (await this.#answers?.next()) ?? {}
      const text = String(value ?? 'error it ended')
      if (text.startsWith('error')) throw new Error(`forwarder: ${line}: ${text}`)
      return text
    })
    this.#turn = answer.catch(() => undefined)
    return answer
  }
}
