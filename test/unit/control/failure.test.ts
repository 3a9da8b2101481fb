import { expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { failureOf, printable, statusFailure } from '../../../main/engine/control/failure.ts'

const system = (code: string): EngineError => new EngineError('io', 'x', { cause: Object.assign(new Error('raw'), { code }) })

test('what the system says is told in words that a person can act on', () => {
  expect(failureOf(system('ECONNREFUSED'), 'h:1')).toEqual({ code: 'control-unreachable', message: 'cannot reach the control server h:1: nothing listens there (connection refused)' })
  expect(failureOf(system('ENOTFOUND'), 'h').message).toContain('not known to DNS')
  expect(failureOf(system('CERT_HAS_EXPIRED'), 'h')).toEqual({ code: 'control-tls', message: 'cannot trust the control server h: its certificate has expired (CERT_HAS_EXPIRED)' })
  expect(failureOf(system('ERR_TLS_CERT_ALTNAME_INVALID'), 'h').message).toContain('another name')
  expect(failureOf(system('ERR_SSL_WRONG_VERSION_NUMBER'), 'h').code).toBe('control-tls')
  expect(failureOf(system('ERR_STREAM_PREMATURE_CLOSE'), 'h').message).toContain('closed the connection')
  expect(failureOf(new EngineError('timeout', 'x'), 'h').code).toBe('timeout')
  expect(failureOf(new Error('odd'), 'h')).toMatchObject({ code: 'control-unreachable' })
})

test('HTTP statuses mean what the protocol says', () => {
  expect(statusFailure('map', 404, 'node not found', undefined, 0).failure).toMatchObject({ code: 'control-not-found', status: 404 })
  expect(statusFailure('map', 400, 'unsupported client version: 99', undefined, 0).failure).toMatchObject({ code: 'control-version', status: 400 })
  expect(statusFailure('map', 400, 'other', undefined, 0).failure.code).toBe('control-refused')
  expect(statusFailure('map', 503, '', undefined, 0).failure.code).toBe('control-unreachable')
})

test('Retry-After is read in seconds and as a date, and bounded', () => {
  const at = (text: string | undefined): number | undefined => statusFailure('register', 429, '', text, Date.UTC(2026, 0, 1)).failure.retryAfterMs
  expect(at('7')).toBe(7000)
  expect(at('Thu, 01 Jan 2026 00:00:30 GMT')).toBe(30_000)
  expect(at('Thu, 01 Jan 2020 00:00:30 GMT')).toBe(0)
  expect(at('999999999')).toBe(3_600_000)
  expect(at('soon')).toBeUndefined()
  expect(at(undefined)).toBeUndefined()
})

test("a server's text is one short line without control characters", () => {
  expect(printable('bad \u001b[31mthing\u202e\nsecond line')).toBe('bad [31mthing')
  expect(printable('x'.repeat(1000))).toHaveLength(300)
})
