/**
 * Forwards: ports of this computer that lead to places of the network, for programs that know nothing of proxies.
 *
 *   wanted (the profile's own, and temporary ones) ─ connected? ─→ listening ⇄ failed (tried again, ever rarer)
 *                                                  ╰ no ────────→ off
 *
 * The data plane listens and carries; each connection asks here where it goes, so that names, routes, the exit node and
 * policy are those of the moment. A temporary forward ends when nobody has used it for a while.
 */
import type { Env } from '../base/env.ts'
import { EngineError, errorText } from '../base/errors.ts'
import { formatAddrPort, isLoopbackIp, parseAddrPort } from '../base/ip.ts'
import type { AddrPort } from '../base/ip.ts'
import type { Extras, Forward } from '../../localapi/extras.ts'
import type { ForwardRow, ForwardsPage, OpenedForward } from '../../localapi/forwards.ts'
import { formatTarget, listenAddress, refused, targetOf } from './forward-address.ts'
import type { Target } from './forward-address.ts'
import type { Model } from './model.ts'
import type { DataplanePort, ForwardRequest, ProxyAnswer } from './ports.ts'
import { carries } from './state.ts'

const MAX_FORWARDS = 200
const MAX_TEMPORARY = 32
const FIRST_RETRY_MS = 1_000
const LONGEST_RETRY_MS = 30_000
/** A temporary forward that nobody used for so long is closed. */
const TEMPORARY_MS = 10 * 60_000
const PROBE_MS = 5_000
/** The same fault of the same forward is one event in so long. */
const QUIET_MS = 10_000

/** What becomes of a connection that was allowed, said after the place. */
const FAILURES: Readonly<Record<string, string>> = {
  refused: 'refused the connection: nothing listens on that port',
  unreachable: 'cannot be reached',
  'timed-out': 'did not answer in time',
  'no-address': 'has no address of a family that this device has',
  blocked: 'does not let this device in: its policy forbids it',
  limit: 'was not asked: too many connections are open',
  cancelled: 'was not reached before the way there changed',
}

interface Open {
  readonly forward: Forward
  readonly address: AddrPort
  readonly to: Target
  /** For the data plane. */
  readonly number: number
  readonly isTemporary: boolean
  isListening: boolean
  why: string | undefined
  retryMs: number
  cancelTimer: () => void
  lastError: { text: string; atMs: number } | undefined
}

export interface ForwardsDeps {
  readonly env: Env
  readonly model: Model
  readonly dataplane: DataplanePort
  readonly door: { plan(host: string, port: number): Promise<ProxyAnswer>; give(id: number, answer: ProxyAnswer): void; look(host: string, port: number): ProxyAnswer | { readonly kind: 'ask' } }
  /** Saves and tells. */
  readonly takeExtras: (extras: Extras) => void
  /** Which program listens there, as a clause. */
  readonly whoListens: ((proto: 'tcp' | 'udp', at: AddrPort) => string | undefined) | undefined
}

export class Forwards {
  readonly #deps: ForwardsDeps
  readonly #open = new Map<string, Open>()
  #temporary: readonly Forward[] = []
  #numbers = 0

  constructor(deps: ForwardsDeps) {
    this.#deps = deps
  }

  /** Opens and closes what the profile and the connection call for; does the least. */
  sync(): void {
    const { model } = this.#deps
    const isOn = carries(model.life) && model.netMap !== undefined
    if (!isOn) this.#temporary = []
    const wanted = new Map((isOn ? [...model.saved.extras.Forwards, ...this.#temporary] : []).map((one) => [one.ID, one]))
    for (const [id, open] of this.#open) if (!isSame(wanted.get(id), open.forward)) this.#close(id, open)
    for (const forward of wanted.values()) if (!this.#open.has(forward.ID)) this.#listen(this.#begin(forward, this.#temporary.includes(forward)))
  }

  stop(): void {
    for (const open of this.#open.values()) open.cancelTimer()
  }

  page(): ForwardsPage {
    const counts = new Map(this.#deps.dataplane.forwardCounts().map((one) => [one.id, one]))
    const row = (forward: Forward): ForwardRow => {
      const open = this.#open.get(forward.ID)
      const count = open && counts.get(open.number)
      const why = open?.why ?? this.#whereTo(forward)
      return {
        ...forward,
        State: !open ? 'off' : open.isListening ? 'listening' : 'failed',
        ...(why === undefined ? {} : { Why: why }),
        ...(open?.isTemporary ? { Temporary: true } : {}),
        ...(open?.lastError ? { LastError: { Text: open.lastError.text, At: new Date(open.lastError.atMs).toISOString() } } : {}),
        Open: count?.open ?? 0,
        Total: count?.total ?? 0,
      }
    }
    return { Forwards: [...this.#deps.model.saved.extras.Forwards, ...this.#temporary].map(row) }
  }

  /** Adds a forward and opens it at once; throws EngineError('bad-prefs') and changes nothing when it cannot be. */
  add(addition: unknown): ForwardRow {
    const { env, model, takeExtras } = this.#deps
    const { extras } = model.saved
    const { proto, address, to } = readAddition(addition)
    if (extras.Forwards.length >= MAX_FORWARDS) throw refused(`There are ${MAX_FORWARDS} forwards already. Remove one first: bowline forward remove ID`)
    const listen = formatAddrPort(address)
    const other = [...extras.Forwards, ...this.#temporary].find((one) => one.Proto === proto && one.Listen === listen)
    if (other) throw refused(`Port ${address.port} leads to ${other.To} already (${other.ID}).${this.#temporary.includes(other) ? '' : ` Remove that first: bowline forward remove ${other.ID}`}`)
    const made = this.#begin({ ID: nextId('f', extras.Forwards), Proto: proto, Listen: listen, To: formatTarget(to), Created: new Date(env.clock.wallMs()).toISOString() }, false)
    const bound = this.#tryListen(made)
    if (!bound) {
      this.#open.delete(made.forward.ID)
      throw refused(made.why!)
    }
    const forward = { ...made.forward, Listen: formatAddrPort(bound) }
    const open = { ...made, forward, address: bound }
    this.#open.set(forward.ID, open)
    if (this.#leadsBack(proto, this.#deps.door.look(to.host, to.port))) {
      this.#close(forward.ID, open)
      throw refused(`${forward.To} leads back to a forward of this computer: connections would go in a circle.`)
    }
    env.journal.add({ part: 'forward', kind: 'added', why: 'a person asked for it', id: forward.ID, proto, listen: forward.Listen, to: forward.To })
    takeExtras({ ...extras, Forwards: [...extras.Forwards, forward] })
    this.sync()
    return this.page().Forwards.find((row) => row.ID === forward.ID)!
  }

  /** Removes the forward with this ID or port, or "all"; answers what went. Throws EngineError('not-found'). */
  remove(which: string): ForwardsPage {
    const { env, model, takeExtras } = this.#deps
    const { extras } = model.saved
    const fits = (one: Forward): boolean => which === 'all' || one.ID === which || one.Listen === which || (/^\d+$/.test(which) && parseAddrPort(one.Listen)!.port === Number(which))
    const gone = this.page().Forwards.filter(fits)
    if (gone.length === 0 && which !== 'all') throw new EngineError('not-found', `There is no forward ${JSON.stringify(which.slice(0, 100))}. See: bowline forward list`)
    for (const { ID: id, To: to } of gone) env.journal.add({ part: 'forward', kind: 'removed', why: 'a person asked for it', id, to })
    this.#temporary = this.#temporary.filter((one) => !fits(one))
    takeExtras({ ...extras, Forwards: extras.Forwards.filter((one) => !fits(one)) })
    this.sync()
    return { Forwards: gone }
  }

  /** Opens a place for a while, after a look whether anybody is there; an open one is used again. Rejects with EngineError. */
  async open(place: string, scheme: string): Promise<OpenedForward> {
    const { env, model } = this.#deps
    const to = targetOf(place, scheme === 'https' ? 443 : scheme === 'http' ? 80 : 0)
    if (!carries(model.life)) throw new EngineError('not-supported', 'This device is not connected.')
    await this.#probe(to)
    const text = formatTarget(to)
    const known = this.#temporary.find((one) => one.To === text && this.#open.get(one.ID)?.isListening)
    if (known) return openedOf(known, scheme)
    if (this.#temporary.length >= MAX_TEMPORARY) throw refused(`${MAX_TEMPORARY} places are open at once. Close one first: bowline forward list`)
    const made = this.#begin({ ID: nextId('t', this.#temporary), Proto: 'tcp', Listen: '127.0.0.1:0', To: text, Created: new Date(env.clock.wallMs()).toISOString() }, true)
    const bound = this.#tryListen(made)
    this.#open.delete(made.forward.ID)
    if (!bound) throw refused(made.why!)
    const forward = { ...made.forward, Listen: formatAddrPort(bound) }
    const open = { ...made, forward, address: bound }
    this.#open.set(forward.ID, open)
    this.#temporary = [...this.#temporary, forward]
    this.#watchUse(open, 0)
    env.journal.add({ part: 'forward', kind: 'opened', why: 'a person asked for it', id: forward.ID, listen: forward.Listen, to: text })
    return openedOf(forward, scheme)
  }

  /** A connection, or the first datagram of a program, wants to know where it goes. */
  handleRequest({ id, forward: number }: ForwardRequest): void {
    const { dataplane, door, env } = this.#deps
    const open = this.#byNumber(number)
    if (!open) return dataplane.answerProxy(id, { kind: 'refuse', code: 'unreachable', message: 'the forward is gone' })
    door.plan(open.to.host, open.to.port).then(
      (planned) => {
        const answer: ProxyAnswer = this.#leadsBack(open.forward.Proto, planned) ? { kind: 'refuse', code: 'not-allowed', message: `${open.forward.To} leads back to a forward of this computer` } : planned
        if (answer.kind === 'refuse') this.#noteFailure(open, answer.message, 'refused')
        door.give(id, answer)
      },
      (error: unknown) => env.log.warn('a forward could not be answered', { error: errorText(error) }),
    )
  }

  /** A connection that was allowed did not come about. */
  handleFailed(number: number, code: string): void {
    const open = this.#byNumber(number)
    if (open) this.#noteFailure(open, `${open.forward.To} ${FAILURES[code] ?? 'cannot be reached'}`, 'failed')
  }

  /** Whether connections would come back to a forward of ours, and so on without end. */
  #leadsBack(proto: 'tcp' | 'udp', answer: ProxyAnswer | { readonly kind: 'ask' }): boolean {
    if (answer.kind !== 'system' || !answer.addresses.some(isLoopbackIp)) return false
    return [...this.#open.values()].some(({ forward, address, isListening }) => isListening && forward.Proto === proto && address.port === answer.port)
  }

  #byNumber(number: number): Open | undefined {
    for (const open of this.#open.values()) if (open.number === number) return open
    return undefined
  }

  #noteFailure(open: Open, text: string, kind: string): void {
    const { clock, journal } = this.#deps.env
    const atMs = clock.wallMs()
    const last = open.lastError
    open.lastError = { text, atMs }
    if (last?.text === text && atMs - last.atMs < QUIET_MS) return
    journal.add({ part: 'forward', kind, why: text, id: open.forward.ID, to: open.forward.To })
  }

  #begin(forward: Forward, isTemporary: boolean): Open {
    const open: Open = {
      forward, address: parseAddrPort(forward.Listen)!, to: targetOf(forward.To), number: ++this.#numbers, isTemporary,
      isListening: false, why: undefined, retryMs: FIRST_RETRY_MS, cancelTimer: () => {}, lastError: undefined,
    }
    this.#open.set(forward.ID, open)
    return open
  }

  /** Listens, or comes back to it later. */
  #listen(open: Open): void {
    const { env } = this.#deps
    const before = open.why
    if (this.#tryListen(open)) {
      if (open.isTemporary) this.#watchUse(open, 0)
      return env.journal.add({ part: 'forward', kind: 'listening', why: before === undefined ? 'this device is connected' : 'the port is free now', id: open.forward.ID, listen: open.forward.Listen, to: open.forward.To })
    }
    if (open.why !== before) {
      env.journal.add({ part: 'forward', kind: 'not-listening', why: open.why!, id: open.forward.ID })
      env.log.part('forward').info(`${open.forward.ID} → failed (${open.why!})`)
    }
    open.cancelTimer = env.clock.after(open.retryMs, () => this.#listen(open))
    open.retryMs = Math.min(open.retryMs * 2, LONGEST_RETRY_MS)
  }

  /** The address that it listens on; undefined with a sentence in `why`. */
  #tryListen(open: Open): AddrPort | undefined {
    try {
      const bound = this.#deps.dataplane.listenForward(open.number, open.forward.Proto, open.address)
      Object.assign(open, { isListening: true, why: undefined })
      return bound
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      open.why = this.#whyNot(open, error)
      return undefined
    }
  }

  #whyNot({ forward, address }: Open, error: EngineError): string {
    const { port } = address
    if (error.code === 'address-in-use') {
      const who = this.#deps.whoListens?.(forward.Proto, address)
      return `Port ${port} of this computer is in use${who === undefined ? '' : ` by ${who}`}. Choose another, or end that program.`
    }
    if (error.code === 'access-denied') return `Port ${port} of this computer wants admin rights, as those below 1024 do. Choose a higher one.`
    return `Port ${port} of this computer cannot be used: ${error.message}`
  }

  #close(id: string, open: Open): void {
    open.cancelTimer()
    this.#open.delete(id)
    if (open.isListening) this.#deps.dataplane.closeForward(open.number)
  }

  /** Closes a temporary forward once nothing is open by it, and nothing was since the last look. */
  #watchUse(open: Open, totalBefore: number): void {
    const { env, dataplane } = this.#deps
    open.cancelTimer = env.clock.after(TEMPORARY_MS, () => {
      const count = dataplane.forwardCounts().find((one) => one.id === open.number)
      if (count && (count.open > 0 || count.total > totalBefore)) return this.#watchUse(open, count.total)
      env.journal.add({ part: 'forward', kind: 'closed', why: 'nobody used it for ten minutes', id: open.forward.ID, to: open.forward.To })
      this.#temporary = this.#temporary.filter((one) => one !== open.forward)
      this.sync()
    })
  }

  async #probe({ host, port }: Target): Promise<void> {
    const plan = await this.#deps.door.plan(host, port)
    if (plan.kind === 'refuse') throw new EngineError('not-found', `${host} cannot be opened: ${plan.message}.`)
    if (plan.kind !== 'tunnel') return
    const stream = await this.#deps.dataplane.dial(plan.addresses[0]!, plan.port, PROBE_MS).catch((error: unknown) => {
      const code = /[a-z-]+$/.exec(errorText(error))?.[0] ?? ''
      throw new EngineError('not-found', `${formatTarget({ host, port })} ${FAILURES[code] ?? FAILURES['unreachable']!}.`, { cause: error })
    })
    stream.destroy()
  }

  /** Where a forward leads when its name does not say so plainly. */
  #whereTo(forward: Forward): string | undefined {
    const { host, port } = targetOf(forward.To)
    const found = this.#deps.door.look(host, port)
    if (found.kind === 'refuse') return carries(this.#deps.model.life) ? found.message : undefined
    if (found.kind === 'ask') return `no device of this network is called ${host}: each connection asks a resolver for it`
    if (found.kind !== 'system') return undefined
    return found.addresses.every(isLoopbackIp) ? 'leads to this computer itself' : 'leads past the tunnel, by the network of this computer'
  }
}

function isSame(a: Forward | undefined, b: Forward): boolean {
  return a !== undefined && a.Proto === b.Proto && a.Listen === b.Listen && a.To === b.To
}

function openedOf({ ID, Listen }: Forward, scheme: string): OpenedForward {
  return { ID, Listen, ...(scheme === '' ? {} : { URL: `${scheme}://${Listen}/` }) }
}

/** The lowest number that is free. */
function nextId(letter: string, taken: readonly Forward[]): string {
  for (let n = 1; ; n++) if (!taken.some((one) => one.ID === `${letter}${n}`)) return `${letter}${n}`
}

function readAddition(value: unknown): { proto: 'tcp' | 'udp'; address: AddrPort; to: Target } {
  const { Proto = 'tcp', Listen, To } = (typeof value === 'object' && value !== null ? value : {}) as Record<string, unknown>
  if (typeof Listen !== 'string' || typeof To !== 'string') throw refused('A forward wants Listen and To, like {"Listen": "5432", "To": "db:5432"}.')
  if (Proto !== 'tcp' && Proto !== 'udp') throw refused('Proto is "tcp" or "udp".')
  const address = listenAddress(Listen)
  return { proto: Proto, address, to: targetOf(To, address.port) }
}
