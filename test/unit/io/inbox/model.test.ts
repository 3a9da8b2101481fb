/**
 * The inbox beside a model in memory: whatever is opened, written, kept, finished and given up in whatever order, the disk holds what
 * the model says; and a transfer that is cut again and again arrives byte for byte.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { nextName } from '../../../../main/engine/core/taildrop/names.ts'
import { SystemClock } from '../../../../main/engine/io/clock.ts'
import { DiskInbox } from '../../../../main/engine/io/inbox/inbox.ts'
import { systemRandom } from '../../../../main/engine/io/random.ts'
import { seededRandom } from '../../../sim/clock.ts'
import { makeTempDir, removeTempDir } from '../../../support/temp.ts'

const FROM = 'sender.lab.internal.'
const sha = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const newInbox = (): DiskInbox => new DiskInbox({ env: { clock: new SystemClock(), random: systemRandom } })

let root: string
beforeEach(() => (root = makeTempDir('inbox-model')))
afterEach(() => removeTempDir(root))

/** Bytes that tell where they come from. */
const bytesOf = (seed: number, length: number): Buffer => Buffer.from(seededRandom(seed).bytes(length))

type Step =
  | { readonly kind: 'open'; readonly name: string; readonly sender: string; readonly offset: number; readonly size: number }
  | { readonly kind: 'write'; readonly which: number; readonly length: number; readonly seed: number }
  | { readonly kind: 'finish' | 'keep' | 'discard'; readonly which: number; readonly isHashRight: boolean }
  | { readonly kind: 'restart' }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('open' as const), name: fc.constantFrom('a', 'b.txt'), sender: fc.constantFrom('n1', 'n2'),
    offset: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 700_000 })), size: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 1_500_000 })),
  }),
  fc.record({ kind: fc.constant('write' as const), which: fc.nat(3), length: fc.oneof(fc.nat(50), fc.integer({ min: 0, max: 700_000 })), seed: fc.nat(3) }),
  fc.record({ kind: fc.constantFrom('finish' as const, 'keep' as const, 'discard' as const), which: fc.nat(3), isHashRight: fc.boolean() }),
  fc.constant({ kind: 'restart' as const }),
)

/** What should be there. */
class Model {
  readonly partials = new Map<string, Buffer>()
  readonly files = new Map<string, Buffer>()

  /** Gives a whole its name, as stock clients do it; undefined: ten are taken. */
  settle(name: string, bytes: Buffer): string | undefined {
    for (let i = 0; i < 10; i++, name = nextName(name)) {
      const there = this.files.get(name)
      if (there && !there.equals(bytes)) continue
      this.files.set(name, bytes)
      return name
    }
    return undefined
  }
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => 'fine', (error: { code: string }) => error.code)
}

test('what is on disk is what the model says, whatever is asked in whatever order', async () => {
  let round = 0
  await fc.assert(fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
    const folder = join(root, String(round++))
    mkdirSync(folder)
    let inbox = newInbox()
    const model = new Model()
    const open: { key: string; name: string; size: number; bytes: Buffer; receiving: Awaited<ReturnType<DiskInbox['open']>> }[] = []
    const end = async (which: number, kind: 'finish' | 'keep' | 'discard', isHashRight: boolean): Promise<void> => {
      const one = open.splice(which % open.length, 1)[0]!
      model.partials.delete(one.key)
      if (kind === 'discard') return one.receiving.discard()
      if (kind === 'finish') {
        const isShort = one.size >= 0 && one.bytes.length < one.size
        const ended = one.receiving.finish({ from: FROM, sha256: isHashRight ? sha(one.bytes) : sha(Buffer.from('?')) })
        if (!isShort && !isHashRight) return expect(await codeOf(ended)).toBe('wrong-hash')
        const name = isShort ? undefined : model.settle(one.name, one.bytes)
        if (name !== undefined) return expect(await ended).toMatchObject({ name, size: one.bytes.length, sha256: sha(one.bytes) }) as void
        expect(await codeOf(ended)).toBe(isShort ? 'wrong-size' : 'no-free-name')
      } else {
        await one.receiving.keep()
      }
      model.partials.set(one.key, one.bytes)
    }
    for (const one of steps) {
      if (one.kind === 'open') {
        const key = `${one.name}.${one.sender}.partial`
        const there = model.partials.get(key)
        const isBusy = open.some((other) => other.key === key)
        // What no file could be is refused before anything is looked at.
        const isAbsurd = one.size >= 0 && one.offset > one.size
        const isBad = isAbsurd || one.offset > (there?.length ?? 0)
        const opening = inbox.open({ folder, name: one.name, sender: one.sender }, one.offset, one.size)
        if (isBusy || isBad) {
          expect(await codeOf(opening)).toBe(isBusy && !isAbsurd ? 'busy' : 'bad-offset')
          continue
        }
        const receiving = await opening
        expect(receiving.received).toBe(one.offset)
        open.push({ key, name: one.name, size: one.size, bytes: (there ?? Buffer.alloc(0)).subarray(0, one.offset), receiving })
      } else if (one.kind === 'restart') {
        while (open.length > 0) await end(0, 'keep', true)
        inbox = newInbox()
      } else if (open.length > 0 && one.kind === 'write') {
        const to = open[one.which % open.length]!
        const bytes = bytesOf(one.seed, one.length)
        const isTooLong = to.size >= 0 && to.bytes.length + bytes.length > to.size
        expect(await codeOf(to.receiving.write(bytes))).toBe(isTooLong ? 'wrong-size' : 'fine')
        if (!isTooLong) to.bytes = Buffer.concat([to.bytes, bytes])
      } else if (open.length > 0 && one.kind !== 'write') {
        await end(one.which, one.kind, one.isHashRight)
      }
    }
    while (open.length > 0) await end(0, 'keep', true)
    const wanted = new Map([...model.partials, ...model.files])
    expect(readdirSync(folder).sort()).toEqual([...wanted.keys()].sort())
    for (const [name, bytes] of wanted) expect(sha(readFileSync(join(folder, name))), name).toBe(sha(bytes))
  }), { numRuns: 60 })
}, 120_000)

test('two hundred cuts at random places, and not a byte is wrong or brought twice beyond a block', async () => {
  const folder = join(root, 'cuts')
  mkdirSync(folder)
  const random = seededRandom(20)
  const bytes = bytesOf(1, 8_000_000)
  const place = { folder, name: 'cut.bin', sender: 'n1' }
  let inbox = newInbox()
  let sent = 0
  for (let cut = 0; cut <= 200; cut++) {
    // As a sender does it: go on behind the blocks that are the same.
    let offset = 0
    for await (const block of inbox.hashes(place)) {
      if (block.checksum !== sha(bytes.subarray(offset, offset + block.size))) break
      offset += block.size
    }
    const receiving = await inbox.open(place, offset, bytes.length)
    const until = cut === 200 ? bytes.length : Math.min(bytes.length, offset + Math.floor(random.unit() * 80_000))
    for (let at = offset; at < until; at += 30_000) await receiving.write(bytes.subarray(at, Math.min(at + 30_000, until)))
    sent += until - offset
    if (cut === 200) expect(await receiving.finish({ from: FROM, sha256: sha(bytes) })).toMatchObject({ name: 'cut.bin', sha256: sha(bytes) })
    else await receiving.keep()
    if (cut % 10 === 0) inbox = newInbox()
  }
  expect(sent).toBeLessThanOrEqual(bytes.length + 200 * 65_536)
  expect(sha(readFileSync(join(folder, 'cut.bin')))).toBe(sha(bytes))
  expect(readdirSync(folder)).toEqual(['cut.bin'])
}, 120_000)

test('a thousand small files at once all come in, each as it is', async () => {
  const folder = join(root, 'many')
  mkdirSync(folder)
  const inbox = newInbox()
  await Promise.all(Array.from({ length: 1_000 }, async (_, i) => {
    const bytes = bytesOf(i, i)
    const receiving = await inbox.open({ folder, name: `f${i}`, sender: 'n1' }, 0, bytes.length)
    await receiving.write(bytes)
    expect((await receiving.finish({ from: FROM })).sha256).toBe(sha(bytes))
  }))
  expect(readdirSync(folder)).toHaveLength(1_000)
}, 120_000)
