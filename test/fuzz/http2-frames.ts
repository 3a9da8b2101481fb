/**
 * HTTP/2 frames that a well-meaning server would not send.
 */
import { concat } from '../../main/engine/base/bytes.ts'
import type { Chance } from './chance.ts'

/** HTTP/2: length u24 | type u8 | flags u8 | stream u32 | payload. */
export function frame(type: number, flags: number, stream: number, payload: Uint8Array): Uint8Array {
  const head = new Uint8Array([payload.length >> 16, payload.length >> 8, payload.length, type, flags, stream >>> 24, stream >>> 16, stream >>> 8, stream])
  return concat(head, payload)
}

/** One, a few, or a flood. */
export function hostileFrames(chance: Chance): Uint8Array {
  const count = chance.pick([1, 1, 3, 200])
  const stream = chance.pick([0, 1, 1, 2, 3, 7, 2 ** 31 - 1])
  const one = (): Uint8Array => {
    switch (chance.int(0, 10)) {
      case 0: // settings, with any values
        return frame(4, 0, 0, chance.bytes(6 * chance.int(1, 4)))
      case 1: // pings to be answered
        return frame(6, 0, 0, chance.bytes(8))
      case 2: // windows that overflow
        return frame(8, 0, stream, new Uint8Array([127, 255, 255, 255]))
      case 3: // a header block that goes on and on
        return frame(9, 0, stream, chance.bytes(chance.int(0, 2000)))
      case 4:
        return frame(1, chance.pick([0, 4, 5]), stream, chance.bytes(chance.int(0, 2000)))
      case 5: // a push that was not allowed
        return frame(5, 4, stream, chance.bytes(20))
      case 6:
        return frame(3, 0, stream, chance.bytes(4))
      case 7:
        return frame(7, 0, 0, chance.bytes(8))
      case 8: // padding longer than the frame
        return frame(0, 8, stream, new Uint8Array([255, 1, 2]))
      case 9:
        return frame(0, 0, stream, new Uint8Array(chance.pick([0, 0, 16_384, 70_000])))
      default:
        return frame(chance.int(0, 255), chance.int(0, 255), stream, chance.bytes(chance.int(0, 100)))
    }
  }
  return concat(...Array.from({ length: count }, one))
}
