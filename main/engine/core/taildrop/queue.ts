/**
 * The queue of what is to be sent: which parcels are tried now, which wait and for what. Pure: what happened comes in with the
 * time, what to do comes out; a parcel's try is begun and ended by whoever carries the wishes out.
 *
 *   queued → (a try runs: waiting-answer, sending, checking) → delivered
 *   a try ends   away → waiting-device of all that goes there, one looks again   broken → queued, later   refused → stopped
 *   a person     pause → paused → resume → queued      stopped → retry → queued      cancel → canceled
 *
 * Never two tries of one parcel: one that was told to end is not tried again before its end is heard. Every parcel that is not
 * over either runs, may be started by time or news, or says in `why` what it waits for.
 */
import type { MonoMs } from '../../base/env.ts'
import type { NewItem, QueueEvent, QueueItem, QueueWishes, SendState, TransferWhy, TryEnd } from './queue-types.ts'
import { nextToTry, type Device, type Item } from './turns.ts'
import { whyOf } from './whys.ts'

const RETRY_MS = [1_000, 2_000, 5_000, 10_000, 30_000, 60_000]
/** How often a device that was away is tried without any sign of it, and with signs. */
export const AWAY_AGAIN_MS = 60_000
export const SIGN_AGAIN_MS = 5_000

export class SendQueue {
  readonly #items = new Map<string, Item>()
  readonly #devices = new Map<string, Device>()
  readonly #delayed = new Set<Item>()
  readonly #tried = new Set<Item>()
  #known: ReadonlyMap<string, boolean> | undefined
  #served = 0
  #changed = new Map<string, { state: SendState; why: TransferWhy | undefined }>()
  #abort: string[] = []

  get(id: string): QueueItem | undefined {
    return this.#items.get(id)
  }

  /** All of them, in the order in which they came. */
  items(): Iterable<QueueItem> {
    return this.#items.values()
  }

  /** Takes what happened; the caller carries the wishes out, all of them. */
  handle(event: QueueEvent, nowMs: MonoMs): QueueWishes {
    this.#changed = new Map()
    this.#abort = []
    this.#take(event, nowMs)
    const start = this.#starts(nowMs)
    return { start, abort: this.#abort, changed: this.#changed, wakeAtMs: this.#wakeAtMs(nowMs) }
  }

  #take(event: QueueEvent, nowMs: MonoMs): void {
    switch (event.kind) {
      case 'add': return event.items.forEach((one) => this.#add(one, nowMs))
      case 'network': return this.#network(event.devices, nowMs)
      case 'heard': return this.#heard(event.peer, nowMs)
      case 'moved': return this.#devices.forEach((device) => this.#call(device, 'the network is another', nowMs))
      case 'step': return this.#step(event.id, event.step)
      case 'progress': return this.#progress(event.id)
      case 'end': return this.#end(event.id, event.end, nowMs)
      case 'stop': return this.#leave(event.id, 'stopped', event.why)
      case 'time': return
      case 'pause': case 'resume': case 'retry': case 'cancel': return event.ids.forEach((id) => this.#intent(event.kind, id, nowMs))
    }
  }

  #add({ id, peer, batch, name, size, state = 'queued', why }: NewItem, nowMs: MonoMs): void {
    if (this.#items.has(id) || isOver(state)) return
    const rests = state === 'paused' || state === 'stopped'
    const item: Item = { id, peer, batch, name, size, state: rests ? state : 'queued', why: rests ? why : undefined, isTried: false, isAborted: false, step: 'begun', failures: 0, notBeforeMs: nowMs }
    this.#items.set(id, item)
    if (item.state !== state) this.#changed.set(id, { state: item.state, why: item.why })
    if (!rests) this.#open(item, nowMs)
  }

  /** It is to be sent, now if that can be. */
  #open(item: Item, nowMs: MonoMs): void {
    item.failures = 0
    item.notBeforeMs = nowMs
    this.#delayed.delete(item)
    const device = this.#deviceOf(item.peer)
    device.open.set(item.id, item)
    // "Online" may be wrong both ways: what is new is tried once in any case.
    this.#look(device, 'something new is to go there', nowMs)
    this.#rest(device, item)
  }

  #deviceOf(peer: string): Device {
    const found = this.#devices.get(peer)
    if (found) return found
    const device: Device = { peer, open: new Map(), tries: 0, isOnline: this.#known?.get(peer) === true, isReached: false, isAway: false, awayMs: 0, lookAtMs: 0, isCalled: false, lookWhy: '', served: 0 }
    this.#devices.set(peer, device)
    return device
  }

  #network(devices: ReadonlyMap<string, boolean> | undefined, nowMs: MonoMs): void {
    const wasConnected = this.#known !== undefined
    this.#known = devices
    for (const device of this.#devices.values()) {
      const isOnline = devices?.get(device.peer) === true
      if (isOnline && !device.isOnline) this.#call(device, 'the server says that it is online', nowMs)
      else if (devices && !wasConnected) this.#call(device, 'this device is connected', nowMs)
      if (device.isOnline && !isOnline) device.isReached = false
      device.isOnline = isOnline
      for (const item of device.open.values()) {
        if (!devices) this.#abortTry(item)
        else if (!devices.has(device.peer)) this.#leave(item.id, 'stopped', whyOf('device-gone'))
        this.#rest(device, item)
      }
    }
  }

  /** There is news of the device. */
  #call(device: Device, why: string, atMs: MonoMs): void {
    if (device.tries > 0) device.isCalled = true
    this.#look(device, why, atMs)
  }

  #look(device: Device, why: string, atMs: MonoMs): void {
    if (!device.isAway || device.lookAtMs <= atMs) return
    device.lookAtMs = atMs
    device.lookWhy = why
  }

  /** A refusal is a packet too: what our own try called forth must not call for the next at once. */
  #heard(peer: string, nowMs: MonoMs): void {
    const device = this.#devices.get(peer)
    if (device) this.#call(device, 'a packet came from it', Math.max(nowMs, device.awayMs + SIGN_AGAIN_MS))
  }

  #step(id: string, step: 'asking' | 'comparing' | 'sending' | 'checking'): void {
    const item = this.#items.get(id)
    if (!item?.isTried || item.isAborted) return
    const wasAsking = item.step === 'asking'
    item.step = step === 'asking' ? 'asking' : 'moving'
    if (step !== 'comparing') this.#reached(item.peer)
    this.#become(item, step === 'asking' ? 'waiting-answer' : step === 'checking' ? 'checking' : 'sending', undefined)
    if (wasAsking !== (step === 'asking')) this.#restBatch(item)
  }

  #progress(id: string): void {
    const item = this.#items.get(id)
    if (item) item.failures = 0
  }

  /** The device answered: what waits for it need not. */
  #reached(peer: string): void {
    const device = this.#devices.get(peer)
    if (!device || (device.isReached && !device.isAway)) return
    const wasAway = device.isAway || !device.isOnline
    device.isReached = true
    device.isAway = false
    if (wasAway) this.#restAll(device)
  }

  #end(id: string, end: TryEnd, nowMs: MonoMs): void {
    const item = this.#items.get(id)
    if (!item?.isTried) return
    const device = this.#deviceOf(item.peer)
    item.isTried = false
    device.tries--
    this.#tried.delete(item)
    const wasAborted = item.isAborted
    const wasAsking = item.step === 'asking'
    item.isAborted = false
    item.step = 'begun'
    if (wasAsking) this.#restBatch(item)
    if (end.kind === 'delivered') this.#leave(id, 'delivered', undefined)
    // Over, or paused or stopped meanwhile.
    if (!device.open.has(id)) return this.#tidy(item, device)
    if (end.kind === 'refused') return this.#leave(id, 'stopped', end.why)
    if (end.kind === 'broken' && !wasAborted) this.#broken(item, device, end, nowMs)
    else if (!wasAborted) this.#delay(item, RETRY_MS[0]!, nowMs)
    this.#rest(device, item)
  }

  #broken(item: Item, device: Device, end: TryEnd & { kind: 'broken' }, nowMs: MonoMs): void {
    if (end.isAway) {
      device.isAway = true
      device.awayMs = nowMs
      device.lookAtMs = nowMs + (device.isCalled ? SIGN_AGAIN_MS : (end.afterMs ?? AWAY_AGAIN_MS))
      device.lookWhy = device.isCalled ? 'something was heard during the last try' : 'it is tried from time to time'
      device.isReached = false
      return this.#restAll(device)
    }
    this.#reached(device.peer)
    device.isReached = false
    this.#delay(item, end.afterMs ?? RETRY_MS[Math.min(item.failures, RETRY_MS.length - 1)]!, nowMs)
    item.failures++
    this.#become(item, 'queued', end.why)
  }

  #delay(item: Item, delayMs: number, nowMs: MonoMs): void {
    item.notBeforeMs = nowMs + delayMs
    this.#delayed.add(item)
  }

  /** The state of one that is not tried now, or whose try has no answer yet. */
  #rest(device: Device, item: Item): void {
    if ((item.isTried && item.step !== 'begun') || !device.open.has(item.id)) return
    if (!this.#known) return this.#become(item, 'waiting-device', whyOf('not-connected'))
    if (device.isAway) return this.#become(item, 'waiting-device', whyOf(device.isOnline ? 'device-silent' : 'device-offline'))
    // Nobody but the device itself can say otherwise, and that takes until the try is given up.
    if (device.tries > 0 && !device.isReached && !device.isOnline) return this.#become(item, 'waiting-device', whyOf('device-offline'))
    if (this.#isAsked(item)) return this.#become(item, 'waiting-answer', undefined)
    this.#become(item, 'queued', item.state === 'waiting-device' ? undefined : item.why)
  }

  /** The question about one of a batch is about all of it. */
  #isAsked({ batch, peer }: Item): boolean {
    for (const one of this.#tried) if (one.step === 'asking' && one.batch === batch && one.peer === peer) return true
    return false
  }

  #restAll(device: Device): void {
    for (const item of device.open.values()) this.#rest(device, item)
  }

  #restBatch({ batch, peer }: Item): void {
    const device = this.#deviceOf(peer)
    for (const one of device.open.values()) if (one.batch === batch) this.#rest(device, one)
  }

  #become(item: Item, state: SendState, why: TransferWhy | undefined): void {
    if (item.state === state && item.why?.Code === why?.Code && item.why?.Text === why?.Text) return
    item.state = state
    item.why = why
    this.#changed.set(item.id, { state, why })
  }

  /** Takes it out of what is to be sent. */
  #leave(id: string, state: SendState, why: TransferWhy | undefined): void {
    const item = this.#items.get(id)
    if (!item || isOver(item.state)) return
    const device = this.#deviceOf(item.peer)
    device.open.delete(id)
    this.#delayed.delete(item)
    this.#abortTry(item)
    this.#become(item, state, why)
    this.#tidy(item, device)
  }

  #tidy(item: Item, device: Device): void {
    if (isOver(item.state) && !item.isTried) this.#items.delete(item.id)
    if (device.open.size === 0 && device.tries === 0) this.#devices.delete(device.peer)
  }

  #abortTry(item: Item): void {
    if (!item.isTried || item.isAborted) return
    item.isAborted = true
    this.#abort.push(item.id)
  }

  #intent(kind: 'pause' | 'resume' | 'retry' | 'cancel', id: string, nowMs: MonoMs): void {
    const item = this.#items.get(id)
    if (!item) return
    const { state } = item
    if (kind === 'cancel') this.#leave(id, 'canceled', undefined)
    else if (kind === 'pause' && state !== 'paused' && state !== 'stopped') this.#leave(id, 'paused', undefined)
    else if ((kind === 'resume' && state === 'paused') || (kind === 'retry' && state === 'stopped')) {
      this.#become(item, 'queued', undefined)
      this.#open(item, nowMs)
    } else if (kind === 'retry' && !isOver(state) && state !== 'paused' && !item.isTried) this.#open(item, nowMs)
  }

  // --- who is next -------------------------------------------------------------------------------------------------

  #starts(nowMs: MonoMs): readonly { id: string; why: string }[] {
    const started: { id: string; why: string }[] = []
    for (const item of this.#delayed) if (item.notBeforeMs <= nowMs) this.#delayed.delete(item)
    for (;;) {
      const next = this.#known && nextToTry(this.#tried, this.#devices.values(), nowMs)
      if (!next) return started
      const { item, device } = next
      started.push({ id: item.id, why: device.isAway ? device.lookWhy : item.failures > 0 ? `the wait after ${item.failures === 1 ? 'a broken try' : `${item.failures} broken tries`} is over` : 'there is a free place' })
      item.isTried = true
      device.tries++
      device.served = ++this.#served
      device.isCalled = false
      this.#tried.add(item)
      if (device.isOnline || device.isReached) continue
      if (device.tries === 1) this.#restAll(device)
      else this.#rest(device, item)
    }
  }

  #wakeAtMs(nowMs: MonoMs): MonoMs | undefined {
    if (!this.#known) return undefined
    let at: MonoMs | undefined
    const sooner = (ms: MonoMs): void => void (at = at === undefined || ms < at ? ms : at)
    for (const item of this.#delayed) if (!item.isTried) sooner(item.notBeforeMs)
    for (const device of this.#devices.values()) if (device.isAway && device.tries === 0 && device.lookAtMs > nowMs) sooner(device.lookAtMs)
    return at
  }
}

const isOver = (state: SendState): boolean => state === 'delivered' || state === 'canceled'
