/**
 * Every kind of ping both ways, over a direct path and over the relay alone; and our command, which tells of it.
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
  (lab) => {
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

      test('a PeerAPI ping is answered by the other PeerAPI', async () => {
        const { v4, v6 } = await to().ips()
        for (const ip of [v4, v6]) expect(await from().api.ping(ip, 'peerapi')).toMatchObject({ Err: '', NodeIP: ip, NodeName: `${to().name}.lab.internal.`, PeerAPIURL: expect.stringMatching(/^http:\/\/100\.64\.\S+:\d+$/) })
      })

      test.each([600, 1400, 9000])('a disco ping of %i bytes arrives and is answered', async (size) => {
        const { v4, v6 } = await to().ips()
        for (const ip of [v4, v6]) {
          await waitFor('a pong', async () => {
            const answer = await from().api.ping(ip, 'disco', size)
            if (answer.Err !== '') throw new Error(answer.Err)
            return answer
          }, { withinMs: 30_000 })
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

    test('our ping finds a device by every name of it, goes on until the path is direct, and sums up', async () => {
      const { v4, v6 } = await real.ips()
      await ours.waitDirect(real)
      for (const name of ['real', 'REAL', 'real.lab.internal', 'real.lab.internal.', v4, v6]) {
        const { code, stdout } = await ours.bowline('ping', '--until-direct', '-c', '30', name)
        expect(stdout).toMatch(/^(answer from real \(100\.64\.0\.\d+\) relayed, r90[01], .*\n)*answer from real \(100\.64\.0\.\d+\) direct \S+:\d+, [\d.]+ ms\n\d+ of \d+ answered, .*; direct \S+:\d+\n$/)
        expect(code).toBe(0)
      }
    })

    test('our ping says in its last line why packets are relayed, and fails when a direct path was wanted', async () => {
      const relayed = await oursRelayed.bowline('ping', '-c', '1', 'real')
      expect(relayed).toMatchObject({ code: 0, stdout: expect.stringMatching(/relayed, r90[01], .*\n1 of 1 answered, .*; relayed, r90[01]\nrelayed: .+\n$/) })
      expect(await oursRelayed.bowline('ping', '-c', '2', '--until-direct', 'real')).toMatchObject({ code: 1, stdout: expect.stringMatching(/2 of 2 answered, least .*\nrelayed: .+\n$/) })
    })

    test('our ping asks every layer side by side', async () => {
      expect(await ours.bowline('ping', '--all', 'real')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^disco .* ms {3}tunnel .* ms {3}ICMP .* ms {3}PeerAPI .* ms.*\n(.*1 of 1 answered.*\n){4}Every layer answers\.\n$/) })
      for (const [flag, text] of [['--tsmp', 'through the tunnel'], ['--icmp', 'through the tunnel'], ['--peerapi', 'from its PeerAPI, http://']] as const) {
        expect(await ours.bowline('ping', '-c', '2', flag, 'real')).toMatchObject({ code: 0, stdout: expect.stringMatching(new RegExp(`^(answer from real.* ${text}.*\\n){2}2 of 2 answered, .*\\n$`)) })
      }
    })

    test('the official command pings us as it pings its own kind', async () => {
      const { v4 } = await ours.ips()
      const plain = (text: string): string => text.replaceAll(/\d+(\.\d+)?m?s/g, 'TIME').replaceAll(/via \S+:\d+/g, 'via ADDR')
      for (const [words, stdout] of [
        [['--tsmp'], `pong from ours (${v4}, ${(await real.api.ping(v4, 'TSMP')).PeerAPIPort}) via TSMP in TIME\n`],
        [['--icmp'], `pong from ours (${v4}) via ICMP in TIME\n`],
        [['--c=3', '--until-direct=false'], `pong from ours (${v4}) via ADDR in TIME\n`.repeat(3)],
        [['--size=1300', '--verbose'], `pong from ours (${v4}) via ADDR in TIME\n`],
      ] as const) {
        await real.waitDirect(ours)
        const answer = await real.tailscale('ping', ...words, 'ours')
        expect({ code: answer.code, stdout: plain(answer.stdout) }, words.join(' ')).toEqual({ code: 0, stdout })
      }
    })

    test('an address behind a device that routes it is pinged at that device', async () => {
      const node = await waitFor('the server to know the device', () => lab().headscale.node('real'), { withinMs: 30_000 })
      await Promise.all([real.tailscale('set', '--advertise-routes=10.55.0.0/24'), ours.tailscale('set', '--accept-routes')])
      await waitFor('the server to know the route', async () => JSON.stringify(await lab().headscale.node('real')).includes('10.55.0.0/24'), { withinMs: 30_000 })
      await lab().headscale.approveRoutes(Number(node.id), ['10.55.0.0/24'])
      await waitFor('the route to be in use', async () => (await ours.api.ping('10.55.0.7', 'disco')).Err === '', { withinMs: 30_000 })
      for (const [words, way] of [[[], '(relayed|direct)'], [['--tsmp'], 'through the tunnel']] as const) {
        const { code, stdout } = await ours.bowline('ping', '-c', '1', ...words, '10.55.0.7')
        expect([code, stdout]).toEqual([0, expect.stringMatching(new RegExp(`^answer from real .* ${way}`))])
      }
      expect(await ours.tailscale('ping', '--tsmp', '10.55.0.7')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^pong from real \(10\.55\.0\.7\) via TSMP in / ) })
    })

    test('a ping to an address of nobody fails with a sentence', async () => {
      const result = await ours.api.call('POST', 'ping?ip=100.99.99.99&type=disco')
      expect(result.text).toMatch(/no matching peer|unknown|not/i)
    })
  },
)
