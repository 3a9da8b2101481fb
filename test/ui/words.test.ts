import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_SETTINGS } from '../../main/localapi/app-settings.ts'
import type { AppState, PathsPage, PeerStatus, Status } from '../../preload/contract.ts'
import { deviceName } from '../../renderer/state/devices.ts'
import { age, ageOf, byteCount, roundTrip, safeText } from '../../main/words/format.ts'
import { headline, heardMs, pathWords, spokenRow } from '../../main/words/states.ts'

const peer = (over: Partial<PeerStatus>): PeerStatus => ({
  ID: 'n1', PublicKey: 'nodekey:1', HostName: 'host', DNSName: 'nas.lab.internal.', OS: 'linux', UserID: 1, TailscaleIPs: ['100.64.0.2'], Addrs: null, CurAddr: '',
  Relay: 'fra', PeerRelay: '', RxBytes: 0, TxBytes: 0, Created: '', LastWrite: '', LastSeen: '0001-01-01T00:00:00Z', LastHandshake: '0001-01-01T00:00:00Z', Online: true,
  ExitNode: false, ExitNodeOption: false, Active: true, PeerAPIURL: null, TaildropTarget: 0, NoFileSharingReason: '', InNetworkMap: true, InMagicSock: true, InEngine: true, ...over,
})
const row = (over: Partial<PathsPage['paths'][number]>): PathsPage['paths'][number] => ({
  peer: 'nodekey:1', name: 'nas', ip: '100.64.0.2', kind: 'relay', since: '2026-01-01T00:00:00Z', active: false, why: 'relayed: no reply yet', ...over,
})
const status = (over: Partial<Status>): Status => ({
  Version: '1', TUN: false, BackendState: 'Running', AuthURL: '', TailscaleIPs: [], Self: peer({ ID: 'self', PublicKey: 'nodekey:0', DNSName: 'me.lab.internal.' }), Health: [],
  MagicDNSSuffix: '', CurrentTailnet: null, CertDomains: null, ExtraRecords: null, Peer: {}, User: { '2': { ID: 2, LoginName: 'bob', DisplayName: 'Bob' } }, ClientVersion: null, ...over,
})
const app = (engine: AppState['engine']): AppState => ({ engine, sinceMs: 0, restarts: 0, host: 'web', platform: 'linux', version: '1', settings: DEFAULT_SETTINGS, languages: [], tray: 'none' })

describe('path words', () => {
  it('calls a path direct only while packets flow on it', () => {
    expect(pathWords(peer({}), row({ kind: 'direct', addr: '198.51.100.7:41641' }), true)).toMatchObject({ kind: 'direct', words: 'Direct' })
    expect(pathWords(peer({}), row({ kind: 'direct', addr: '192.168.1.7:41641' }), true).words).toBe('Direct, same network')
    expect(pathWords(peer({}), row({ kind: 'direct', addr: '[2001:db8::1]:41641' }), true).words).toBe('Direct, IPv6')
    expect(pathWords(peer({ Active: false }), row({ kind: 'direct', addr: '198.51.100.7:1' }), true).kind).toBe('idle')
  })

  it('names the relay, and says when direct is being tried', () => {
    expect(pathWords(peer({}), row({ regionCode: 'fra' }), true)).toMatchObject({ kind: 'relay', words: 'Relayed, fra' })
    expect(pathWords(peer({}), row({ kind: 'both', addr: '198.51.100.7:1' }), true)).toMatchObject({ kind: 'trying', words: 'Trying direct' })
  })

  it('claims nothing when the engine is down', () => {
    expect(pathWords(peer({}), row({ kind: 'direct' }), false)).toMatchObject({ kind: 'unknown', words: 'Path unknown' })
  })

  it('believes a packet more than the server', () => {
    expect(pathWords(peer({ Online: false }), row({ kind: 'direct', addr: '198.51.100.7:1' }), true).kind).toBe('direct')
    expect(pathWords(peer({ Online: false, Active: false }), undefined, true).words).toBe('Offline, says server')
  })
})

describe('when a device was heard', () => {
  const nowMs = Date.parse('2026-01-01T00:10:00Z')

  it('counts an answer of path finding that came after the handshake', () => {
    const old = peer({ LastHandshake: '2026-01-01T00:08:00Z' })
    expect(heardMs(old, undefined, nowMs)).toBe(120_000)
    expect(heardMs(old, row({ heard: '2026-01-01T00:09:58Z' }), nowMs)).toBe(2000)
    expect(heardMs(peer({}), row({ heard: '2026-01-01T00:09:00Z' }), nowMs)).toBe(60_000)
  })

  it('takes the word of the server for a device that is offline and was never heard', () => {
    expect(heardMs(peer({ Online: false, LastSeen: '2026-01-01T00:00:00Z' }), undefined, nowMs)).toBe(600_000)
    expect(heardMs(peer({}), undefined, nowMs)).toBeUndefined()
  })
})

describe('headline', () => {
  it.each([
    ['stopped', 'Running', 'Engine stopped'],
    ['keeps-stopping', 'Running', 'Engine keeps stopping'],
    ['starting', 'Running', 'Starting the engine'],
    ['running', 'NeedsLogin', 'Signed out'],
    ['running', 'NeedsMachineAuth', 'Waiting for approval'],
    ['running', 'Starting', 'Connecting: reaching the server'],
    ['running', 'Running', 'Connected'],
    ['running', 'Stopped', 'Disconnected'],
  ] as const)('says of a %s engine in state %s: %s', (engine, state, words) => {
    expect(headline(app(engine), status({ BackendState: state })).words).toBe(words)
  })

  it('knows a sign-in that waits for the browser', () => {
    expect(headline(app('running'), status({ BackendState: 'NeedsLogin', AuthURL: 'https://x/register/1' })).words).toBe('Waiting for your browser')
  })

  it('says when the engine is another user\'s', () => {
    expect(headline({ ...app('stopped'), code: 'access-denied' }, undefined)).toEqual({ words: 'Engine in use by another user', tone: 'error' })
  })
})

describe('a device', () => {
  it('falls back to the host name where there is no network name', () => {
    expect(deviceName(peer({ DNSName: '' }))).toBe('host')
  })

  it('reads a row as one whole sentence', () => {
    expect(spokenRow('nas', { kind: 'direct', words: 'Direct, same network', direct: 'lan', latencyMs: 0.6 }, 1200)).toBe('nas. Direct on the same network. Round trip 0.6 milliseconds. Heard 1 second ago.')
    expect(spokenRow('nas', { kind: 'idle', words: 'Idle', latencyMs: undefined }, 26 * 60_000)).toBe('nas. Idle, works when used. Heard 26 minutes ago.')
  })
})

describe('format', () => {
  it.each([[0.6, '0.6 ms'], [38.2, '38 ms'], [9.96, '10 ms'], [1234, '1.2 s'], [undefined, ''], [Number.NaN, ''], [-1, '']])('writes a round trip of %s as %s', (ms, words) => {
    expect(roundTrip(ms)).toBe(words)
  })

  it.each([[0, 'now'], [4500, '4 s'], [12 * 60_000, '12 min'], [3 * 3_600_000, '3 h'], [24 * 3_600_000, '1 day'], [9 * 86_400_000, '9 days']])('writes an age of %s ms as %s', (ms, words) => {
    expect(age(ms)).toBe(words)
  })

  it('knows no age of the zero time', () => {
    expect(ageOf('0001-01-01T00:00:00Z', 1)).toBeUndefined()
    expect(ageOf('not a time', 1)).toBeUndefined()
    expect(ageOf('2026-01-01T00:00:00Z', Date.parse('2026-01-01T00:00:04Z'))).toBe(4000)
  })

  it.each([[0, '0 B'], [1200, '1.2 kB'], [86_000_000, '86 MB'], [999_600, '1.0 MB']])('writes %s bytes as %s', (bytes, words) => {
    expect(byteCount(bytes)).toBe(words)
  })

  it('shows no control or direction character of a hostile name', () => {
    expect(safeText('a\u202eb\u0007c\u200fd')).toBe('a\ufffdb\ufffdc\ufffdd')
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => {
      // oxlint-disable-next-line no-control-regex
      expect(safeText(text)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
      expect(safeText(text).length).toBeLessThanOrEqual(120)
    }))
  })
})
