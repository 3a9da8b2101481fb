import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Node } from '../../../main/engine/core/tailcfg/types.ts'
import type { MachinePage } from '../../../main/localapi/machine.ts'
import { recorded } from '../backend/rig.ts'
import { serve } from '../server/rig.ts'
import type { ServerRig } from '../server/rig.ts'
import { runAt } from './run.ts'

const WHOLE: MachinePage = {
  Mode: 'whole', State: 'on', IsService: true, Device: 'bowline0', Mtu: 1280, Addresses: [], Routes: [], Bypass: [], Internet: 'direct', Firewall: 'nftables',
  Names: { Through: 'none', All: false, Domains: [], Search: [], Own: [] }, Forwarding: { By: 'none', SourceNat: false }, Problems: [],
}
const SSH = { SSH_CONNECTION: '192.168.1.44 50000 192.168.1.5 22' }

let api: ServerRig
beforeEach(async () => {
  api = await serve({
    machinePage: WHOLE,
    seen: {
      connections: [{ local: { ip: '192.168.1.5', port: 22 }, remote: { ip: '192.168.1.44', port: 50_000 }, isInbound: true, isOurs: false, program: 'sshd' }],
      printers: [{ name: 'HP-2', host: '192.168.1.20' }],
    },
  })
  api.join()
  const [base] = recorded('02-initial-one-peer.json').Peers!
  const exit: Node = { ...base!, ID: 2, StableID: '2', Key: `nodekey:${'2'.padStart(64, '0')}`, Name: 'exit-ams.lab.internal.', Online: true, Addresses: ['100.64.0.2/32'], AllowedIPs: ['100.64.0.2/32', '0.0.0.0/0', '::/0'] }
  api.rig.map({ PeersChanged: [exit] })
  api.rig.backend.facts.onSystem({ interfaces: [{ name: 'wlan0', ip: '192.168.1.5', prefix: 24, internal: false }] })
})
afterEach(() => api.stop())

const run = (...argv: string[]): ReturnType<typeof runAt> => runAt(api.socketPath, argv)
const prefs = (): ReturnType<typeof api.rig.backend.views.prefs> => api.rig.backend.views.prefs()

describe('bowline preview', () => {
  test('says what would be lost and why, and changes nothing', async () => {
    const { code, out } = await run('preview', 'exit-node', 'exit-ams')
    expect([code, out.split('\n').slice(0, 4)]).toEqual([0, [
      'You would lose:',
      '  SSH session from 192.168.1.44 (somebody may be working here by it): Beside an exit node the local network is reached only where you allow it.',
      '  HP-2 (192.168.1.20): Beside an exit node the local network is reached only where you allow it.',
      'Internet: as without Bowline → through the exit node',
    ]])
    expect(prefs().ExitNodeID).toBe('')
    expect(JSON.parse((await run('preview', 'routes', 'on', '--json')).out)).toMatchObject({ Losses: [], IsRisky: false })
    expect((await run('preview', 'names', 'on')).out).toBe('It would take nothing from you.\n')
  })

  test('ends with 1 when the change cannot be made, and with 2 when it is none', async () => {
    expect(await run('preview', 'exit-node', 'exit-amsterdam')).toMatchObject({ code: 1, err: expect.stringContaining('No exit node is called') as string })
    for (const words of [[], ['exit-node'], ['routes', 'maybe'], ['machine', 'half'], ['hats', 'on'], ['routes', 'on', 'now']]) expect((await run('preview', ...words)).code).toBe(2)
  })
})

describe('a change by which the very session would end', () => {
  test('is refused with what to do instead, unless the risk is accepted', async () => {
    const refused = await runAt(api.socketPath, ['exit-node', 'use', 'exit-ams'], { env: SSH })
    expect(refused).toMatchObject({ code: 1, err: expect.stringContaining('You work here by an SSH session from 192.168.1.44, which this would end.') as string })
    expect(prefs().ExitNodeID).toBe('')
    expect((await runAt(api.socketPath, ['set', '--exit-node=100.64.0.2'], { env: SSH })).code).toBe(1)
    expect((await runAt(api.socketPath, ['set', '--exit-node=100.64.0.2', '--accept-risk=lose-ssh'], { env: SSH })).code).toBe(0)
    expect(prefs().ExitNodeID).toBe('2')
  })

  test('is none where the session stays', async () => {
    const elsewhere = { SSH_CONNECTION: '10.9.9.9 50000 192.168.1.5 22' }
    expect((await runAt(api.socketPath, ['set', '--exit-node=100.64.0.2'], { env: elsewhere })).code).toBe(0)
    expect((await runAt(api.socketPath, ['set', '--accept-routes'], { env: SSH })).code).toBe(0)
  })
})

describe('--trial', () => {
  test('asks, and keeps what the person keeps', async () => {
    const asked: string[] = []
    const ask = async (question: string): Promise<string> => {
      asked.push(question)
      return 'y'
    }
    const { code, out, err } = await runAt(api.socketPath, ['exit-node', 'use', 'exit-ams', '--trial'], { env: SSH, ask })
    expect([code, out]).toEqual([0, '\nKept.\n'])
    expect(err).toContain('HP-2 (192.168.1.20)')
    expect(asked).toEqual(['Keep it? It is undone in 20 s otherwise. [y/N] '])
    expect(prefs().ExitNodeID).toBe('2')
  })

  test('undoes it at any other answer', async () => {
    expect(await runAt(api.socketPath, ['set', '--accept-routes', '--trial=60'], { ask: async () => '' })).toMatchObject({ code: 1, out: '\nUndone.\n' })
    expect(prefs().RouteAll).toBe(false)
  })

  test('without a terminal is kept by --yes alone, or by bowline trial keep', async () => {
    expect(await run('set', '--accept-routes', '--trial', '--yes')).toMatchObject({ code: 0, out: '\nKept.\n' })
    const waiting = run('set', '--accept-dns=false', '--trial=60')
    await expect.poll(async () => (await run('trial')).out, { timeout: 30_000 }).toContain('A change is on trial for 60 s more: CorpDNS = false')
    expect((await run('trial', 'keep')).out).toBe('Nothing is on trial. The last one: Kept.\n')
    expect(await waiting).toMatchObject({ code: 0, out: '\nKept.\n' })
    expect(prefs().CorpDNS).toBe(false)
    expect((await run('trial', 'undo')).code).toBe(1)
  })

  test('is refused for what cannot be tried', async () => {
    expect((await run('set', '--hostname=x', '--trial')).code).toBe(2)
    expect((await run('set', '--accept-routes', '--trial=soon')).code).toBe(2)
    expect((await run('set', '--accept-routes', '--trial=3')).err).toContain('A trial lasts 5 to 120 seconds.')
  })
})
