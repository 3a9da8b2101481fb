import { expect, test } from 'vitest'
import { LiteUpdates } from '../../../../main/engine/core/session/lite-updates.ts'

/** Updates with a clock in hand; `sent` holds every mark that was to be sent. */
class Bench {
  nowMs = 0
  readonly sent: string[] = []
  readonly updates = new LiteUpdates({ unit: () => 0.5 })

  wait(ms: number): this {
    const endMs = this.nowMs + ms
    for (let due = this.updates.nextTimeout(); due && due.atMs <= endMs; due = this.updates.nextTimeout()) {
      this.nowMs = due.atMs
      this.updates.handleTimeout(this.nowMs)
      const mark = this.updates.takeUpdate()
      if (mark !== undefined) this.sent.push(mark)
    }
    this.nowMs = endMs
    return this
  }

  want(mark: string): this {
    this.updates.handleWanted(this.nowMs, mark)
    return this
  }

  stream(mark: string): this {
    this.updates.handleStreaming(this.nowMs, mark)
    return this
  }

  done(ok = true): this {
    this.updates.handleDone(this.nowMs, ok)
    return this
  }
}

test('nothing is sent without a stream, and what the stream said is not repeated at once', () => {
  const bench = new Bench().want('a').wait(60_000)
  expect(bench.sent).toEqual([])
  expect(bench.stream('a').wait(5000).sent).toEqual([])
})

test('a server that ignores what the stream said is told once, after a while', () => {
  const bench = new Bench().want('a').stream('a').wait(11_000)
  expect(bench.sent).toEqual(['a'])
  expect(bench.done().wait(3_600_000).sent).toEqual(['a'])
})

test('a natural change spares the repetition', () => {
  const bench = new Bench().want('a').stream('a').wait(2000).want('b').wait(100).done().wait(3_600_000)
  expect(bench.sent).toEqual(['b'])
})

test('a burst of changes is one update with the last content', () => {
  const bench = new Bench().want('a').stream('a')
  for (const mark of ['b', 'c', 'd']) bench.want(mark).wait(5)
  expect(bench.wait(100).sent).toEqual(['d'])
})

test('one update at a time; what changed meanwhile follows', () => {
  const bench = new Bench().want('a').stream('a').want('b').wait(100).want('c').wait(5000)
  expect(bench.sent).toEqual(['b'])
  expect(bench.done().wait(100).sent).toEqual(['b', 'c'])
})

test('a change that was taken back while another was in flight is told', () => {
  const bench = new Bench().want('a').stream('a').want('b').wait(100).want('a').done().wait(100)
  expect(bench.sent).toEqual(['b', 'a'])
})

test('a failed update is tried again, ever more slowly', () => {
  const bench = new Bench().want('a').stream('a').want('b').wait(100)
  for (let i = 0; i < 50; i++) bench.done(false).wait(60_000)
  expect(bench.sent.length).toBe(51)
  const before = bench.sent.length
  bench.done(false).wait(20_000)
  expect(bench.sent.length).toBe(before)
})

test('the same want again and again sends nothing: an echo cannot make a loop', () => {
  const bench = new Bench().want('a').stream('a').want('b').wait(100).done()
  for (let i = 0; i < 1000; i++) bench.want('b').wait(100)
  expect(bench.sent).toEqual(['b'])
})

test('what a new stream said counts: an older content wanted again is told', () => {
  const bench = new Bench().want('a').stream('a').want('b').wait(100).done()
  bench.updates.handleStreamEnd()
  bench.want('c').wait(1000)
  expect(bench.sent).toEqual(['b'])
  expect(bench.stream('c').want('b').wait(100).sent).toEqual(['b', 'b'])
})

test('our own node is asked for once by an update that says what is known, and again only after the gap', () => {
  const bench = new Bench().want('a').stream('a').wait(11_000).done()
  const ask = (gapMs: number): void => bench.updates.handleNodeWanted(bench.nowMs, gapMs)
  ask(2000)
  ask(2000)
  expect(bench.wait(1000).sent).toEqual(['a', 'a'])
  bench.done()
  ask(2000)
  expect(bench.wait(500).sent).toHaveLength(2)
  expect(bench.wait(2000).sent).toHaveLength(3)
  expect(bench.done().wait(3_600_000).sent).toHaveLength(3)
})

test('our own node is not asked for when it comes by itself', () => {
  const bench = new Bench().want('a').stream('a').wait(11_000).done()
  bench.updates.handleNodeWanted(bench.nowMs, 2000)
  bench.updates.handleNode()
  expect(bench.wait(60_000).sent).toEqual(['a'])
})

test('our own node is asked for again behind an update that was under way', () => {
  const bench = new Bench().want('a').stream('a').wait(11_000)
  bench.updates.handleNodeWanted(bench.nowMs, 2000)
  expect(bench.wait(60_000).sent).toEqual(['a'])
  expect(bench.done().wait(60_000).sent).toEqual(['a', 'a'])
})
