/**
 * The system's randomness.
 */
import { randomBytes } from 'node:crypto'
import type { Random } from '../base/env.ts'

export const systemRandom: Random = {
  // A copy, because small Buffers are slices of one pool, which crypto code must not share.
  bytes: (length) => new Uint8Array(randomBytes(length)),
  unit: () => Math.random(),
}
