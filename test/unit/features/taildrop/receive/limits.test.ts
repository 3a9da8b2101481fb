/**
 * What bounds what others can make us do: slots, lists of folders, and the same over HTTP/2.
 */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import { PassThrough } from 'node:stream'
import { describe, expect, test } from 'vitest'
import { Manifests } from '../../../../../main/engine/features/taildrop/receive/manifests.ts'
import { Slots } from '../../../../../main/engine/features/taildrop/receive/slots.ts'
import { Texts } from '../../../../../main/engine/features/taildrop/receive/texts.ts'
import { HandClock } from '../../../../sim/clock.ts'
import { HOST } from '../../../peerapi/rig.ts'
import { FOLDER, makeRig } from './rig.ts'

const never = new AbortController().signal
const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))
/** What has resolved by now. */
async function seen<T>(promise: Promise<T>): Promise<T | 'waits'> {
  await settle()
  return await Promise.race([promise, settle().then(() => 'waits' as const)])
}

describe('slots', () => {
  test('are eight for a sender, and the next goes on when one is given back, in the order of coming', async () => {
    const slots = new Slots()
    const held = await Promise.all(Array.from({ length: 8 }, () => slots.enter('a', never)))
    const [ninth, tenth] = [slots.enter('a', never), slots.enter('a', never)]
    expect(await seen(ninth)).toBe('waits')
    expect(await seen(slots.enter('b', never))).toBeTypeOf('function')
    ;(held[0] as () => void)()
    expect(await seen(ninth)).toBeTypeOf('function')
    expect(await seen(tenth)).toBe('waits')
    expect(slots.running).toBe(9)
  })

  test('are thirty-two for all, and a sender that waits for its own does not hold up others', async () => {
    const slots = new Slots()
    const held = await Promise.all(['a', 'b', 'c', 'd'].flatMap((sender) => Array.from({ length: 8 }, () => slots.enter(sender, never))))
    const [own, other] = [slots.enter('a', never), slots.enter('e', never)]
    ;(held[31] as () => void)()
    expect(await seen(other)).toBeTypeOf('function')
    expect(await seen(own)).toBe('waits')
    ;(held[0] as () => void)()
    expect(await seen(own)).toBeTypeOf('function')
  })

  test('are waited for by a bounded number, who may give up', async () => {
    const slots = new Slots()
    for (let i = 0; i < 8; i++) await slots.enter('a', never)
    const gone = new AbortController()
    const waiting = Array.from({ length: 160 }, () => slots.enter('a', gone.signal))
    expect(await slots.enter('a', never)).toBe('too-many')
    gone.abort()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set(['gone']))
    expect(await seen(slots.enter('a', never))).toBe('waits')
    expect(await slots.enter('a', AbortSignal.abort())).toBe('gone')
  })
})

describe('lists of what is in folders', () => {
  const entries = (count: number) => Array.from({ length: count }, (_, i) => ({ path: String(i), size: 0, mtimeMs: 0 }))

  test('are kept for an hour, each sender its own', () => {
    const clock = new HandClock()
    const lists = new Manifests(clock)
    expect(lists.put('a', 'x/0', entries(3))).toBe(true)
    expect([lists.get('a', 'x/0')?.length, lists.get('b', 'x/0')]).toEqual([3, undefined])
    clock.advance(3_600_000)
    expect(lists.get('a', 'x/0')).toBeUndefined()
  })

  test('take the place of older ones of the same sender, and of nobody else’s', () => {
    const lists = new Manifests(new HandClock())
    for (const key of ['1', '2', '3']) expect(lists.put('a', key, entries(70_000))).toBe(true)
    expect(['1', '2', '3'].map((key) => lists.get('a', key)?.length)).toEqual([undefined, 70_000, 70_000])
    expect(lists.put('b', '1', entries(100_000))).toBe(true)
    expect(lists.put('c', '1', entries(100_000))).toBe(false)
    lists.drop('b', '1')
    expect(lists.put('c', '1', entries(100_000))).toBe(true)
  })
})

test('lists with long paths take the room of many entries', () => {
  const lists = new Manifests(new HandClock())
  const entries = (letter: string) => Array.from({ length: 7_000 }, (_, i) => ({ path: `${letter.repeat(2_000)}${i}`, size: 0, mtimeMs: 0 }))
  for (const key of ['1', '2', '3']) expect(lists.put('a', key, entries(key))).toBe(true)
  expect(['1', '2', '3'].map((key) => lists.get('a', key)?.length)).toEqual([undefined, undefined, 7_000])
})

describe('texts', () => {
  const from = (sender: string, body: PassThrough) => ({ body, caller: { node: { StableID: sender } } }) as unknown as Parameters<Texts['read']>[0]
  const begin = (texts: Texts, sender: string, bytes: number): { body: PassThrough; end: ReturnType<Texts['read']> } => {
    const body = new PassThrough({ highWaterMark: 1 << 26 })
    const end = texts.read(from(sender, body), 16 << 20)
    body.write(Buffer.alloc(bytes, ' '))
    return { body, end }
  }

  test('that are begun and not ended have bounded room for each sender, and leave some to others', async () => {
    const texts = new Texts(new HandClock())
    const first = begin(texts, 'a', 15 << 20)
    await seen(first.end)
    expect(await begin(texts, 'a', 15 << 20).end).toBe('too-many')
    const other = begin(texts, 'b', 15 << 20)
    other.body.end()
    expect(await other.end).toMatchObject({ text: expect.any(String) as unknown })
    first.body.end()
    await first.end
    const again = begin(texts, 'a', 15 << 20)
    again.body.end()
    expect(await again.end).toBeTypeOf('object')
  })

  test('that are too long, break off or take too long are told apart', async () => {
    const clock = new HandClock()
    const texts = new Texts(clock)
    expect(await begin(texts, 'a', (16 << 20) + 1).end).toBe('too-much')
    const [cut, slow] = [begin(texts, 'a', 1), begin(texts, 'b', 1)]
    cut.body.destroy()
    expect(await cut.end).toBe('stopped')
    expect(await seen(slow.end)).toBe('waits')
    clock.advance(120_000)
    expect(await slow.end).toBe('stopped')
  })
})

test('a file comes over HTTP/2 as well', async () => {
  const rig = await makeRig()
  const socket = await rig.api.connect()
  const session = connectHttp2(`http://${HOST}`, { createConnection: () => socket }).on('error', () => {})
  try {
    const bytes = Buffer.alloc(300_000, 'x')
    const stream = session.request({ ':path': '/v0/put/a.bin', ':method': 'PUT' })
    stream.end(bytes)
    const [answer] = (await once(stream, 'response')) as [Record<string, unknown>]
    expect(answer[':status']).toBe(200)
    expect(rig.inbox.final.get(`${FOLDER}/a.bin`)?.equals(bytes)).toBe(true)
    const list = session.request({ ':path': '/v0/put/' })
    let text = ''
    for await (const piece of list) text += String(piece)
    expect(text).toBe('null\n')
  } finally {
    session.destroy()
    await rig.stop()
  }
})
