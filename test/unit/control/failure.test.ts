import { expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { printable } from '../../../main/engine/base/printable.ts'
import { failureOf, statusFailure } from '../../../main/engine/control/failure.ts'

const system = (code: string): EngineError => new EngineError('io', 'x', { cause: Object.assign(new Error('raw'), { code }) })

test('what the system says is told in words that a person can act on', () => {
  expect(failureOf(system('ECONNREFUSED'), 'h:1')).toEqual({
    code: 'connection-refused', message: 'cannot reach the control server h:1: nothing listens there (connection refused). Check the address and its port, or whether the server runs',
  })
  expect(failureOf(system('ENETUNREACH'), 'h')).toMatchObject({ code: 'control-unreachable', message: expect.stringContaining('no network') as unknown })
  expect(failureOf(system('ERR_SSL_WRONG_VERSION_NUMBER'), 'h')).toMatchObject({ code: 'control-no-tls', message: expect.stringContaining('http://') as unknown })
  expect(failureOf(system('ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION'), 'h').code).toBe('control-tls')
  expect(failureOf(system('HPE_INVALID_CONSTANT'), 'h').code).toBe('control-wrong-server')
  expect(failureOf(system('ERR_STREAM_PREMATURE_CLOSE'), 'h').message).toContain('closed the connection')
  expect(failureOf(new EngineError('timeout', 'x'), 'h').code).toBe('timeout')
  expect(failureOf(new Error('odd'), 'h')).toMatchObject({ code: 'control-unreachable' })
})

test('an error that has its own code and sentence keeps both', () => {
  expect(failureOf(new EngineError('proxy-sign-in', 'the proxy wants a password', { cause: Object.assign(new Error('x'), { code: 'ECONNRESET' }) }), 'h')).toEqual({ code: 'proxy-sign-in', message: 'the proxy wants a password' })
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
