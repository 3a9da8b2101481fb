import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concat, fromHex, readU32, toHex, writeU32 } from '../../../../main/engine/base/bytes.ts'
import { countFrames, encodeFrame, encodeNotePreferred, encodeRecvPacket, encodeSendPacket, FRAME, MAX_PACKET_FRAME_BYTES, wholeFramesWithin } from '../../../../main/engine/core/derp/frame.ts'
import { DerpStream } from '../../../../main/engine/core/derp/stream.ts'
import type { DerpSink } from '../../../../main/engine/core/derp/stream.ts'
import { DISCO_MAGIC } from '../../../../main/engine/core/disco/envelope.ts'

const vectors = JSON.parse(readFileSync(new URL('../../../vectors/derp.json', import.meta.url), 'utf8')) as { frames: { name: string; type: number; hex: string }[] }
const key = (n: number): Uint8Array => new Uint8Array(32).fill(n)

class Recorder implements DerpSink {
  /** In order: packets and disco as "type sender body", others as "type body". */
  readonly seen: string[] = []
  readonly sources: string[] = []
  runs = 0

  onPackets(frames: Uint8Array): void {
    this.runs++
    for (let at = 0; at < frames.length; ) {
      const end = at + 5 + readU32(frames, at + 1)
      this.seen.push(`packet ${toHex(frames.subarray(at + 5, end))}`)
      at = end
    }
  }

  onDisco(src: Uint8Array, packet: Uint8Array): void {
    this.seen.push(`disco ${toHex(src)}${toHex(packet)}`)
  }

  onSource(src: Uint8Array): void {
    this.sources.push(toHex(src).slice(0, 2))
  }

  onFrame(type: number, body: Uint8Array): void {
    this.seen.push(`${type} ${toHex(body)}`)
  }
}

function feed(bytes: Uint8Array, cuts: readonly number[]): Recorder {
  const recorder = new Recorder()
  const stream = new DerpStream(recorder)
  let from = 0
  for (const cut of [...cuts.map((one) => one % (bytes.length + 1)).toSorted((a, b) => a - b), bytes.length]) {
    // Copies, so that a view kept by mistake would show.
    expect(stream.push(bytes.slice(from, cut))).toBeUndefined()
    from = cut
  }
  return recorder
}

const disco = concat(DISCO_MAGIC, new Uint8Array(80).fill(5))
const wireguard = concat(new Uint8Array([4, 0, 0, 0]), new Uint8Array(60).fill(6))

const frame = fc.oneof(
  { weight: 5, arbitrary: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.uint8Array({ maxLength: 300 })).map(([n, body]) => encodeRecvPacket(key(n), body)) },
  fc.integer({ min: 1, max: 3 }).map((n) => encodeRecvPacket(key(n), disco)),
  fc.tuple(fc.constantFrom(...Object.values(FRAME).filter((type) => type !== FRAME.recvPacket)), fc.uint8Array({ maxLength: 50 })).map(([type, body]) => encodeFrame(type, body)),
  fc.tuple(fc.constantFrom(0x09, 0x0a, 0x10, 0x77, 0xff), fc.uint8Array({ maxLength: 400 })).map(([type, body]) => encodeFrame(type, body)),
)

describe('the relay stream', () => {
  it('reads the same frames however the bytes are cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 30 }), fc.array(fc.nat(), { maxLength: 40 }), (frames, cuts) => {
        const bytes = concat(...frames)
        const whole = feed(bytes, [])
        expect(feed(bytes, cuts).seen).toEqual(whole.seen)
        expect(feed(bytes, Array.from({ length: bytes.length }, (_, i) => i)).seen).toEqual(whole.seen)
        expect(feed(bytes, cuts).sources).toEqual(whole.sources)
      }),
      { numRuns: 300 },
    )
  })

  it('hands a run of packets on in one piece, and disco on its own', () => {
    const one = encodeRecvPacket(key(1), wireguard)
    const recorder = feed(concat(one, one, one, encodeRecvPacket(key(2), disco), one, one), [])
    expect(recorder.runs).toBe(2)
    expect(recorder.seen.filter((text) => text.startsWith('disco'))).toHaveLength(1)
    expect(recorder.sources).toEqual(['01', '02', '01'])
  })

  it('hands packets on without copying them', () => {
    const chunk = concat(encodeRecvPacket(key(1), wireguard), encodeRecvPacket(key(1), wireguard))
    let same = false
    const recorder = new Recorder()
    recorder.onPackets = (frames) => {
      same = frames.buffer === chunk.buffer && frames.length === chunk.length
    }
    new DerpStream(recorder).push(chunk)
    expect(same).toBe(true)
  })

  it.each([
    ['a packet of 4 GiB', FRAME.recvPacket, 0xffffffff],
    ['a packet that is just too long', FRAME.recvPacket, 65_536 + 32 + 1],
    ['a packet without room for its sender', FRAME.recvPacket, 31],
    ['an unknown frame of more than 1 MiB', 0x77, (1 << 20) + 1],
    ['a health text of 1 MiB', FRAME.health, 1 << 20],
  ])('refuses %s at its header and stays dead', (_name, type, length) => {
    const header = new Uint8Array(5)
    header[0] = type
    writeU32(header, 1, length)
    for (const cut of [[header], [...header].map((byte) => new Uint8Array([byte]))]) {
      const recorder = new Recorder()
      const stream = new DerpStream(recorder)
      for (const part of cut) stream.push(part)
      expect(stream.push(encodeRecvPacket(key(1), wireguard))).toMatchObject({ kind: 'decode-error' })
      expect(recorder.seen).toEqual([])
      expect(stream.bufferedBytes).toBeLessThanOrEqual(5)
    }
  })

  it('keeps no more than one partial packet', () => {
    const stream = new DerpStream(new Recorder())
    const big = encodeRecvPacket(key(1), new Uint8Array(65_536))
    for (let i = 0; i < 5; i++) {
      for (let at = 0; at < big.length; at += 1000) {
        stream.push(big.subarray(at, at + 1000))
        expect(stream.bufferedBytes).toBeLessThanOrEqual(MAX_PACKET_FRAME_BYTES)
      }
    }
    expect(stream.bufferedBytes).toBe(0)
  })

  it('never throws on rubbish and never keeps much of it', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 2000 }), { maxLength: 20 }), (chunks) => {
        const stream = new DerpStream(new Recorder())
        for (const chunk of chunks) stream.push(chunk)
        expect(stream.bufferedBytes).toBeLessThanOrEqual(MAX_PACKET_FRAME_BYTES)
      }),
    )
  })
})

describe('relay frames', () => {
  it.each(vectors.frames)('reads the vector: $name', ({ type, hex }) => {
    const bytes = fromHex(hex.replaceAll(' ', ''))!
    const recorder = feed(bytes, [])
    const body = toHex(bytes.subarray(5))
    expect(recorder.seen).toEqual([type === FRAME.recvPacket ? `packet ${body}` : `${type} ${body}`])
  })

  it('writes the vectors of what a client sends', () => {
    const of = (name: string): string => vectors.frames.find((one) => one.name === name)!.hex.replaceAll(' ', '')
    expect(toHex(encodeSendPacket(key(0xbb), new Uint8Array([1, 2, 3])))).toBe(of('send packet'))
    expect(toHex(encodeNotePreferred(true))).toBe(of('note-preferred'))
    expect(toHex(encodeFrame(FRAME.ping, new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8])))).toBe(of('ping'))
  })

  it('cuts a run of frames only between frames', () => {
    const frames = concat(encodeSendPacket(key(1), new Uint8Array(10)), encodeSendPacket(key(1), new Uint8Array(20)))
    expect(countFrames(frames)).toBe(2)
    expect(wholeFramesWithin(frames, frames.length)).toBe(frames.length)
    expect(wholeFramesWithin(frames, frames.length - 1)).toBe(47)
    expect(wholeFramesWithin(frames, 46)).toBe(0)
  })
})
