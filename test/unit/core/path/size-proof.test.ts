import { describe, expect, it } from 'vitest'
import { SizeProof } from '../../../../main/engine/core/path/size-proof.ts'

/** Asks whenever it wants to; small pings are answered or not; answers how often it asked within `ms`. */
function run(proof: SizeProof, fromMs: number, ms: number, small: boolean): number {
  let asked = 0
  for (let nowMs = fromMs; nowMs <= fromMs + ms; nowMs += 10) {
    if (proof.judge(nowMs) !== 'ask') continue
    asked++
    proof.noteSent(nowMs, 250)
    if (small) proof.noteSmallPong()
  }
  return asked
}

describe('the proof that full-size packets pass', () => {
  it('asks at once, and again a while after it was answered', () => {
    const proof = new SizeProof()
    proof.start(0)
    expect(proof.judge(0)).toBe('ask')
    proof.noteSent(0, 250)
    expect(proof.noteSizedPong(40)).toBe(false)
    expect([proof.isWide, proof.isNarrow, proof.dueMs]).toEqual([true, false, 15_040])
  })

  it('is narrow after five sized pings were lost while small ones were answered, and says so before that by doubt', () => {
    const proof = new SizeProof()
    proof.start(0)
    run(proof, 0, 300, true)
    expect([proof.isNarrow, proof.isDoubtful]).toEqual([false, true])
    run(proof, 310, 1500, true)
    expect([proof.isNarrow, proof.isDoubtful]).toEqual([true, false])
  })

  it('calls no path narrow that answers nothing at all', () => {
    const proof = new SizeProof()
    proof.start(0)
    run(proof, 0, 10_000, false)
    expect(proof.isNarrow).toBe(false)
  })

  it('asks a narrow path less and less, and ends that with the first sized pong', () => {
    const proof = new SizeProof()
    proof.start(0)
    run(proof, 0, 2000, true)
    expect(run(proof, 2000, 600_000, true)).toBeLessThan(16)
    expect(proof.noteSizedPong(700_000)).toBe(true)
    expect([proof.isWide, proof.isNarrow]).toEqual([true, false])
  })

  it('forgets what is under way at rest, but not that a path is narrow', () => {
    const proof = new SizeProof()
    proof.start(0)
    run(proof, 0, 300, true)
    proof.rest()
    expect([proof.dueMs, proof.isDoubtful]).toEqual([undefined, false])
    proof.start(5000)
    run(proof, 5000, 2000, true)
    proof.rest()
    expect(proof.isNarrow).toBe(true)
  })
})
