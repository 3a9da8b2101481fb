import { describe, expect, test } from 'vitest'
import { parseDuration, parseFlags } from '../../../main/cli/flags.ts'
import type { FlagSpec, Parsed } from '../../../main/cli/flags.ts'

const SPEC: FlagSpec = {
  port: { kind: 'number', help: '', initial: '0' },
  state: { kind: 'text', help: '' },
  'accept-routes': { kind: 'bool', help: '' },
  timeout: { kind: 'duration', help: '', initial: '5s' },
  c: { kind: 'number', help: '' },
  'auth-key': { kind: 'text', help: '' },
  authkey: { kind: 'text', help: '', sameAs: 'auth-key' },
}
const parse = (...argv: string[]): Parsed => parseFlags(argv, SPEC, 'test')

describe('flags as Go programs take them', () => {
  test.each([['--port=5'], ['-port=5'], ['--port', '5'], ['-port', '5']])('%s %s', (...argv) => {
    expect(parse(...argv).number('port')).toBe(5)
  })

  test('a switch takes =false, never the next word', () => {
    expect(parse('--accept-routes', 'n2')).toMatchObject({ words: ['n2'] })
    expect(parse('--accept-routes').bool('accept-routes')).toBe(true)
    expect(parse('--accept-routes=false').bool('accept-routes')).toBe(false)
    expect(parse('--accept-routes=false').has('accept-routes')).toBe(true)
  })

  test('a value may begin with a dash or hold an equals sign', () => {
    expect(parse('--state', '-x').text('state')).toBe('-x')
    expect(parse('--state=a=b').text('state')).toBe('a=b')
    expect(parse('--state=').text('state')).toBe('')
  })

  test('another spelling is the same flag', () => {
    expect(parse('--authkey=k').text('auth-key')).toBe('k')
  })

  test('what was not given has its first value', () => {
    expect(parse().durationMs('timeout')).toBe(5000)
    expect(parse().has('timeout')).toBe(false)
  })

  test.each([
    [['--nope'], '--nope'],
    [['--port=x'], '--port wants a number'],
    [['--port'], 'wants a value'],
    [['--timeout=soon'], '30s'],
    [['--accept-routes=maybe'], 'on or off'],
  ])('%j is refused by name', (argv, words) => {
    expect(() => parse(...argv)).toThrow(expect.objectContaining({ exitCode: 2, message: expect.stringContaining(words) }))
  })

  test.each([
    ['30s', 30_000],
    ['1m30s', 90_000],
    ['500ms', 500],
    ['1.5s', 1_500],
    ['2', 2_000],
    ['', 0],
    ['1x', undefined],
    ['s', undefined],
  ])('the time %j', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })
})
