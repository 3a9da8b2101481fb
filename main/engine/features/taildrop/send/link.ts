/**
 * The connections to one device's PeerAPI, and what was learnt of the device over them: whether it is a Bowline, and which
 * of our files it has in part. When the last connection ends that is forgotten: another program may serve the port by then.
 *
 *   dialled when needed, at most 8 at once; up to 4 idle ones wait 30 s for the next request
 */
import { Agent } from 'node:http'
import type { AgentOptions, ClientRequest, ClientRequestArgs } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Clock } from '../../../base/env.ts'
import { errorText } from '../../../base/errors.ts'
import { SendFault } from './fault.ts'

const MAX_CONNECTIONS = 8
const MAX_IDLE = 4
/** Stock daemons keep theirs for longer, so that it is us who closes. */
const IDLE_MS = 30_000
const DIAL_MS = 10_000

export type Dial = (ip: string, port: number, timeoutMs: number) => Promise<Duplex>

export interface PeerPlace {
  readonly ip: string
  readonly port: number
}

export class PeerLink {
  readonly place: PeerPlace
  /** undefined: not known yet. */
  speaks: 'stock' | 'bowline' | undefined
  /** What the device has in part of ours, as it lists it; `unsaid`: it does not list it; undefined: not asked yet. */
  partials: Set<string> | 'unsaid' | undefined
  /** Batches that are let in. */
  readonly accepted = new Set<string>()
  readonly agent: Agent
  #open = 0

  constructor(clock: Clock, dial: Dial, place: PeerPlace) {
    this.place = place
    this.agent = new TunnelAgent(clock, async () => {
      const stream = await dial(place.ip, place.port, DIAL_MS)
      this.#open++
      stream.once('close', () => this.#closed())
      return stream
    })
  }

  /** Ends what is idle; what is under way goes on. */
  retire(): void {
    for (const sockets of Object.values(this.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy()
  }

  get connections(): number {
    return this.#open
  }

  #closed(): void {
    if (--this.#open > 0) return
    this.speaks = undefined
    this.partials = undefined
    this.accepted.clear()
  }
}

class TunnelAgent extends Agent {
  readonly #clock: Clock
  readonly #connect: () => Promise<Duplex>
  readonly #idle = new WeakMap<Duplex, () => void>()

  constructor(clock: Clock, connect: () => Promise<Duplex>) {
    const options: AgentOptions = { keepAlive: true, maxSockets: MAX_CONNECTIONS, maxFreeSockets: MAX_IDLE, scheduling: 'lifo' }
    super(options)
    this.#clock = clock
    this.#connect = connect
  }

  override createConnection(_options: ClientRequestArgs, done?: (error: Error | null, stream: Duplex) => void): undefined {
    this.#connect().then(
      (stream) => {
        stream.once('close', () => this.#wake(stream))
        done!(null, stream)
      },
      (error: unknown) => done!(new SendFault('away', errorText(error), { cause: error }), undefined as never),
    )
    return undefined
  }

  override keepSocketAlive(stream: Duplex): boolean {
    this.#idle.set(stream, this.#clock.after(IDLE_MS, () => stream.destroy()))
    // Node's own part sees to it that nothing is said on an idle connection.
    super.keepSocketAlive(stream)
    return true
  }

  override reuseSocket(stream: Duplex, request: ClientRequest): void {
    this.#wake(stream)
    super.reuseSocket(stream, request)
  }

  #wake(stream: Duplex): void {
    this.#idle.get(stream)?.()
    this.#idle.delete(stream)
  }
}
