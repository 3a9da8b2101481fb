import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseTarget, targetText } from '../../../../main/engine/core/reach/target.ts'

describe('what a person wants to reach', () => {
  test.each([
    ['laptop', 'laptop', 0],
    [' Laptop.Example.COM. ', 'laptop.example.com', 0],
    ['nas:22', 'nas', 22],
    ['100.64.0.7:443', '100.64.0.7', 443],
    ['fd7a::0001', 'fd7a::1', 0],
    ['[fd7a::1]:80', 'fd7a::1', 80],
    ['[fd7a::1]', 'fd7a::1', 0],
    ['https://wiki.example.com/page?q=1', 'wiki.example.com', 443],
    ['http://wiki:8080/', 'wiki', 8080],
    ['ssh://me:secret@laptop', 'laptop', 22],
    ['gopher://old', 'old', 0],
  ])('reads %j', (text, host, port) => {
    expect(parseTarget(text)).toEqual({ host, port })
  })

  test.each(['', '  ', ':22', 'nas:', 'nas:0', 'nas:65536', 'nas:ssh', 'nas:22:23', '[nas]:22', '[fd7a::1', 'a b', 'nas;rm -rf', '$(id)', '<b>x</b>', 'nas\n22', '\u202esan', '256.1.1.1', '1.2.3', 'http://', 'ü.example.com', 'a'.repeat(301), '-nas'])('refuses %j in words', (text) => {
    expect(parseTarget(text)).toEqual({ problem: expect.stringMatching(/^[A-Z].*\.$/) as string })
  })

  test('whatever is taken is written and read again as the same', () => {
    fc.assert(fc.property(fc.oneof(fc.string({ maxLength: 60 }), fc.stringMatching(/^[a-z0-9.:[\]/@-]{1,40}$/)), (text) => {
      const target = parseTarget(text)
      if ('problem' in target) return
      expect(target.host).toMatch(/^[a-z0-9_.:-]+$/)
      expect(parseTarget(targetText(target))).toEqual(target)
    }), { numRuns: 2000 })
  })
})
