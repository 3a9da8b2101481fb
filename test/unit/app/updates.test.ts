import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { feedOf, newerOf, UpdateCheck, type Newer } from '../../../main/app/updates.ts'

const FEED = 'https://updates.example.org/bowline.json'
const said = (version: unknown, page: unknown = 'https://updates.example.org/new'): string => JSON.stringify({ version, page })

describe('a feed', () => {
  it('is an https address without a password, or there is none', () => {
    expect(feedOf(FEED)).toBe(FEED)
    for (const value of [undefined, '', 7, 'http://updates.example.org/', 'https://a:b@updates.example.org/', 'file:///etc/passwd', 'no address']) expect(feedOf(value)).toBeUndefined()
  })

  it.each([['0.2.0', true], ['0.1.10', true], ['1.0.0', true], ['v0.1.2', true], ['0.1.1', false], ['0.1.0', false], ['0.0.99', false], ['9.9', false], ['1.0.0-beta', false]])('that names %s is newer than 0.1.1: %s', (version, isNewer) => {
    expect(newerOf(said(version), FEED, '0.1.1') !== undefined).toBe(isNewer)
  })

  it('may not send people elsewhere, nor say anything but a version and a page', () => {
    for (const text of ['', '[]', 'null', said(2), said('2.0.0', 7), said('2.0.0', 'https://evil.example/'), said('2.0.0', 'http://updates.example.org/'), said('2.0.0', 'javascript:alert(1)')]) {
      expect(() => newerOf(text, FEED, '0.1.1'), text).toThrow()
    }
    fc.assert(fc.property(fc.string(), (text) => {
      try {
        newerOf(text, FEED, '0.1.1')
      } catch {
        // Refused.
      }
    }))
  })
})

describe('the check', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('asks nobody until it is on, then within half an hour and about daily, and forgets when it is off', async () => {
    const asked: number[] = []
    let newer: Newer | undefined
    const startMs = Date.now()
    const check = new UpdateCheck(FEED, {
      fetch: (url) => {
        expect(url).toBe(FEED)
        asked.push((Date.now() - startMs) / 60_000)
        return asked.length === 1 ? Promise.reject(new Error('no network')) : Promise.resolve(said('2.0.0'))
      },
      ours: '0.1.0', random: () => 0.5, onNewer: (found) => (newer = found),
    })
    await vi.advanceTimersByTimeAsync(48 * 60 * 60_000)
    expect(asked).toEqual([])
    check.set(true)
    await vi.advanceTimersByTimeAsync(30 * 60_000)
    expect(newer).toBeUndefined()
    await vi.advanceTimersByTimeAsync(24 * 60 * 60_000)
    expect(asked.map((minutes) => Math.round(minutes - 48 * 60))).toEqual([15, 15 + 24 * 60])
    expect(newer).toEqual({ version: '2.0.0', page: 'https://updates.example.org/new' })
    check.set(false)
    expect(newer).toBeUndefined()
    await vi.advanceTimersByTimeAsync(48 * 60 * 60_000)
    expect(asked).toHaveLength(2)
  })
})
