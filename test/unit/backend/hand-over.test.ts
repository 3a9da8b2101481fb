/**
 * Accounts that move between two engines: real backends over stores that outlive them, the test between them. Whatever happens and whoever
 * is killed where, no two of them use the key at once, and it is never lost.
 */
import { describe, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import type { PrivateKey } from '../../../main/engine/base/keys.ts'
import type { Adopter, MovingPort, StorePort } from '../../../main/engine/backend/ports.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import { makeRig, recorded, type Rig } from './rig.ts'

const TO: Adopter = { socket: '/run/bowline/bowline.sock', uid: undefined }

/** A store whose process is killed at a write: before it is done, or right after. Nothing is written from then on. */
class MortalStore extends MemoryStore {
  readonly disk: MemoryStore
  readonly #killAt: number
  readonly #done: boolean
  writes = 0
  dead = false

  constructor(disk: MemoryStore, killAt = Infinity, done = false) {
    super()
    this.disk = disk
    this.#killAt = killAt
    this.#done = done
  }
  #write(act: () => void): void {
    if (this.dead) throw new EngineError('io', 'killed')
    if (++this.writes === this.#killAt) {
      if (this.#done) act()
      this.dead = true
      throw new EngineError('io', 'killed')
    }
    act()
  }
  override load<T>(name: string, parse: (text: string) => T | undefined): { value: T; from: 'current'; savedAtMs: number } | undefined {
    return this.disk.load(name, parse)
  }
  override save(name: string, text: string): void {
    this.#write(() => this.disk.save(name, text))
  }
  override replace(name: string, text: string): void {
    this.#write(() => this.disk.replace(name, text))
  }
  override saveLater(name: string, text: () => string): void {
    if (!this.dead) this.disk.saveLater(name, text)
  }
  override remove(name: string): void {
    this.#write(() => this.disk.remove(name))
  }
}

/** One engine's life over its disk. */
interface Life {
  readonly rig: Rig
  readonly store: MortalStore
}

const alive = (life: Life | undefined): life is Life => life !== undefined && !life.store.dead

class World {
  readonly giverDisk = new MemoryStore()
  readonly receiverDisk = new MemoryStore()
  key!: PrivateKey
  giver!: Life
  receiver: Life | undefined
  /** Most engines that used the key at once. */
  most = 0
  #seed = 10

  /** The giver is signed in, and both run. */
  constructor() {
    const rig = makeRig({ store: this.giverDisk, seed: 1 })
    rig.backend.start()
    rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://home.example', WantRunning: true }, AuthKey: 'k' })
    this.key = rig.signIn()
    rig.backend.stop()
  }

  start(who: 'giver' | 'receiver', killAt?: number, done?: boolean): Life {
    const store = new MortalStore(who === 'giver' ? this.giverDisk : this.receiverDisk, killAt, done)
    const rig = makeRig({ store: store as StorePort, seed: this.#seed++, ...(who === 'giver' ? { moving: this.#moving(() => this.giver) } : {}) })
    const life = { rig, store }
    if (who === 'giver') this.giver = life
    else this.receiver = life
    try {
      rig.backend.start()
    } catch {
      // Killed while it started.
    }
    this.look()
    return life
  }

  #moving(self: () => Life): MovingPort {
    const there = (): Life => {
      if (!alive(self())) throw new Error('a dead engine asks nothing')
      if (!alive(this.receiver)) throw new EngineError('not-found', 'nobody serves there')
      return this.receiver
    }
    const through = async <T>(act: (life: Life) => T): Promise<T> => {
      const life = there()
      try {
        const answer = act(life)
        this.look()
        if (!alive(life)) throw new EngineError('io', 'it was killed')
        return answer
      } catch (error) {
        throw alive(life) ? error : new EngineError('io', 'it was killed')
      }
    }
    return {
      adopter: { offer: (_to, request) => through(({ rig }) => rig.backend.adoption.take(request, 'anna')), ask: (_to, id) => through(({ rig }) => rig.backend.adoption.page(id)) },
      trusted: () => ({}),
      trust: () => {},
      whyNotNow: async () => undefined,
    }
  }

  uses(life: Life | undefined): boolean {
    if (!alive(life)) return false
    const { control, dataplane } = life.rig
    const asked = control.calls.at(-1) === 'begin' && control.logins.at(-1)?.nodeKey?.secretText() === this.key.secretText()
    return asked || dataplane.key?.secretText() === this.key.secretText()
  }

  look(): void {
    this.most = Math.max(this.most, Number(this.uses(this.giver)) + Number(this.uses(this.receiver)))
  }

  /** Lets time pass, and the server answer the receiver. */
  async pass({ connects = true, ms = 60_000 } = {}): Promise<void> {
    for (let left = ms; left > 0; left -= 500) {
      for (const life of [this.giver, this.receiver]) if (alive(life)) life.rig.clock.advance(500)
      await settle()
      const there = this.receiver
      if (connects && alive(there) && this.uses(there) && there.rig.backend.views.status(false).BackendState !== 'Running') {
        try {
          there.rig.signIn(recorded('02-initial-one-peer.json'), this.key)
        } catch {
          // Killed while it wrote.
        }
      }
      await settle()
      this.look()
    }
  }

  owners(): readonly string[] {
    return [...(this.giver.rig.backend.profiles.list().length > 0 ? ['giver'] : []), ...((this.receiver?.rig.backend.profiles.list().length ?? 0) > 0 ? ['receiver'] : [])]
  }
}

const settle = async (): Promise<void> => {
  for (let i = 0; i < 8; i++) await Promise.resolve()
}

describe('accounts that are handed over', () => {
  test('are the receiver\'s with the same key once it is connected, and nothing of them is left at the giver', async () => {
    const world = new World()
    world.start('receiver')
    world.start('giver')
    const page = await world.giver.rig.backend.handOver.give(TO)
    expect(page.State).toBe('moving')
    expect([world.uses(world.giver), world.giver.rig.backend.closed]).toEqual([false, expect.stringContaining('being moved')])
    await world.pass()
    expect(world.giver.rig.backend.handOver.page()).toEqual({ State: 'given' })
    expect([world.owners(), world.most]).toEqual([['receiver'], 1])
    expect(world.receiver!.rig.backend.views.prefs()).toMatchObject({ OperatorUser: 'anna', WantRunning: true, ControlURL: 'https://home.example' })
    expect(world.giverDisk.load('state', (text) => text)!.value).not.toContain(world.key.secretText())
    expect(world.giver.rig.backend.closed).toBeUndefined()
  })

  test('stay where they were when the receiver does not become connected', async () => {
    const world = new World()
    world.start('receiver')
    world.start('giver')
    await world.giver.rig.backend.handOver.give(TO)
    await world.pass({ connects: false })
    expect(world.giver.rig.backend.handOver.page()).toMatchObject({ State: 'kept', Why: { Code: 'not-connected' } })
    expect([world.owners(), world.most, world.uses(world.giver)]).toEqual([['giver'], 1, true])
    expect(world.receiverDisk.load('state', (text) => text)!.value).not.toContain(world.key.secretText())
  })

  test('do not go down at all when the receiver has an account of its own, or nobody serves there', async () => {
    const world = new World()
    world.start('giver')
    const begun = world.giver.rig.control.calls.length
    await expect(world.giver.rig.backend.handOver.give(TO)).rejects.toMatchObject({ code: 'not-found' })
    const receiver = world.start('receiver')
    receiver.rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://other.example', WantRunning: true }, AuthKey: 'k' })
    receiver.rig.signIn()
    expect(await world.giver.rig.backend.handOver.give(TO)).toMatchObject({ State: 'kept', Why: { Code: 'has-its-own' } })
    expect(world.giver.rig.control.calls.length).toBe(begun)
  })

  test('a folder that a person chose for files does not go along: the receiver writes with other rights', async () => {
    const world = new World()
    world.start('receiver')
    world.start('giver').rig.backend.editExtras({ Taildrop: { Folder: '/home/anna/Downloads' } })
    await world.giver.rig.backend.handOver.give(TO)
    await world.pass()
    expect([world.owners(), world.receiver!.rig.backend.extras.Taildrop.Folder]).toEqual([['receiver'], ''])
  })

  test('an offer that was asked for before it came is never taken', async () => {
    const world = new World()
    const { adoption } = world.start('receiver').rig.backend
    const id = 'ab'.repeat(16)
    expect(adoption.page(id)).toMatchObject({ Phase: 'refused', Why: { Code: 'never-came' } })
    const State = world.giverDisk.load('state', (text) => text)!.value
    expect(adoption.take({ ID: id, State, Trust: {} }, '')).toMatchObject({ Phase: 'refused' })
    expect(world.uses(world.receiver)).toBe(false)
  })

  test.each([[{}], [null], [{ ID: 'x', State: '', Trust: {} }], [{ ID: 'ab'.repeat(16), State: 7, Trust: {} }]])('an offer like %j is refused as a bad request', (body) => {
    expect(() => new World().start('receiver').rig.backend.adoption.take(body, '')).toThrow(expect.objectContaining({ code: 'bad-argument' }))
  })

  test('a state that is rubbish is refused for good and leaves the receiver as it was', () => {
    const { adoption } = new World().start('receiver').rig.backend
    for (const [at, State] of ['', '{}', 'null', '{"version":2,"machineKey":"x"}'].entries()) {
      expect(adoption.take({ ID: String(at).repeat(32), State, Trust: {} }, '')).toMatchObject({ Phase: 'refused', Why: { Code: 'bad-state' } })
    }
    expect(adoption.page(undefined)).toMatchObject({ Phase: 'ready' })
  })

  test('while nobody serves there they are held, and a person can take them back', async () => {
    const world = new World()
    const receiver = world.start('receiver')
    world.start('giver')
    await world.giver.rig.backend.handOver.give(TO)
    receiver.store.dead = true
    await world.pass({ ms: 20_000 })
    expect(world.giver.rig.backend.handOver.page()).toMatchObject({ State: 'moving', Why: { Code: 'no-answer' } })
    expect(await world.giver.rig.backend.handOver.takeBack()).toMatchObject({ State: 'kept', Why: { Code: 'taken-back' } })
    expect(world.uses(world.giver)).toBe(true)
  })
})

describe('killed at any write', () => {
  const points = [...Array.from({ length: 14 }).keys()].flatMap((at) => [false, true].map((done) => [at + 1, done] as const))

  test.each(points)('the receiver at its write %d (done: %s) comes back, and one of the two has the account', async (at, done) => {
    const world = new World()
    world.start('receiver', at, done)
    if (!alive(world.receiver)) world.start('receiver')
    world.start('giver')
    await world.giver.rig.backend.handOver.give(TO).catch(() => {})
    await world.pass({ ms: 5_000 })
    if (!alive(world.receiver)) world.start('receiver')
    await world.pass()
    if (world.owners().length === 0 || !alive(world.receiver)) throw new Error('lost')
    expect(world.most).toBe(1)
    expect(world.owners()).toHaveLength(1)
  })

  test.each(points)('the giver at its write %d (done: %s) comes back, and one of the two has the account', async (at, done) => {
    const world = new World()
    world.start('receiver')
    world.start('giver', at, done)
    await world.giver.rig.backend.handOver.give(TO).catch(() => {})
    await world.pass({ ms: 5_000 })
    if (!alive(world.giver)) world.start('giver')
    await world.pass()
    expect(world.most).toBe(1)
    expect(world.owners()).toHaveLength(1)
  })
})
