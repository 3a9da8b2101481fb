/**
 * A process that writes the state, killed by SIGKILL at 200 points of writing, and what is then on disk.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseState } from '../../main/engine/backend/saved-state.ts'
import { defaultPrefs } from '../../main/engine/backend/prefs.ts'
import { PrivateKey } from '../../main/engine/base/keys.ts'
import { MemoryStore } from '../../main/engine/io/memory-store.ts'
import { Store } from '../../main/engine/io/store.ts'
import { HandClock } from '../sim/clock.ts'
import { run } from '../support/child.ts'
import type { Step } from '../support/store-writer.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { makeRig, recorded } from '../unit/backend/rig.ts'

/** Remembers what a real backend saves while somebody signs in here and there, and goes. */
class TellingStore extends MemoryStore {
  readonly story: Step[] = []
  override save(name: string, text: string): void {
    super.save(name, text)
    this.story.push({ kind: 'save', name, text })
  }
  override replace(name: string, text: string): void {
    super.save(name, text)
    this.story.push({ kind: 'replace', name, text })
  }
  override saveLater(name: string, text: () => string): void {
    this.save(name, text())
  }
  override remove(name: string): void {
    super.remove(name)
    this.story.push({ kind: 'remove', name })
  }
}

async function tell(): Promise<readonly Step[]> {
  const store = new TellingStore()
  const rig = makeRig({ store })
  rig.backend.start()
  const join = (url: string): string => {
    rig.backend.startWith({ UpdatePrefs: { ...defaultPrefs('linux'), WantRunning: true, LoggedOut: false, ControlURL: url }, AuthKey: 'k' })
    rig.signIn(recorded('02-initial-one-peer.json'))
    return rig.backend.profiles.current().ID
  }
  const home = join('https://home.example')
  rig.backend.profileSwitch.toNew()
  join('https://work.example')
  rig.backend.profileSwitch.to(home)
  rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true })
  await rig.backend.logout()
  join('https://home.example')
  rig.backend.profileSwitch.remove(rig.backend.profiles.current().ID)
  return store.story
}

/** What the file of that name may hold when so many steps are done and the next is under way. */
function mayHold(story: readonly Step[], name: string, done: number): (string | undefined)[] {
  const texts = story.slice(0, done + 1).map((step) => (step.name !== name ? null : step.kind === 'remove' ? undefined : step.text))
  const settled = texts.slice(0, done).findLast((text) => text !== null)
  const next = texts[done]
  return next === null || done >= story.length ? [settled ?? undefined] : [settled ?? undefined, next]
}

let folder: string
let writer: string
let story: readonly Step[]
let points = 0

async function killAt(point: number): Promise<{ dir: string; done: number; points: number }> {
  const dir = join(folder, `at-${point}`)
  mkdirSync(dir)
  const { stdout, code } = await run(process.execPath, [writer, dir, join(folder, 'story.json'), String(point)], { timeoutMs: 60_000 })
  // A process that a signal ended has no code.
  expect(code).toBe(point === 0 ? 0 : null)
  return { dir, done: stdout.split('\n').filter((line) => /^\d+$/.test(line)).length, points: Number(/(\d+) points/.exec(stdout)?.[1] ?? 0) }
}

beforeAll(async () => {
  folder = makeTempDir('crash')
  writer = join(folder, 'writer.mjs')
  const made = await rolldown({ input: fileURLToPath(new URL('../support/store-writer.ts', import.meta.url)), platform: 'node', external: [/^node:/] })
  await made.write({ file: writer, format: 'esm' })
  await made.close()
  story = await tell()
  writeFileSync(join(folder, 'story.json'), JSON.stringify(story))
  points = (await killAt(0)).points
})
afterAll(() => removeTempDir(folder))

function check({ dir, done }: { dir: string; done: number }): void {
  const store = new Store({ dir, clock: new HandClock() })
  const parse = (text: string): string | undefined => (parseState(text, { os: 'linux', newDiscoKey: () => PrivateKey.fromRandom(new Uint8Array(32)) }) ? text : undefined)
  expect(mayHold(story, 'state', done)).toContain(store.load('state', parse)?.value)
  for (const name of new Set(story.map((step) => step.name))) {
    expect(mayHold(story, name, done)).toContain(store.load(name, (text) => (text.endsWith('}') ? text : undefined))?.value)
  }
  expect(store.problems()).toEqual([])
}

describe('a store whose process is killed', () => {
  test('at 200 points of writing leaves the file before or the file after, whole, and no damage', async () => {
    expect(points).toBeGreaterThanOrEqual(200)
    const chosen = Array.from({ length: 200 }, (_, i) => 1 + Math.floor((i * points) / 200))
    const next = chosen.values()
    const work = async (): Promise<void> => {
      for (const point of next) check(await killAt(point))
    }
    await Promise.all([work(), work(), work()])
  }, 120_000)

  test('and one that is not killed ends with what was saved last, and holds no key that was given up', async () => {
    const dir = join(folder, 'at-0')
    check({ dir, done: story.length })
    const given = story.slice(0, -1).flatMap((step) => (step.kind === 'remove' ? [] : (step.text.match(/privkey:[0-9a-f]{64}/g) ?? [])))
    const last = story.findLast((step) => step.name === 'state' && step.kind !== 'remove')
    const kept = new Set(last && 'text' in last ? last.text.match(/privkey:[0-9a-f]{64}/g) : [])
    const files = readdirSync(dir).map((name) => readFileSync(join(dir, name), 'utf8')).join('\n')
    const gone = new Set(given.filter((key) => !kept.has(key)))
    expect(gone.size).toBeGreaterThan(3)
    expect([...gone].filter((key) => files.includes(key))).toEqual([])
  })
})
