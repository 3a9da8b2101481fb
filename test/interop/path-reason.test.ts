/**
 * Why packets to a real tailscaled go the way they do, said of each situation; and the path's fields of the status, beside
 * what a stock daemon says of the same peers.
 */
import { describe, expect, test } from 'vitest'
import type { PathPage } from '../../main/localapi/types.ts'
import { waitFor } from '../support/wait.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const PATIENCE_MS = 30_000

let ours: LabNode
let oursNever: LabNode
let real: LabNode
let relayed: LabNode
let withoutUdp: LabNode
let leaving: LabNode

async function pathTo(from: LabNode, name: string): Promise<PathPage> {
  const { status, text } = await from.api.call('GET', `bowline/path?peer=${name}`)
  if (status !== 200) throw new Error(`${status} ${text}`)
  return JSON.parse(text) as PathPage
}

/** The page, once its sentence is as wanted; with pings meanwhile, or without any. */
function waitSentence(from: LabNode, name: string, wanted: RegExp, pinged?: string): Promise<PathPage> {
  return waitFor(`${from.name} to say ${String(wanted)} of ${name}`, async () => {
    if (pinged !== undefined) await from.api.ping(pinged, 'disco')
    const page = await pathTo(from, name)
    if (!wanted.test(page.why)) throw new Error(page.why)
    return page
  }, { withinMs: PATIENCE_MS })
}

labSuite(
  'the reason for a path',
  {},
  async (lab) => {
    // Two at a time: the server's own command gives up when many want a key at once.
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
    ;[oursNever, relayed] = await Promise.all([lab.join('bowline', 'ours-never', { env: { TS_DEBUG_NEVER_DIRECT_UDP: 'true' } }), lab.join('tailscaled', 'relayed', { env: { TS_DEBUG_NEVER_DIRECT_UDP: 'true' } })])
    ;[withoutUdp] = await Promise.all([lab.join('tailscaled', 'without-udp', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }), lab.join('tailscaled', 'quiet')])
    leaving = await lab.join('tailscaled', 'leaving')
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours), ours.waitUsable(relayed), ours.waitUsable(leaving), oursNever.waitUsable(real)])
  },
  () => {
    describe('of a tailscaled', () => {
      test('that answers directly', async () => {
        const { v4 } = await real.ips()
        await ours.waitDirect(real)
        const page = await waitSentence(ours, 'real', /^direct: answered in [\d.]+ m?s (on the local network|on this machine)$/, v4)
        expect(page).toMatchObject({ kind: 'direct', reason: { rule: 'direct', confidence: 'high' }, own: { os: 'linux' }, other: { version: expect.stringMatching(/^1\./), os: 'linux' } })
        expect(page.candidates[0]).toMatchObject({ inUse: true, addr: page.addr, sources: expect.arrayContaining([expect.stringMatching(/^(map|call-me-maybe|ping)$/)]), lastPongAgoMs: expect.any(Number) })
        expect(page.events.some((event) => event.part === 'path' && event.kind === 'path')).toBe(true)
        expect(page.sides.find((row) => row.label === 'UDP gets out')).toEqual({ label: 'UDP gets out', here: { state: 'yes', value: 'measured' }, there: { state: 'yes', value: 'reported' } })
      })

      test('that is only to be had through a relay, and gives its addresses all the same', async () => {
        const { v4 } = await relayed.ips()
        const page = await waitSentence(ours, 'relayed', /^relayed: no reply from any of \d+ addresses|^relayed: no reply from its only address/, v4)
        expect(page).toMatchObject({ kind: 'relay', regionCode: expect.stringMatching(/^r90[01]$/) })
        expect(page.candidates.every((one) => one.lastPongAgoMs === undefined && one.lastPingAgoMs !== undefined)).toBe(true)
      })

      test('that looks at no UDP at all, and says so to the server', async () => {
        const { v4 } = await withoutUdp.ips()
        const page = await waitSentence(ours, 'without-udp', /^relayed: its network blocks UDP, as it reported$/, v4)
        expect(page).toMatchObject({ reason: { rule: 'peer-no-udp' }, peerNetInfo: { WorkingUDP: false } })
      })

      test('that nothing was sent to', async () => {
        expect((await waitSentence(ours, 'quiet', /^not tried: no traffic yet/)).reason.rule).toBe('no-traffic')
      })

      test('by an engine whose direct paths are switched off', async () => {
        const { v4 } = await real.ips()
        expect((await waitSentence(oursNever, 'real', /switched off here$/, v4)).why).toBe('relayed: direct paths are switched off here')
      })

      test('that went away', async () => {
        const { v4 } = await leaving.ips()
        await leaving.stop()
        await waitFor('the server to say so', async () => (await ours.peer('leaving'))?.Online === false, { withinMs: 2 * PATIENCE_MS })
        const page = await waitSentence(ours, 'leaving', /it is offline, as the server says$/, v4)
        expect(page.reason.rule).toBe('offline')
      })
    })

    test('the command says the same sentence first, and finds the device by name, address and key', async () => {
      const { v4 } = await relayed.ips()
      const { why, peer } = await pathTo(ours, 'relayed')
      for (const word of ['relayed', v4, peer]) {
        const { code, stdout } = await ours.bowline('debug', 'path', word)
        expect([code, stdout.split('\n')[0]]).toEqual([0, why])
      }
      expect(JSON.parse((await ours.bowline('debug', 'path', '--json', 'relayed')).stdout)).toMatchObject({ why, reason: { sentence: why } })
    })

    test('the status has the same fields filled as that of a stock daemon', async () => {
      const { v4 } = await real.ips()
      const names = ['CurAddr', 'Relay', 'PeerRelay', 'Active', 'Online', 'InMagicSock', 'InEngine'] as const
      await waitFor('both to be in use and direct', async () => {
        await ours.api.ping(v4, 'ICMP')
        const [mine, theirs] = [await ours.peer('real'), await real.peer('ours')]
        return mine?.Active === true && theirs?.Active === true && mine.CurAddr !== '' && theirs.CurAddr !== ''
      }, { withinMs: PATIENCE_MS })
      const [mine, theirs] = [(await ours.peer('real'))!, (await real.peer('ours'))!]
      const kinds = (peer: typeof mine): unknown[] => names.map((name) => [name, typeof peer[name] === 'string' ? peer[name] !== '' : peer[name]])
      expect(kinds(mine)).toEqual(kinds(theirs))
      expect(Array.isArray(mine.Addrs)).toBe(Array.isArray(theirs.Addrs))
      for (const peer of [mine, theirs]) expect(Date.parse(peer.LastHandshake)).toBeGreaterThan(Date.now() - 3_600_000)
      expect((await ours.tailscale('status')).stdout).toMatch(/\sreal\s.*active; direct \S+:\d+/)
    })
  },
)
