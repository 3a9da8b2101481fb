/**
 * Files that wait with the engine, over the real inbox; time moves by hand.
 */
import { readdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { makeWaiting, type Waiting } from '../../../../main/engine/features/taildrop/waiting.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import { DEFAULT_TAILDROP, type TaildropSettings } from '../../../../main/localapi/transfers.ts'
import { HandClock, seededRandom } from '../../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'
import { waitFor as waitForAtMost } from '../../../support/wait.ts'

let dir: string
let clock: HandClock
let settings: TaildropSettings
let owner: { ID: number; LoginName: string; DisplayName: string } | undefined
let told: string[]
let waiting: Waiting
const waitFor = <T>(what: string, look: () => T) => waitForAtMost(what, look, { withinMs: 30_000 })
const NEVER = new AbortController().signal

beforeEach(() => {
  dir = makeTempDir('waiting')
  clock = new HandClock()
  settings = DEFAULT_TAILDROP
  owner = { ID: 7, LoginName: 'alice@example.com', DisplayName: 'Alice' }
  told = []
  waiting = makeWaiting({
    clock, inbox: new DiskInbox({ env: { clock, random: seededRandom(1) } }), settings: () => settings, owner: () => owner,
    stagedFolder: (name) => join(dir, name),
    emit: (part) => told.push(Object.keys(part).join()), changed: () => told.push('changed'),
  })
})
afterEach(() => {
  waiting.stop()
  removeTempDir(dir)
})

describe('files that wait', () => {
  test('lie in a folder named as the stock daemon names it, and never outside', () => {
    expect(waiting.folder()).toBe(join(dir, 'alice-example.com-uid-7'))
    owner = { ID: 8, LoginName: '../../x/ü', DisplayName: '' }
    expect(waiting.folder()).toBe(join(dir, '.._.._x__-uid-8'))
    owner = undefined
    expect(waiting.folder()).toBe('')
    settings = { ...settings, Folder: join(dir, 'chosen') }
    expect(waiting.folder()).toBe(join(dir, 'chosen'))
  })

  test('are waited for until the time is over', async () => {
    let found: unknown
    void waiting.list(15_000, NEVER).then((files) => (found = files))
    await waitFor('the wait', () => clock.waiting === 1)
    clock.advance(14_999)
    await waiting.refresh()
    expect(found).toBeUndefined()
    clock.advance(1)
    await waitFor('the answer', () => found)
    expect(found).toEqual([])
  })

  test('are waited for until one comes', async () => {
    const asked = waiting.list(15_000, NEVER)
    await waitFor('the wait', () => clock.waiting === 1)
    writeFileSync(join(waiting.folder(), 'a'), 'x')
    await waiting.refresh()
    expect(await asked).toEqual([{ name: 'a', size: 1 }])
    expect(clock.waiting).toBe(0)
    expect(waiting.standing()).toEqual({ FilesWaiting: {} })
    expect(waiting.state()).toMatchObject({ Folder: '', Waiting: 1 })
    expect(told).toContain('FilesWaiting')
  })

  test('are no longer waited for by who is gone, or when the engine stops', async () => {
    const gone = new AbortController()
    const [one, two] = [waiting.list(15_000, gone.signal), waiting.list(15_000, NEVER)]
    await waitFor('the waits', () => clock.waiting === 2)
    gone.abort()
    await one
    expect(clock.waiting).toBe(1)
    waiting.stop()
    await two
    expect(clock.waiting).toBe(0)
  })

  test('of another profile are not seen, and a folder that is wrong is told', async () => {
    await waiting.refresh()
    writeFileSync(join(waiting.folder(), 'a'), 'x')
    waiting.changed()
    await waitFor('the file', () => waiting.standing().FilesWaiting)
    owner = { ...owner!, ID: 9 }
    settings = { ...settings, Folder: join(dir, 'no/where') }
    waiting.changed()
    await waitFor('the other profile', () => waiting.standing().FilesWaiting === undefined && waiting.state().Problem !== undefined)
    expect(waiting.state()).toMatchObject({ Folder: join(dir, 'no/where'), FreeBytes: -1, Waiting: 0, Problem: { Code: 'folder-gone' } })
  })

  test('leave nothing partial behind for long', async () => {
    await waiting.refresh()
    const folder = waiting.folder()
    const partial = (name: string, ageMs: number): void => {
      writeFileSync(join(folder, name), '')
      utimesSync(join(folder, name), (clock.wallMs() - ageMs) / 1_000, (clock.wallMs() - ageMs) / 1_000)
    }
    partial('old.n1.partial', 3_700_000)
    partial('young.n1.partial', 3_000_000)
    await waiting.sweep(3_600_000)
    expect(readdirSync(folder)).toEqual(['young.n1.partial'])
  })
})
