/**
 * Pings of every layer: what is asked of a device, and what it means when one layer answers and the next does not.
 */
import { describe, expect, it } from 'vitest'
import type { PingResult } from '../../main/localapi/types.ts'
import { count, failure, meaning, NO_TALLY, tallyKey, targetsOf, wayOf, type Tallies } from '../../renderer/state/layers.ts'

const ANSWER: PingResult = { IP: '', NodeIP: '', NodeName: '', Err: '', LatencySeconds: 0.01, Endpoint: '', PeerRelay: '', DERPRegionID: 0, DERPRegionCode: '' }
const LOST: PingResult = { ...ANSWER, Err: 'no reply', ErrCode: 'timeout' }

/** Whether path, tunnel, system and services answered; undefined = still asked. */
function tallies(...answers: readonly (boolean | undefined)[]): Tallies {
  return Object.fromEntries((['disco', 'TSMP', 'ICMP', 'peerapi'] as const).map((type, i) => [tallyKey(type, 'IPv4'), answers[i] === undefined ? NO_TALLY : count(NO_TALLY, answers[i] ? ANSWER : LOST)]))
}

describe('layers', () => {
  it('are asked over each family that the device has, path and services once', () => {
    expect(targetsOf(['100.64.0.2', 'fd7a::2']).map(({ type, family, ip }) => `${type} ${family} ${ip}`)).toEqual([
      'disco IPv4 100.64.0.2', 'TSMP IPv4 100.64.0.2', 'TSMP IPv6 fd7a::2', 'ICMP IPv4 100.64.0.2', 'ICMP IPv6 fd7a::2', 'peerapi IPv4 100.64.0.2',
    ])
    expect(targetsOf(['fd7a::2']).map(({ family }) => family)).toEqual(['IPv6', 'IPv6', 'IPv6', 'IPv6'])
    expect(targetsOf([])).toEqual([])
  })

  it.each([
    [[true, true, true, true], 'device.means.all'],
    [[true, true, true, false], 'device.means.noPeerApi'],
    [[true, true, false, false], 'device.means.noSystem'],
    [[true, false, false, false], 'device.means.noTunnel'],
    [[false, true, true, true], 'device.means.noPath'],
    [[false, false, false, false], 'device.means.nothing'],
    [[true, true, true, undefined], undefined],
  ] as const)('that answer as %j mean %s', (answers, means) => {
    expect(meaning(tallies(...answers))).toBe(means)
  })

  it('answer when one of their families does', () => {
    expect(meaning({ ...tallies(true, true, false, true), [tallyKey('ICMP', 'IPv6')]: count(NO_TALLY, ANSWER) })).toBe('device.means.all')
  })

  it('count what came back of what was asked', () => {
    expect(count(count(NO_TALLY, ANSWER), LOST)).toMatchObject({ asked: 2, replies: 1, last: LOST })
  })

  it('say why there was no reply, and by which way one came', () => {
    expect(failure(LOST)).toBe('no reply in 10 s')
    expect(failure({ ...LOST, Err: 'odd\u202E', ErrCode: 'io' })).toBe('odd\uFFFD')
    expect(wayOf({ ...ANSWER, Endpoint: '192.0.2.1:5' })).toBe('Direct, 192.0.2.1:5')
    expect(wayOf({ ...ANSWER, DERPRegionCode: 'fra' })).toBe('Relayed, fra')
  })
})
