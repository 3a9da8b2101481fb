/**
 * Disco, TSMP and ICMP pings both ways, over a direct path and over the relay alone.
 */
import { describe, expect, test } from 'vitest'
import { waitFor } from '../support/wait.ts'
import { labSuite } from './lab/suite.ts'
import type { LabNode } from './lab/node.ts'

let ours: LabNode
let oursRelayed: LabNode
let real: LabNode
let realRelayed: LabNode

labSuite(
  'pings',
  {},
  async (lab) => {
    ;[ours, real] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'real')])
    ;[oursRelayed, realRelayed] = await Promise.all([
      lab.join('bowline', 'ours-relayed', { env: { TS_DEBUG_NEVER_DIRECT_UDP: 'true' } }),
      lab.join('tailscaled', 'real-relayed', { env: { TS_DEBUG_ALWAYS_USE_DERP: 'true' } }),
    ])
    await Promise.all([ours.waitUsable(real), real.waitUsable(ours), oursRelayed.waitUsable(real), ours.waitUsable(realRelayed)])
  },
  () => {
    const pairs: [string, () => LabNode, () => LabNode, 'direct' | 'relay'][] = [
      ['ours to tailscaled, direct', () => ours, () => real, 'direct'],
      ['tailscaled to ours, direct', () => real, () => ours, 'direct'],
      ['ours to a relay-only tailscaled', () => ours, () => realRelayed, 'relay'],
      ['a relay-only tailscaled to ours', () => realRelayed, () => ours, 'relay'],
      ['relay-only ours to tailscaled', () => oursRelayed, () => real, 'relay'],
      ['tailscaled to relay-only ours', () => real, () => oursRelayed, 'relay'],
    ]
    describe.each(pairs)('%s', (_, from, to, path) => {
      test('a disco ping says which path it took', async () => {
        if (path === 'direct') await from().waitDirect(to())
        const { v4, v6 } = await to().ips()
        for (const ip of [v4, v6]) {
          const result = await waitFor('a pong', async () => {
            const answer = await from().api.ping(ip, 'disco')
            if (answer.Err !== '') throw new Error(answer.Err)
            return answer
          }, { withinMs: 10_000 })
          if (path === 'direct') expect(result.Endpoint).toMatch(/:\d+$/)
          else expect(result).toMatchObject({ Endpoint: '', DERPRegionCode: expect.stringMatching(/^r90[01]$/) })
          expect(result.LatencySeconds).toBeLessThan(0.5)
        }
      })

      test.each(['TSMP', 'ICMP'] as const)('a %s ping crosses the tunnel', async (type) => {
        const { v4, v6 } = await to().ips()
        for (const ip of [v4, v6]) {
          const result = await from().api.ping(ip, type)
          expect(result.Err).toBe('')
          expect(result.LatencySeconds).toBeGreaterThan(0)
          expect(result.LatencySeconds).toBeLessThan(5)
        }
      })

      test('the status shows the path that traffic takes', async () => {
        const peer = await waitFor('an active peer', async () => {
          const { v4 } = await to().ips()
          await from().api.ping(v4, 'ICMP')
          const seen = await from().peer(to().name)
          return seen !== undefined && seen.RxBytes > 0 && (path === 'relay' || seen.CurAddr !== '') ? seen : undefined
        }, { withinMs: 10_000 })
        if (path === 'direct') expect(peer.CurAddr).toMatch(/:\d+$/)
        else expect(peer).toMatchObject({ CurAddr: '', Relay: expect.stringMatching(/^r90[01]$/) })
      })
    })

    test('a ping to an address of nobody fails with a sentence', async () => {
      const result = await ours.api.call('POST', 'ping?ip=100.99.99.99&type=disco')
      expect(result.text).toMatch(/no matching peer|unknown|not/i)
    })
  },
)
