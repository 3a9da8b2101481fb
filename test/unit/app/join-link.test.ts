import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { joinLink, linkAmong, LinkGate } from '../../../main/app/join-link.ts'

describe('a join link', () => {
  it.each(['bowline://join', 'bowline://join/', 'bowline://join?server=https%3A%2F%2Fhs.example.com', 'BOWLINE://join/x?a=b#c'])('is shown: %s', (text) => {
    expect(joinLink(text)).toMatch(/^bowline:\/\/join/)
  })

  it.each([
    '', 'bowline:join', 'bowline://', 'bowline://joins', 'bowline://join.evil', 'bowline://evil/join', 'bowline://join@evil/', 'bowline://user:secret@join/', 'bowline://join:80/',
    'https://join/', 'xbowline://join', ' bowline://join', 'bowline://join ', 'bowline://join?a=b\n', 'bowline://join?\u202e', 'bowline://join/\u0000', 'javascript:alert(1)//bowline://join',
    `bowline://join?${'x'.repeat(6000)}`, 7, null, {}, ['bowline://join'],
  ])('is refused: %j', (text) => {
    expect(joinLink(text)).toBeUndefined()
  })

  it('is printable and bounded whatever comes, and is the same read twice', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (tail) => {
      const link = joinLink(`bowline://join?${tail}`)
      if (link === undefined) return
      expect(link).toMatch(/^bowline:\/\/join[\x21-\x7e]*$/)
      expect(joinLink(link)).toBe(link)
    }))
  })

  it('is taken from a command line that has one, not from one that has several', () => {
    expect(linkAmong(['--hidden', 'bowline://join?a'])).toBe('bowline://join?a')
    expect(linkAmong(['bowline://join?a', 'bowline://join?b'])).toBeUndefined()
    expect(linkAmong(['bowline://evil', '/etc/passwd'])).toBeUndefined()
  })

  it('passes one at a time: the first of several', () => {
    const gate = new LinkGate()
    expect(gate.admit('bowline://evil', 0)).toBeUndefined()
    expect(gate.admit('bowline://join?1', 10)).toBe('bowline://join?1')
    expect(Array.from({ length: 1000 }, (_, i) => gate.admit(`bowline://join?${i}`, 11 + i)).every((link) => link === undefined)).toBe(true)
    expect(gate.admit('bowline://join?2', 2500)).toBe('bowline://join?2')
  })
})
