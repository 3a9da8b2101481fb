import { expect, test } from 'vitest'
import fc from 'fast-check'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { readKeyAnswer, type KeyAnswer } from '../../../main/engine/control/key-answer.ts'

const good = JSON.stringify({ legacyPublicKey: `mkey:${'0'.repeat(64)}`, publicKey: `mkey:${'ab'.repeat(32)}` })

function read(url: string, answer: Partial<Omit<KeyAnswer, 'body'>> & { body?: string }): Uint8Array {
  return readKeyAnswer({ status: 200, headers: {}, ...answer, body: new TextEncoder().encode(answer.body ?? '') }, new URL(url), 0)
}

function told(url: string, answer: Partial<Omit<KeyAnswer, 'body'>> & { body?: string }): string {
  try {
    read(url, answer)
  } catch (error) {
    if (error instanceof EngineError) return `${error.code}: ${error.message}`
    throw error
  }
  return 'a key'
}

test('a good answer is the key', () => {
  expect(read('https://hs.example/key', { body: good })).toEqual(new Uint8Array(32).fill(0xab))
})

test.each([
  ['http://hs.example/key', { status: 302, headers: { location: 'http://portal.hotel.example/login' } }, /^captive-portal: this network wants you to sign in .*portal\.hotel\.example/],
  ['http://hs.example/key', { status: 511 }, /^captive-portal/],
  ['http://hs.example/key', { status: 301, headers: { location: 'https://hs.example/key' } }, /^control-needs-tls: .*https:\/\//],
  ['http://hs.example/key', { status: 400, body: 'Client sent an HTTP request to an HTTPS server.' }, /^control-needs-tls/],
  ['http://a.hs.example/key', { status: 302, headers: { location: 'https://www.hs.example/' } }, /^control-wrong-server: .*sends on to https:\/\/www\.hs\.example/],
  ['https://hs.example/key', { status: 302, headers: { location: 'https://elsewhere.example/' } }, /^control-wrong-server: .*elsewhere/],
  ['https://hs.example/key', { status: 302 }, /^control-wrong-server: .*nowhere/],
  ['https://hs.example/key', { status: 404, body: 'not here' }, /^control-wrong-server: .*no \/key/],
  ['https://hs.example/key', { status: 401 }, /^control-wrong-server: .*password/],
  ['https://hs.example/key', { body: '<!doctype html><title>My NAS\u001b[31m</title>' }, /^control-wrong-server: .*web page \("My NAS\[31m"\)\. Check the address and its port$/],
  ['http://hs.example/key', { body: '<html>' }, /^control-wrong-server: .*sign in to this network/],
  ['https://hs.example/key', { body: '{"status":"ok"}' }, /^control-wrong-server: .*not as expected/],
  ['https://hs.example/key', { body: '' }, /^control-version: .*too old/],
  ['https://hs.example/key', { body: 'ab'.repeat(32) }, /^control-version: .*too old/],
  ['https://hs.example/key', { body: JSON.stringify({ legacyPublicKey: `mkey:${'1'.repeat(64)}` }) }, /^control-version: .*too old/],
  ['https://hs.example/key', { status: 503 }, /^control-unreachable/],
  ['https://hs.example/key', { status: 429, headers: { 'retry-after': '7' } }, /^control-rate-limited/],
])('%s answered by %o is told', (url, answer, expected) => {
  expect(told(url, answer)).toMatch(expected)
})

test('whatever is answered, it is a key or a failure with its code', () => {
  fc.assert(fc.property(fc.integer({ min: 100, max: 599 }), fc.string({ unit: 'binary' }), fc.string(), fc.constantFrom('http', 'https'), (status, body, location, scheme) => {
    expect(told(`${scheme}://hs.example/key`, { status, body, headers: { location } })).toMatch(/^[a-z-]+: |^a key$/)
  }))
})
