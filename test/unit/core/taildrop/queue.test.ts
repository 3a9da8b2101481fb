import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { QueueEvent, QueueWishes, TryEnd } from '../../../../main/engine/core/taildrop/queue-types.ts'
import { AWAY_AGAIN_MS, SendQueue, SIGN_AGAIN_MS } from '../../../../main/engine/core/taildrop/queue.ts'
import { MAX_MOVING, MAX_OF_DEVICE, MAX_TRIES, MAX_TRIES_OF_DEVICE, SMALL_BYTES } from '../../../../main/engine/core/taildrop/turns.ts'

const BROKEN: TryEnd = { kind: 'broken', why: { Code: 'broken-off', Text: 'it broke off' }, isAway: false }
const AWAY: TryEnd = { kind: 'broken', why: { Code: 'peer-away', Text: 'away' }, isAway: true }
const LARGE = 10_000_000_000

/** A queue with a clock, that keeps what runs. */
class Hand {
  readonly queue = new SendQueue()
  readonly running = new Set<string>()
  nowMs = 1_000
  wakeAtMs: number | undefined
  last: QueueWishes | undefined

  constructor(devices: ReadonlyMap<string, boolean> | undefined = new Map([['a', true], ['b', true], ['c', true]])) {
    this.do({ kind: 'network', devices })
  }

  do(event: QueueEvent): readonly string[] {
    const wishes = this.queue.handle(event, this.nowMs)
    for (const { id } of wishes.start) {
      expect(this.running.has(id)).toBe(false)
      this.running.add(id)
    }
    this.wakeAtMs = wishes.wakeAtMs
    this.last = wishes
    return wishes.start.map(({ id }) => id)
  }

  add(id: string, peer = 'a', size = 1, more: { batch?: string; name?: string } = {}): readonly string[] {
    return this.do({ kind: 'add', items: [{ id, peer, size, batch: more.batch ?? 'x', name: more.name ?? id }] })
  }

  end(id: string, end: TryEnd = { kind: 'delivered' }): readonly string[] {
    this.running.delete(id)
    return this.do({ kind: 'end', id, end })
  }

  sends(id: string): void {
    this.do({ kind: 'step', id, step: 'sending' })
  }

  /** Goes to the next moment at which the queue wants to be asked. */
  wake(): readonly string[] {
    expect(this.wakeAtMs).toBeDefined()
    this.nowMs = this.wakeAtMs!
    return this.do({ kind: 'time' })
  }

  state(id: string): string | undefined {
    return this.queue.get(id)?.state
  }
}

describe('who is tried', () => {
  test('four at once and two of one device; the rest wait for a place', () => {
    const hand = new Hand()
    for (const id of ['a1', 'a2', 'a3', 'b1', 'b2', 'c1']) hand.add(id, id[0]!)
    expect([...hand.running]).toEqual(['a1', 'a2', 'b1', 'b2'])
    expect(hand.end('a1')).toEqual(['c1'])
    expect(hand.end('b1')).toEqual(['a3'])
  })

  test('a small file does not wait behind large ones, at its device and of all', () => {
    const hand = new Hand(new Map('abcd'.split('').map((peer) => [peer, true])))
    for (const peer of 'abcd') hand.add(`${peer}-large`, peer, LARGE)
    expect([...hand.running]).toEqual(['a-large', 'b-large', 'c-large'])
    expect(hand.add('a-large2', 'a', LARGE)).toEqual([])
    expect(hand.add('a-small', 'a', SMALL_BYTES)).toEqual(['a-small'])
    expect(hand.end('a-small')).toEqual([])
    expect(hand.end('c-large')).toEqual(['d-large'])
  })

  test('what has no known size counts as large', () => {
    const hand = new Hand()
    hand.add('s1', 'a', -1)
    expect(hand.add('s2', 'a', -1)).toEqual([])
  })

  test('devices take turns', () => {
    const hand = new Hand(new Map('abcdef'.split('').map((peer) => [peer, true])))
    for (let n = 0; n < 6; n++) for (const peer of 'abcdef') hand.add(`${peer}${n}`, peer)
    const order: string[] = [...hand.running]
    while (hand.running.size > 0) order.push(...hand.end([...hand.running][0]!))
    for (let at = 0; at + 12 <= order.length; at += 6) expect(new Set(order.slice(at, at + 12).map((id) => id[0])).size).toBeGreaterThanOrEqual(5)
    expect(order.length).toBe(36)
  })

  test('two things of the same name never go to one device at once', () => {
    const hand = new Hand()
    hand.add('1', 'a', 1, { name: 'x.txt' })
    expect(hand.add('2', 'a', 1, { name: 'x.txt' })).toEqual([])
    expect(hand.end('1')).toEqual(['2'])
  })

  test('while a person is asked about a batch, nothing more of it is begun, and other devices have the places', () => {
    const hand = new Hand()
    hand.add('1', 'a', 1, { batch: 'one' })
    hand.do({ kind: 'step', id: '1', step: 'asking' })
    expect(hand.state('1')).toBe('waiting-answer')
    expect(hand.add('2', 'a', 1, { batch: 'one' })).toEqual([])
    expect(hand.state('2')).toBe('waiting-answer')
    expect(hand.add('3', 'a', 1, { batch: 'two' })).toEqual(['3'])
    for (const id of ['b1', 'b2', 'c1', 'c2']) hand.add(id, id[0]!)
    expect([...hand.running]).toEqual(['1', '3', 'b1', 'b2', 'c1'])
    hand.sends('1')
    expect(hand.state('2')).toBe('queued')
    for (const id of ['3', 'b1', 'b2', 'c1']) hand.end(id)
    expect(hand.running.has('2')).toBe(true)
  })

  test('what waits for a person takes no place from the next: each batch is offered, and two may move beside them', () => {
    const hand = new Hand()
    for (const batch of ['1', '2', '3', '4', '5', '6']) {
      expect(hand.add(batch, 'a', LARGE, { batch })).toEqual([batch])
      hand.do({ kind: 'step', id: batch, step: 'asking' })
    }
    expect(hand.add('7', 'a', 1, { batch: '7' })).toEqual(['7'])
    hand.sends('7')
    expect(hand.add('8', 'a', LARGE, { batch: '8' })).toEqual(['8'])
    hand.sends('8')
    expect(hand.add('9', 'a', 1, { batch: '9' })).toEqual([])
    expect(hand.end('7')).toEqual(['9'])
  })

  test('questions at one device leave the others their places', () => {
    const peers = 'abcdefghij'.split('')
    const hand = new Hand(new Map(peers.map((peer) => [peer, true])))
    for (const peer of peers) {
      for (let n = 0; n < MAX_TRIES_OF_DEVICE; n++) {
        const id = `${peer}${n}`
        if (hand.add(id, peer, 1, { batch: id }).length > 0) hand.do({ kind: 'step', id, step: 'asking' })
      }
    }
    const asked = peers.map((peer) => [...hand.running].filter((id) => id.startsWith(peer)).length)
    expect(asked).toEqual([8, 2, 2, 2, 2, 0, 0, 0, 0, 0])
  })
})

describe('tries that fail', () => {
  test('are repeated after 1, 2, 5, 10, 30, 60, 60 seconds, and from the start again once some of it arrived', () => {
    const hand = new Hand()
    hand.add('1')
    const waits: number[] = []
    for (let n = 0; n < 7; n++) {
      const before = hand.nowMs
      hand.sends('1')
      hand.end('1', BROKEN)
      expect(hand.queue.get('1')).toMatchObject({ state: 'queued', why: { Code: 'broken-off' } })
      expect(hand.wake()).toEqual(['1'])
      waits.push((hand.nowMs - before) / 1000)
    }
    expect(waits).toEqual([1, 2, 5, 10, 30, 60, 60])
    hand.do({ kind: 'progress', id: '1' })
    hand.end('1', BROKEN)
    expect(hand.wakeAtMs! - hand.nowMs).toBe(1_000)
  })

  test('wait as long as the receiver says', () => {
    const hand = new Hand()
    hand.add('1')
    hand.end('1', { ...BROKEN, afterMs: 7_000 } as TryEnd)
    expect(hand.wakeAtMs! - hand.nowMs).toBe(7_000)
  })

  test('a final refusal stops it with its why; trying again begins anew', () => {
    const hand = new Hand()
    hand.add('1')
    hand.end('1', { kind: 'refused', why: { Code: 'peer-no-space', Text: 'full' } })
    expect(hand.queue.get('1')).toMatchObject({ state: 'stopped', why: { Code: 'peer-no-space' } })
    expect(hand.wakeAtMs).toBeUndefined()
    expect(hand.do({ kind: 'retry', ids: ['1'] })).toEqual(['1'])
  })
})

describe('a device that is away', () => {
  test('is tried once although the server says offline, and then waited for: one look a minute, by one try', () => {
    const hand = new Hand(new Map([['a', false]]))
    for (const id of ['1', '2', '3']) hand.add(id)
    expect([...hand.running]).toEqual(['1', '2'])
    hand.end('1', AWAY)
    hand.end('2', AWAY)
    for (const id of ['1', '2', '3']) expect(hand.queue.get(id)).toMatchObject({ state: 'waiting-device', why: { Code: 'device-offline' } })
    expect(hand.wakeAtMs! - hand.nowMs).toBe(AWAY_AGAIN_MS)
    expect(hand.wake()).toHaveLength(1)
    expect(hand.running.size).toBe(1)
  })

  test('is said to be offline while it is dialled already, until it answers', () => {
    const hand = new Hand(new Map([['a', false]]))
    for (const id of ['1', '2', '3']) hand.add(id)
    for (const id of ['1', '2', '3']) expect(hand.queue.get(id)).toMatchObject({ state: 'waiting-device', why: { Code: 'device-offline' } })
    hand.sends('2')
    expect(['1', '2', '3'].map((id) => hand.state(id))).toEqual(['queued', 'sending', 'queued'])
    hand.do({ kind: 'network', devices: new Map([['a', true]]) })
    hand.do({ kind: 'network', devices: new Map([['a', false]]) })
    expect(['1', '2', '3'].map((id) => hand.state(id))).toEqual(['waiting-device', 'sending', 'waiting-device'])
    hand.sends('2')
    expect(hand.state('3')).toBe('queued')
  })

  test('is said to be offline when the server says so during the try, and no longer when it takes that back', () => {
    const hand = new Hand()
    hand.add('1')
    expect(hand.state('1')).toBe('queued')
    hand.do({ kind: 'network', devices: new Map([['a', false]]) })
    expect(hand.queue.get('1')).toMatchObject({ state: 'waiting-device', why: { Code: 'device-offline' }, isTried: true })
    hand.do({ kind: 'network', devices: new Map([['a', true]]) })
    expect(hand.queue.get('1')).toMatchObject({ state: 'queued', why: undefined })
  })

  test.each<[string, QueueEvent]>([
    ['the server says that it is online', { kind: 'network', devices: new Map([['a', true]]) }],
    ['the network is another', { kind: 'moved' }],
    ['something new is to go there', { kind: 'add', items: [{ id: '9', peer: 'a', size: 1, batch: 'y', name: '9' }] }],
    ['a person tries again', { kind: 'retry', ids: ['1'] }],
  ])('is looked at at once when %s', (_name, event) => {
    const hand = new Hand(new Map([['a', false]]))
    hand.add('1')
    hand.end('1', AWAY)
    hand.nowMs += 10
    expect(hand.do(event)).toHaveLength(1)
  })

  test('is looked at when it is heard, but what our own try called forth does not make the next at once', () => {
    const hand = new Hand(new Map([['a', false]]))
    hand.add('1')
    hand.end('1', AWAY)
    expect(hand.do({ kind: 'heard', peer: 'a' })).toEqual([])
    expect(hand.wakeAtMs! - hand.nowMs).toBe(SIGN_AGAIN_MS)
    expect(hand.wake()).toEqual(['1'])
    hand.do({ kind: 'heard', peer: 'a' })
    hand.end('1', AWAY)
    expect(hand.wakeAtMs! - hand.nowMs).toBe(SIGN_AGAIN_MS)
    hand.wake()
    hand.end('1', AWAY)
    hand.nowMs += 20_000
    expect(hand.do({ kind: 'heard', peer: 'a' })).toEqual(['1'])
  })

  test('takes all again from its first answer on', () => {
    const hand = new Hand(new Map([['a', false]]))
    for (const id of ['1', '2', '3']) hand.add(id)
    hand.end('1', AWAY)
    hand.end('2', AWAY)
    const [first] = hand.wake()
    hand.sends(first!)
    expect(hand.running.size).toBe(2)
    expect(hand.state('3')).toBe('queued')
  })

  test('a device that left the network stops what goes there, with the reason', () => {
    const hand = new Hand()
    hand.add('1')
    hand.do({ kind: 'network', devices: new Map([['b', true]]) })
    expect(hand.last!.abort).toEqual(['1'])
    expect(hand.queue.get('1')).toMatchObject({ state: 'stopped', why: { Code: 'device-gone' } })
  })

  test('without a connection nothing is tried, and with it all goes on', () => {
    const hand = new Hand()
    hand.add('1')
    hand.do({ kind: 'network', devices: undefined })
    expect(hand.last!.abort).toEqual(['1'])
    hand.end('1', { kind: 'aborted' })
    hand.add('2')
    for (const id of ['1', '2']) expect(hand.queue.get(id)).toMatchObject({ state: 'waiting-device', why: { Code: 'not-connected' } })
    expect(hand.wakeAtMs).toBeUndefined()
    hand.nowMs += 5_000
    expect(hand.do({ kind: 'network', devices: new Map([['a', true]]) }).toSorted()).toEqual(['1', '2'])
  })
})

describe('what a person wants', () => {
  test('pause ends the try; resume waits for its end, and then begins another', () => {
    const hand = new Hand()
    hand.add('1')
    hand.sends('1')
    hand.do({ kind: 'pause', ids: ['1'] })
    expect(hand.last!.abort).toEqual(['1'])
    expect(hand.state('1')).toBe('paused')
    expect(hand.do({ kind: 'resume', ids: ['1'] })).toEqual([])
    expect(hand.end('1', { kind: 'aborted' })).toEqual(['1'])
  })

  test('what was delivered while it was being paused is delivered', () => {
    const hand = new Hand()
    hand.add('1')
    hand.do({ kind: 'pause', ids: ['1'] })
    hand.end('1')
    expect(hand.last!.changed.get('1')?.state).toBe('delivered')
    expect(hand.queue.get('1')).toBeUndefined()
  })

  test('cancel is the end, whatever the try says later', () => {
    const hand = new Hand()
    hand.add('1')
    hand.do({ kind: 'cancel', ids: ['1'] })
    expect(hand.last!.changed.get('1')?.state).toBe('canceled')
    hand.end('1', BROKEN)
    expect(hand.last!.changed.size).toBe(0)
    expect(hand.queue.get('1')).toBeUndefined()
    expect(hand.wakeAtMs).toBeUndefined()
  })

  test('what was on its way before is to be sent again, what was paused or stopped stays so', () => {
    const hand = new Hand()
    hand.do({ kind: 'add', items: (['sending', 'checking', 'waiting-answer', 'waiting-device', 'paused', 'stopped', 'delivered'] as const).map((state) => ({ id: state, peer: state.startsWith('waiting') ? 'a' : 'b', batch: state, name: state, size: 1, state })) })
    expect([...hand.running].toSorted()).toEqual(['checking', 'sending', 'waiting-answer', 'waiting-device'])
    expect(hand.state('paused')).toBe('paused')
    expect(hand.state('stopped')).toBe('stopped')
    expect(hand.state('delivered')).toBeUndefined()
  })
})

// --- whatever happens ----------------------------------------------------------------------------------------------

const PEERS = ['a', 'b', 'c'] as const

type Move =
  | { readonly kind: 'add'; readonly peer: string; readonly size: number; readonly batch: string; readonly name: string }
  | { readonly kind: 'network'; readonly devices: readonly (readonly [string, boolean])[] | undefined }
  | { readonly kind: 'heard'; readonly peer: string }
  | { readonly kind: 'moved' | 'wake' }
  | { readonly kind: 'later'; readonly ms: number }
  | { readonly kind: 'step'; readonly nth: number; readonly step: 'asking' | 'comparing' | 'sending' | 'checking' }
  | { readonly kind: 'end'; readonly nth: number; readonly end: TryEnd }
  | { readonly kind: 'pause' | 'resume' | 'retry' | 'cancel'; readonly nth: number }

const nth = fc.nat(30)
const peer = fc.constantFrom(...PEERS)
const ends = fc.constantFrom<TryEnd>({ kind: 'delivered' }, { kind: 'refused', why: { Code: 'r', Text: 'r' } }, BROKEN, AWAY, { kind: 'aborted' })
const moves = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), peer, size: fc.constantFrom(-1, 1, SMALL_BYTES + 1), batch: fc.constantFrom('x', 'y', 'z', 'u', 'v'), name: fc.constantFrom('p', 'q', 'r', 's', 't', 'n') }) },
    fc.record({ kind: fc.constant('network' as const), devices: fc.option(fc.array(fc.tuple(peer, fc.boolean())), { nil: undefined, freq: 4 }) }),
    fc.record({ kind: fc.constant('heard' as const), peer }),
    fc.record({ kind: fc.constantFrom('moved' as const, 'wake' as const) }),
    fc.record({ kind: fc.constant('later' as const), ms: fc.nat(70_000) }),
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('step' as const), nth, step: fc.constantFrom('asking' as const, 'comparing' as const, 'sending' as const, 'checking' as const) }) },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('end' as const), nth, end: ends }) },
    fc.record({ kind: fc.constantFrom('pause' as const, 'resume' as const, 'retry' as const, 'cancel' as const), nth }),
  ),
  { maxLength: 120 },
)

/** Carries a story out, holding every bound after each step. */
class World {
  readonly hand = new Hand()
  readonly all = new Map<string, { peer: string; size: number; name: string }>()
  readonly asking = new Set<string>()
  readonly told = new Map<string, string>()
  count = 0

  play(move: Move): void {
    const { hand } = this
    const ids = [...this.all.keys()]
    const running = [...hand.running]
    const some = (from: readonly string[]): string | undefined => ('nth' in move && from.length > 0 ? from[move.nth % from.length] : undefined)
    if (move.kind === 'add') {
      const id = `t${this.count++}`
      this.all.set(id, move)
      hand.do({ kind: 'add', items: [{ ...move, id }] })
    } else if (move.kind === 'network') hand.do({ kind: 'network', devices: move.devices && new Map(move.devices) })
    else if (move.kind === 'heard') hand.do(move)
    else if (move.kind === 'moved') hand.do({ kind: 'moved' })
    else if (move.kind === 'wake') void (hand.wakeAtMs !== undefined && hand.wake())
    else if (move.kind === 'later') {
      hand.nowMs += move.ms
      hand.do({ kind: 'time' })
    } else if (move.kind === 'step') {
      const id = some(running)
      if (id === undefined) return
      if (move.step === 'asking') this.asking.add(id)
      else this.asking.delete(id)
      hand.do({ kind: 'step', id, step: move.step })
    } else if (move.kind === 'end') {
      const id = some(running)
      if (id === undefined) return
      this.asking.delete(id)
      hand.end(id, move.end)
    } else {
      const id = some(ids)
      if (id !== undefined) hand.do({ kind: move.kind, ids: [id] })
    }
    this.#hold(running)
  }

  #hold(before: readonly string[]): void {
    const { hand } = this
    for (const [id, { state }] of hand.last!.changed) this.told.set(id, state)
    const started = hand.last!.start.map(({ id }) => id)
    const now = [...hand.running]
    expect(now.length).toBeLessThanOrEqual(MAX_TRIES)
    for (const id of PEERS) {
      const there = now.filter((one) => this.all.get(one)!.peer === id)
      expect(there.length).toBeLessThanOrEqual(MAX_TRIES_OF_DEVICE)
      // Those that asked a person may all be let in at once; nothing is begun beside them then.
      const moving = there.filter((one) => !this.asking.has(one))
      const large = moving.filter((one) => isLarge(this.all.get(one)!.size))
      if (moving.some((one) => started.includes(one))) expect(moving.length).toBeLessThanOrEqual(MAX_OF_DEVICE)
      if (large.some((one) => started.includes(one))) expect(large.length).toBe(1)
      expect(new Set(there.map((one) => this.all.get(one)!.name)).size).toBe(there.length)
    }
    // Those that asked a person may all be let in at once; until then, and apart from them, the bound holds.
    if (started.length > 0) expect(now.filter((id) => !this.asking.has(id)).length).toBeLessThanOrEqual(MAX_MOVING)
    for (const id of started) expect(before.includes(id) && hand.last!.abort.includes(id)).toBe(false)
    for (const [id, { state, why, isTried }] of [...this.all.keys()].flatMap((one) => { const item = hand.queue.get(one); return item ? [[one, item] as const] : [] })) {
      if (!['delivered', 'canceled'].includes(state)) expect([id, state]).toEqual([id, this.told.get(id) ?? 'queued'])
      if (state === 'waiting-device' || state === 'stopped') expect(why).toBeDefined()
      expect(isTried).toBe(hand.running.has(id))
    }
  }

  /** Everything works from here on: who wants it is delivered. */
  settle(): void {
    const { hand } = this
    hand.do({ kind: 'network', devices: new Map(PEERS.map((id) => [id, true])) })
    for (const id of this.all.keys()) hand.do({ kind: 'resume', ids: [id] })
    for (const id of this.all.keys()) hand.do({ kind: 'retry', ids: [id] })
    for (let turn = 0; turn < 2_000; turn++) {
      const [id] = hand.running
      if (id !== undefined) hand.end(id)
      else if (hand.wakeAtMs !== undefined) hand.wake()
      else break
    }
  }
}

const isLarge = (size: number): boolean => size < 0 || size > SMALL_BYTES

describe('whatever happens', () => {
  test('no bound is broken, nothing is tried twice at once, what waits says why, and all that is wanted arrives in the end', () => {
    fc.assert(fc.property(moves, (story) => {
      const world = new World()
      for (const move of story) world.play(move)
      world.settle()
      for (const id of world.all.keys()) expect([id, world.hand.queue.get(id)?.state]).toEqual([id, undefined])
      expect(world.hand.running.size).toBe(0)
    }), { numRuns: 400 })
  })

  test('somebody always moves, or there is a time or a piece of news to wait for', () => {
    fc.assert(fc.property(moves, (story) => {
      const world = new World()
      for (const move of story) world.play(move)
      const { hand } = world
      const waits = [...hand.queue.items()].filter(({ state }) => state === 'queued' || state === 'waiting-device')
      if (waits.length > 0 && hand.running.size === 0) expect(hand.wakeAtMs !== undefined || waits.every(({ why }) => why?.Code === 'not-connected')).toBe(true)
    }), { numRuns: 300 })
  })
})
