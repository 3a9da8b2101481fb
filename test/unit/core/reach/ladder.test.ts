import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { ladderOf, RUNGS } from '../../../../main/engine/core/reach/ladder.ts'
import type { ReachEvidence, VerdictCode } from '../../../../main/engine/core/reach/ladder.ts'
import { verdictWords } from '../../../../main/engine/core/reach/words.ts'

const target = { host: 'nas', port: 22 }
const peer = { kind: 'peer', name: 'nas', isItself: true, saysOnline: true } as const
const located: ReachEvidence = { target, name: { kind: 'found', ip: '100.64.0.7' }, place: peer, route: '100.64.0.7/32' }
const yes = { ok: true, latencyMs: 3 } as const
const no = { ok: false, why: 'no answer' } as const
const up: ReachEvidence = { ...located, disco: yes, path: { kind: 'direct', words: 'direct' }, tunnel: yes, handshakeAgoMs: 900 }
const shape = (evidence: ReachEvidence, done = true): string => ladderOf(evidence, done).rungs.map(({ state }) => ({ passed: '+', failed: 'x', unclear: '?', looking: '…', 'not-looked': '.' })[state]).join('')

describe('the ladder', () => {
  test.each<[VerdictCode, string, ReachEvidence]>([
    ['not-connected', 'x.......', { target, notConnected: 'connect first' }],
    ['no-such-name', 'x.......', { target, name: { kind: 'missing', why: 'nobody knows it' } }],
    ['no-such-device', '+x......', { target, name: located.name!, place: { kind: 'none', why: 'no device has it' } }],
    ['unusable', '+x......', { target, name: located.name!, place: { kind: 'unusable', name: 'nas', why: 'its sign-in has ended' } }],
    ['route-unused', '+.x.....', { target, name: located.name!, place: { kind: 'route-unused', prefix: '10.0.0.0/24', why: 'not accepted' } }],
    ['offline', '+++x....', { ...located, place: { ...peer, saysOnline: false }, disco: no, tunnel: no }],
    ['no-answer', '+++x....', { ...located, disco: no, tunnel: no }],
    ['no-keys', '+++x....', { ...located, disco: yes, tunnel: no }],
    ['no-tunnel', '+++++x..', { ...located, disco: yes, tunnel: no, handshakeAgoMs: 5 }],
    ['policy', '+++++++x', { ...up, host: yes, port: { kind: 'rejected', reason: 'acl' } }],
    ['shields-up', '++++++?x', { ...up, host: no, port: { kind: 'rejected', reason: 'shields-up' } }],
    ['forwarding-off', '++++++?x', { ...up, host: no, port: { kind: 'rejected', reason: 'forwarding-off' } }],
    ['host-firewall', '++++++?x', { ...up, host: no, port: { kind: 'rejected', reason: 'host-firewall' } }],
    ['nothing-listens', '+++++++x', { ...up, host: yes, port: { kind: 'refused' } }],
    ['silent', '+++++++x', { ...up, host: yes, port: { kind: 'silent' } }],
    ['silent', '++++++?x', { ...up, host: no, port: { kind: 'silent' } }],
    ['silent-6', '++++++?x', { ...up, name: { kind: 'given', ip: 'fd7a::1' }, host: no, port: { kind: 'silent' } }],
    ['open', '++++++++', { ...up, host: yes, port: { kind: 'connected', latencyMs: 5 } }],
    ['open', '+++++?++', { ...up, tunnel: no, host: yes, port: { kind: 'connected', latencyMs: 5 } }],
    ['up', '+++++++', { ...up, target: { host: 'nas', port: 0 }, host: yes }],
    ['up', '++++++?', { ...up, target: { host: 'nas', port: 0 }, host: no }],
    ['outside', '+.......', { target, name: located.name!, place: { kind: 'outside' } }],
  ])('%s: %s', (code, rungs, evidence) => {
    const ladder = ladderOf(evidence, true)
    expect(ladder.verdict?.code).toBe(code)
    expect(shape(evidence)).toBe(rungs)
  })

  test('fills itself from the bottom, one rung being looked at', () => {
    expect(shape({ target }, false)).toBe('….......')
    expect(shape(located, false)).toBe('+++…....')
    expect(shape({ ...located, disco: yes }, false)).toMatch(/^\+\+\+.\+…\.\.$/)
    expect(shape(up, false)).toBe('++++++….')
  })

  test('blames policy for nothing but a word of the device itself, and never marks two rungs as failed', () => {
    const answer = fc.option(fc.constantFrom(yes, no), { nil: undefined })
    const port = fc.option(fc.constantFrom(
      { kind: 'connected', latencyMs: 1 } as const, { kind: 'refused' } as const, { kind: 'silent' } as const, { kind: 'unreachable' } as const,
      { kind: 'rejected', reason: 'acl' } as const, { kind: 'rejected', reason: 'other' } as const, { kind: 'failed', why: 'x' } as const,
    ), { nil: undefined })
    fc.assert(fc.property(answer, answer, answer, port, fc.option(fc.nat(400_000), { nil: undefined }), fc.boolean(), fc.boolean(), (disco, tunnel, host, end, handshakeAgoMs, saysOnline, done) => {
      const evidence = { ...located, place: { ...peer, saysOnline }, ...(disco && { disco }), ...(tunnel && { tunnel }), ...(host && { host }), ...(end && { port: end }), ...(handshakeAgoMs === undefined ? {} : { handshakeAgoMs }) }
      const { rungs, verdict } = ladderOf(evidence, done)
      expect(rungs.map(({ name }) => name)).toEqual(RUNGS)
      const failed = rungs.filter(({ state }) => state === 'failed')
      expect(failed.map(({ name }) => name)).toEqual(verdict?.rung === undefined ? [] : [verdict.rung])
      if (verdict?.code === 'policy') expect(end).toEqual({ kind: 'rejected', reason: 'acl' })
      if (done) expect(verdict).toBeDefined()
      if (verdict) expect(verdictWords(verdict, target, 'nas', true).text).toMatch(/^[A-Za-z].*\.$/)
      if (failed.length > 0) for (const { state } of rungs.slice(rungs.indexOf(failed[0]!) + 1)) expect(state).toBe('not-looked')
    }), { numRuns: 3000 })
  })
})
