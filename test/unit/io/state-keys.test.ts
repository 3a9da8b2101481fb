import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { StateKeys as HostKeys, type Safe } from '../../../main/app/state-keys.ts'
import { HostKeeper, type HostPort } from '../../../main/engine/io/host-keeper.ts'
import type { KeptKey, KeyKeeper } from '../../../main/engine/io/key-keeper.ts'
import { SealedStore } from '../../../main/engine/io/sealed-store.ts'
import { StateKeys } from '../../../main/engine/io/state-keys.ts'
import { Store } from '../../../main/engine/io/store.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../support/temp.ts'

/** A keyring in memory that can be locked, absent, forgetful or unwilling. */
class HandKeeper implements KeyKeeper {
  readonly kind = 'secret-service'
  readonly keys = new Map<string, Uint8Array>()
  state: 'open' | 'locked' | 'absent' | 'refuses' | 'forgets' = 'open'

  async load(name: string): Promise<KeptKey> {
    if (this.state === 'locked') return { kind: 'locked', why: 'it is locked' }
    if (this.state === 'absent') return { kind: 'absent', why: 'it is away' }
    const key = this.keys.get(name)
    return key ? { kind: 'key', key } : { kind: 'none' }
  }
  async save(name: string, key: Uint8Array): Promise<void> {
    if (this.state !== 'open' && this.state !== 'forgets') throw new Error(`it ${this.state}`)
    if (this.state !== 'forgets') this.keys.set(name, key)
  }
  async remove(name: string): Promise<void> {
    this.keys.delete(name)
  }
}

let dir: string
let store: Store
let sealed: SealedStore
let keeper: HandKeeper
const random = seededRandom(5)
const parse = (text: string): string | undefined => (text.startsWith('good') ? text : undefined)
const raw = (suffix = ''): string => readFileSync(join(dir, `state.json${suffix}`), 'utf8')

function open(wanted?: boolean): StateKeys {
  store = new Store({ dir, clock: new HandClock() })
  sealed = new SealedStore({ store, random, sealed: ['state'] })
  return new StateKeys({ store, sealed, random, keepers: [keeper], wanted })
}

beforeEach(() => {
  dir = makeTempDir('keys')
  keeper = new HandKeeper()
})
afterEach(() => removeTempDir(dir))

describe('sealed state', () => {
  test('is opened with the kept key, and a copy of the directory alone is worth nothing', async () => {
    expect(await open().open()).toMatchObject({ kind: 'open', plainWhy: undefined })
    sealed.save('state', 'good hidden')
    sealed.save('other', 'good open')
    expect(raw()).not.toContain('hidden')
    expect(readFileSync(join(dir, 'other.json'), 'utf8')).toBe('good open')
    expect(await open().open()).toMatchObject({ kind: 'open', rewrite: undefined })
    expect(sealed.load('state', parse)?.value).toBe('good hidden')
    keeper.keys.clear()
    expect(await open().open()).toMatchObject({ kind: 'locked', why: expect.stringContaining('no longer holds') })
    expect(() => sealed.load('state', parse)).toThrow(expect.objectContaining({ code: 'bad-state-file' }))
    expect(store.problems()).toEqual([])
  })

  test('that was plain is taken over only after its key came back', async () => {
    open()
    store.save('state', 'good plain 1')
    store.save('state', 'good plain 2')
    keeper.state = 'forgets'
    expect(await open().open()).toMatchObject({ kind: 'open', plainWhy: expect.stringContaining('did not give back') })
    expect(raw()).toBe('good plain 2')
    keeper.state = 'open'
    const opened = await open().open()
    expect(sealed.load('state', parse)?.value).toBe('good plain 2')
    if (opened.kind === 'open') await opened.rewrite?.(() => (sealed.replace('state', 'good plain 2'), true))
    for (const suffix of ['', '.previous']) expect(raw(suffix)).not.toContain('plain')
    await open().open()
    expect(sealed.load('state', parse)?.value).toBe('good plain 2')
  })

  test.each(['locked', 'absent'] as const)('with a keeper that is %s is closed; without state such a keeper means a plain file', async (state) => {
    keeper.state = state
    expect(await open().open()).toMatchObject({ kind: 'open', plainWhy: expect.any(String) })
    keeper.state = 'open'
    await open().open()
    sealed.save('state', 'good 1')
    keeper.state = state
    expect(await open().open()).toMatchObject({ kind: 'locked', why: expect.stringMatching(/it is (locked|away)/) })
  })

  test('is written plain for good when that is asked for, and its key is given back', async () => {
    await open().open()
    sealed.save('state', 'good 1')
    const opened = await open(false).open()
    expect(sealed.load('state', parse)?.value).toBe('good 1')
    if (opened.kind === 'open') await opened.rewrite?.(() => (sealed.replace('state', 'good 1'), true))
    expect(raw()).toBe('good 1')
    expect(keeper.keys.size).toBe(0)
  })

  test('that must be sealed stays closed where nobody keeps a key', async () => {
    keeper.state = 'refuses'
    expect(await open(true).open()).toMatchObject({ kind: 'locked', why: expect.stringContaining('it refuses') })
  })

  test('damaged in one generation is opened from the other', async () => {
    await open().open()
    sealed.save('state', 'good 1')
    sealed.save('state', 'good 2')
    const text = raw()
    writeFileSync(join(dir, 'state.json'), text.replace(/.(?="}$)/, (last) => (last === 'A' ? 'B' : 'A')).replace(/"box":"..../, '"box":"AAAA'))
    await open().open()
    expect(sealed.load('state', parse)).toMatchObject({ value: 'good 1', from: 'previous' })
    expect(store.problems()).toHaveLength(1)
  })
})

describe('the key kept by the app', () => {
  const safe = (backend: string): Safe => ({
    isEncryptionAvailable: () => true,
    getSelectedStorageBackend: () => backend,
    encryptString: (text) => Buffer.from(text).map((byte) => byte ^ 0x55) as Buffer,
    decryptString: (encrypted) => Buffer.from(encrypted.map((byte) => byte ^ 0x55)).toString(),
  })

  /** Both ends in one process; messages are copied, as between processes. */
  function between(keys: HostKeys | undefined): HostPort {
    let listener: (event: { data: unknown }) => void = () => {}
    return {
      postMessage: (message) => {
        const reply = keys?.handle(structuredClone(message))
        if (reply) queueMicrotask(() => listener({ data: structuredClone(reply) }))
      },
      on: (_event, call) => (listener = call),
    }
  }

  test('goes into the safe and comes back; the file holds it only sealed, for its owner alone', async () => {
    const path = join(dir, 'app', 'engine-keys.json')
    const key = random.bytes(32)
    const host = new HostKeeper(between(new HostKeys(safe('gnome_libsecret'), path)))
    expect(await host.load('0123456789abcdef')).toEqual({ kind: 'none' })
    await host.save('0123456789abcdef', key)
    expect(await host.load('0123456789abcdef')).toEqual({ kind: 'key', key })
    expect(readFileSync(path, 'utf8')).not.toContain(Buffer.from(key).toString('base64'))
    expect(statSync(path).mode & 0o777).toBe(0o600)
    await host.remove('0123456789abcdef')
    expect(await host.load('0123456789abcdef')).toEqual({ kind: 'none' })
  })

  test('is refused where the safe is none', async () => {
    const path = join(dir, 'engine-keys.json')
    const host = new HostKeeper(between(new HostKeys(safe('basic_text'), path)))
    await expect(host.save('0123456789abcdef', random.bytes(32))).rejects.toThrow('no safe place')
    expect(existsSync(path)).toBe(false)
  })

  test('of an app that does not answer is not waited for', async () => {
    const host = new HostKeeper(between(undefined), 20)
    expect(await host.load('0123456789abcdef')).toMatchObject({ kind: 'absent', why: expect.stringContaining('does not answer') })
  })

  test('answers nothing to messages of other shapes, and a damaged file is a failure in words', () => {
    const path = join(dir, 'engine-keys.json')
    const keys = new HostKeys(safe('gnome_libsecret'), path)
    for (const message of [null, 1, 'x', {}, { kind: 'state-key' }, { kind: 'state-key', id: 1, op: 'load', name: '../x' }]) expect(keys.handle(message)).toBeUndefined()
    writeFileSync(path, '{')
    expect(keys.handle({ kind: 'state-key', id: 1, op: 'load', name: '0123456789abcdef' })).toMatchObject({ failure: expect.stringContaining('failed') })
  })
})
