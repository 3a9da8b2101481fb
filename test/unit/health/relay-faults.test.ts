import { expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { CertificateError } from '../../../main/engine/core/trust/certificate-fault.ts'
import { Health } from '../../../main/engine/health/health.ts'
import { RelayFaults } from '../../../main/engine/health/relay-faults.ts'
import { HandClock } from '../../sim/clock.ts'

function rig(): { clock: HandClock; codes: () => string[]; texts: () => readonly string[]; outcome: (host: string, error?: Error) => Promise<unknown> } {
  const clock = new HandClock()
  const health = new Health({ clock })
  let next: Error | undefined
  const dial = new RelayFaults({ clock, warnings: health }).watch((_host: string, _port: number, _options: object) => (next ? Promise.reject(next) : Promise.resolve('stream')))
  return {
    clock,
    codes: () => Object.keys(health.state().Warnings ?? {}),
    texts: () => health.texts(),
    outcome: (host, error) => {
      next = error
      return dial(host, 443, {}).catch((why: unknown) => why)
    },
  }
}

const intercepted = new CertificateError('cert-intercepted', 'your network intercepts TLS', undefined, 'FG100E')

test('a box that opens the TLS of relays is told with its name, until every such relay is reached', async () => {
  const { codes, texts, outcome } = rig()
  expect(await outcome('one', intercepted)).toBe(intercepted)
  await outcome('two', intercepted)
  expect(codes()).toEqual(['blockblame-mitm-detected'])
  expect(texts()[0]).toContain('two opens encrypted connections: it shows a certificate of FG100E')
  expect(await outcome('two')).toBe('stream')
  expect(codes()).toEqual(['blockblame-mitm-detected'])
  await outcome('one')
  expect(codes()).toEqual([])
})

test('certificates and proxies have their own warnings; what passes by itself has none', async () => {
  const { codes, outcome } = rig()
  await outcome('one', new CertificateError('cert-expired', 'it expired'))
  await outcome('two', new EngineError('proxy-sign-in', 'the proxy wants a password'))
  await outcome('three', new EngineError('timeout', 'late'))
  await outcome('four', new Error('odd'))
  expect(codes()).toEqual(['proxy-failed', 'tls-connection-failed'])
  await outcome('one', new EngineError('timeout', 'late'))
  expect(codes()).toEqual(['proxy-failed'])
})

test('a relay that is not tried any more is forgotten', async () => {
  const { codes, outcome, clock } = rig()
  await outcome('gone', intercepted)
  clock.advance(200_000)
  await outcome('gone', intercepted)
  clock.advance(200_000)
  expect(codes()).toEqual(['blockblame-mitm-detected'])
  clock.advance(200_000)
  expect(codes()).toEqual([])
  expect(clock.waiting).toBe(0)
})
