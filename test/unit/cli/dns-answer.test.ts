import { encode } from 'dns-packet'
import type { Answer } from 'dns-packet'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readDnsAnswer } from '../../../main/cli/dns-answer.ts'
import { CliError } from '../../../main/cli/exit.ts'

const read = (bytes: Uint8Array): ReturnType<typeof readDnsAnswer> => readDnsAnswer('a.example', 'A', { Bytes: Buffer.from(bytes).toString('base64'), Resolvers: [{ Addr: '192.0.2.53' }] })

test('records of each kind become one text each', async () => {
  const answers: Answer[] = [
    { type: 'A', name: 'a.example', ttl: 60, data: '192.0.2.1' },
    { type: 'MX', name: 'a.example', ttl: 60, data: { preference: 10, exchange: 'mail.example' } },
    { type: 'TXT', name: 'a.example', ttl: 60, data: ['one', 'two'] },
    { type: 'SRV', name: 'a.example', ttl: 60, data: { priority: 1, weight: 2, port: 443, target: 't.example' } },
  ]
  const answer = await read(encode({ type: 'response', flags: 0, questions: [{ type: 'A', name: 'a.example' }], answers }))
  expect(answer).toMatchObject({ ResponseCode: 'RCodeSuccess', Resolvers: [{ Addr: '192.0.2.53' }] })
  expect(answer.Answers?.map((row) => `${row.Class} ${row.Type} ${row.Body}`)).toEqual(['ClassINET TypeA 192.0.2.1', expect.stringMatching(/TypeMX .*10.*mail\.example/), 'ClassINET TypeTXT one two', expect.stringMatching(/TypeSRV .*443.*t\.example/)])
})

test('the code of the answer has its name', async () => {
  expect(await read(encode({ type: 'response', flags: 3, questions: [{ type: 'A', name: 'a.example' }] }))).toMatchObject({ ResponseCode: 'RCodeNameError' })
})

test('any bytes are read or refused with a sentence', async () => {
  const whole = encode({ type: 'response', questions: [{ type: 'A', name: 'a.example' }], answers: [{ type: 'TXT', name: 'a.example', data: 'x' }] })
  const bytes = fc.oneof(fc.uint8Array({ maxLength: 80 }), fc.tuple(fc.nat(whole.length - 1), fc.nat(255)).map(([at, value]) => whole.with(at, value)))
  await fc.assert(fc.asyncProperty(bytes, async (message) => {
    const answer = await read(message).catch((error: unknown) => error)
    expect(answer instanceof CliError ? answer.code : 'ResponseCode' in (answer as object)).toBeOneOf(['bad-answer', true])
  }))
})
