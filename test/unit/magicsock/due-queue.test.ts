import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DueQueue } from '../../../main/engine/magicsock/due-queue.ts'

const step = fc.oneof(
  fc.record({ kind: fc.constant('set' as const), item: fc.nat(12), dueMs: fc.nat(50) }),
  fc.record({ kind: fc.constant('delete' as const), item: fc.nat(12), dueMs: fc.constant(0) }),
  fc.record({ kind: fc.constant('take' as const), item: fc.constant(0), dueMs: fc.nat(50) }),
)

it('gives what is due first, as a plain list would', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const queue = new DueQueue<number>()
      const plain = new Map<number, number>()
      for (const { kind, item, dueMs } of steps) {
        if (kind === 'set') {
          queue.set(item, dueMs)
          plain.set(item, dueMs)
        } else if (kind === 'delete') {
          queue.delete(item)
          plain.delete(item)
        } else {
          const least = plain.size === 0 ? undefined : Math.min(...plain.values())
          const taken = queue.take(dueMs)
          if (least === undefined || least > dueMs) expect(taken).toBeUndefined()
          else {
            expect(plain.get(taken!)).toBe(least)
            plain.delete(taken!)
          }
        }
        expect(queue.size).toBe(plain.size)
        expect(queue.nextMs).toBe(plain.size === 0 ? undefined : Math.min(...plain.values()))
      }
    }),
  )
})
