/**
 * A process that writes the list of transfers, killed by SIGKILL while it writes: what a person asked for and was told to be kept is
 * there afterwards, and nothing is called delivered that was not.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parseRows } from '../../main/engine/features/taildrop/transfers-store.ts'
import { MemoryStore } from '../../main/engine/io/memory-store.ts'
import { Store } from '../../main/engine/io/store.ts'
import { HandClock } from '../sim/clock.ts'
import { run } from '../support/child.ts'
import type { Step } from '../support/store-writer.ts'
import { makeTempDir, removeTempDir } from '../support/temp.ts'
import { makeTaildropRig } from '../unit/features/taildrop/rig.ts'

const POINTS = 50

class TellingStore extends MemoryStore {
  readonly story: Step[] = []
  override save(name: string, text: string): void {
    super.save(name, text)
    this.story.push({ kind: 'save', name, text })
  }
}

/** What had been promised, and what was true, when so many saves were done. */
interface Promised {
  readonly answered: readonly string[]
  readonly canceled: readonly string[]
  readonly delivered: readonly string[]
}

/** Sends, cancels and delivers by turns, and tells after each save what a person knew by then. */
async function tell(): Promise<{ story: readonly Step[]; promised: readonly Promised[] }> {
  const store = new TellingStore()
  const rig = makeTaildropRig({ store })
  const now = { answered: [] as string[], canceled: [] as string[], delivered: [] as string[] }
  const promised: Promised[] = []
  const note = (): void => {
    while (promised.length < store.story.length) promised.push({ answered: [], canceled: [], delivered: [...now.delivered] })
    promised[store.story.length - 1] = { answered: [...now.answered], canceled: [...now.canceled], delivered: [...now.delivered] }
  }
  for (let n = 0; n < 12; n++) {
    const ids = await rig.send('abc'[n % 3]!, `x${n}`, `y${n}`, `z${n}`)
    now.answered.push(...ids)
    note()
    await rig.taildrop.transfers.act({ Do: 'cancel', ID: ids[2] }, true)
    now.canceled.push(ids[2]!)
    note()
    for (const one of [...rig.courier.tries.values()].slice(0, 2)) {
      now.delivered.push(one.parcel.id)
      await one.end({ kind: 'delivered', checked: true })
    }
    await rig.run(700)
    note()
  }
  return { story: store.story, promised }
}

let folder: string
let writer: string
let told: Awaited<ReturnType<typeof tell>>
let points = 0

async function killAt(point: number): Promise<{ dir: string; done: number; points: number }> {
  const dir = join(folder, `at-${point}`)
  mkdirSync(dir)
  const { stdout } = await run(process.execPath, [writer, dir, join(folder, 'story.json'), String(point)], { timeoutMs: 60_000 })
  return { dir, done: stdout.split('\n').filter((line) => /^\d+$/.test(line)).length, points: Number(/(\d+) points/.exec(stdout)?.[1] ?? 0) }
}

beforeAll(async () => {
  folder = makeTempDir('sends')
  writer = join(folder, 'writer.mjs')
  const made = await rolldown({ input: fileURLToPath(new URL('../support/store-writer.ts', import.meta.url)), platform: 'node', external: [/^node:/] })
  await made.write({ file: writer, format: 'esm' })
  await made.close()
  told = await tell()
  writeFileSync(join(folder, 'story.json'), JSON.stringify(told.story))
  points = (await killAt(0)).points
}, 120_000)
afterAll(() => removeTempDir(folder))

function check({ dir, done }: { dir: string; done: number }): void {
  const store = new Store({ dir, clock: new HandClock() })
  const rows = new Map((store.load('transfers-p1', parseRows)?.value ?? []).map((row) => [row.id, row]))
  expect(store.problems()).toEqual([])
  const before = told.promised.slice(0, done).findLast(({ answered }) => answered.length > 0)
  for (const id of before?.answered ?? []) expect([id, rows.has(id)]).toEqual([id, true])
  for (const id of before?.canceled ?? []) expect([id, rows.get(id)?.state]).toEqual([id, 'canceled'])
  const delivered = new Set(told.promised[Math.min(done, told.promised.length - 1)]!.delivered)
  for (const row of rows.values()) if (row.state === 'delivered') expect([row.id, delivered.has(row.id)]).toEqual([row.id, true])
}

test(`a process that is killed at ${POINTS} points of writing loses nothing that a person was told is kept, and calls nothing delivered that was not`, async () => {
  expect(points).toBeGreaterThan(POINTS)
  const next = Array.from({ length: POINTS }, (_, i) => 1 + Math.floor((i * points) / POINTS)).values()
  const work = async (): Promise<void> => {
    for (const point of next) check(await killAt(point))
  }
  await Promise.all([work(), work()])
  check({ dir: join(folder, 'at-0'), done: told.story.length })
}, 180_000)
