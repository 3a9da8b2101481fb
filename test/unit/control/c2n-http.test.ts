import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatC2nAnswer, parseC2nRequest } from '../../../main/engine/control/c2n-http.ts'

const parse = (text: string): ReturnType<typeof parseC2nRequest> => parseC2nRequest(Buffer.from(text, 'latin1'))
const bodyOf = (text: string): string | undefined => {
  const request = parse(text)
  return request && Buffer.from(request.body).toString()
}

test('a request has its method, path, query and body', () => {
  const request = parse('POST /a/b?x=1&y=%20 HTTP/1.1\r\nHost: h\r\ncontent-length: 3\r\n\r\nabcd')!
  expect([request.method, request.path, request.query.get('x'), request.query.get('y'), Buffer.from(request.body).toString()]).toEqual(['POST', '/a/b', '1', ' ', 'abc'])
  expect(bodyOf('GET / HTTP/1.0\r\n\r\n')).toBe('')
  expect(bodyOf('POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')).toBe('abcde')
})

test.each(['', 'rubbish', 'GET / HTTP/2\r\n\r\n', 'get / HTTP/1.1\r\n\r\n', 'GET  HTTP/1.1\r\n\r\n', 'GET / HTTP/1.1\r\n', `GET /${'x'.repeat(9000)} HTTP/1.1\r\n\r\n`,
  'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n', 'POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\nabc'])('%j is no request', (text) => {
  expect(parse(text)).toBeUndefined()
})

test('no bytes make it throw', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom('', 'POST / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n', 'GET http://[ HTTP/1.1\r\n'), (bytes, head) => {
    parseC2nRequest(Buffer.concat([Buffer.from(head), bytes]))
  }), { numRuns: 2000 })
})

test('an answer is whole HTTP, of any bytes', () => {
  const answer = Buffer.from(formatC2nAnswer({ status: 405, body: 'é\n' })).toString()
  expect(answer).toBe('HTTP/1.1 405 Method Not Allowed\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\nConnection: close\r\n\r\né\n')
})
