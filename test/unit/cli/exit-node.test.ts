import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Node } from '../../../main/engine/core/tailcfg/types.ts'
import { recorded } from '../backend/rig.ts'
import { serve } from '../server/rig.ts'
import type { ServerRig } from '../server/rig.ts'
import { runAt } from './run.ts'

let api: ServerRig
beforeEach(async () => {
  api = await serve()
  api.join()
  // Two exit nodes and a device that is none.
  const [base] = recorded('02-initial-one-peer.json').Peers!
  const peer = (id: number, name: string, routes: readonly string[]): Node => ({
    ...base!, ID: id, StableID: String(id), Key: `nodekey:${String(id).padStart(64, '0')}`, Name: `${name}.lab.internal.`, Online: true,
    Addresses: [`100.64.0.${id}/32`], AllowedIPs: [`100.64.0.${id}/32`, ...routes],
  })
  const both = ['0.0.0.0/0', '::/0']
  api.rig.map({ PeersChanged: [peer(2, 'exit-ams', both), peer(3, 'exit-nyc', both), peer(4, 'desk', [])] })
  api.rig.backend.facts.onSystem({ interfaces: [{ name: 'wlan0', ip: '192.168.1.5', prefix: 24, internal: false }] })
  const { via } = api.rig.magicsock
  api.rig.magicsock.ping = ((key: string) => Promise.resolve({ latencyMs: key.endsWith('3') ? 12 : 40, via })) as never
})
afterEach(() => api.stop())

const run = (...argv: string[]): ReturnType<typeof runAt> => runAt(api.socketPath, argv)

describe('bowline exit-node', () => {
  test('list measures each and has the best one first, with the reason', async () => {
    const { out } = await run('exit-node', 'list')
    expect(out.split('\n').slice(1, 3).map((line) => line.trim())).toEqual([
      expect.stringMatching(/^exit-nyc +100\.64\.0\.3 +alice +- +Direct, 12 ms +best: the nearest of 2: direct, 12 ms$/),
      expect.stringMatching(/^exit-ams +100\.64\.0\.2 +alice +- +Direct, 40 ms$/),
    ])
    expect(JSON.parse((await run('exit-node', 'list', '--json')).out)).toMatchObject({ Nodes: [{ Name: 'exit-nyc', Path: 'direct', LatencyMs: 12, Suggested: true }, { Name: 'exit-ams' }] })
  })

  test('suggest names it and how to use it, without any word of the server', async () => {
    expect((await run('exit-node', 'suggest')).out).toBe('exit-nyc: the nearest of 2: direct, 12 ms\nUse it with: bowline exit-node use exit-nyc\n')
  })

  test('use, status, clear: each says where traffic goes', async () => {
    expect(await run('exit-node')).toEqual({ code: 0, err: '', out: 'Internet traffic goes out directly: no exit node is chosen.\n' })
    const { code, out } = await run('exit-node', 'use', 'exit-ams', '--if-it-fails=next')
    expect([code, out.split('\n')[0]]).toEqual([0, 'Internet traffic goes through exit-ams: chosen by you.'])
    expect(out).toContain('The local network is closed: 192.168.1.0/24 (wlan0). Open it with: bowline set --exit-node-allow-lan-access\nIf it fails, the next best is used.')
    const proofs = await run('exit-node')
    expect(proofs.out).toContain('\nNothing goes past it: not checked: no connection was asked of the proxies yet')
    expect(proofs.out).not.toMatch(/not checked.*not checked/)
    expect((await run('status')).out).toContain('\nInternet traffic: through exit-ams (chosen by you)\n')
    expect((await run('exit-node', 'use', 'exit-ams', '--allow-lan')).out).toContain('The local network is reached: 192.168.1.0/24 (wlan0)')
    expect((await run('exit-node', 'list')).out).toMatch(/\n\* +exit-ams/)
    expect((await run('exit-node', 'clear')).out).toContain('goes out directly')
  })

  test('pause and resume show the time that is left', async () => {
    await run('exit-node', 'use', '100.64.0.2')
    const wallMs = api.rig.clock.wallMs()
    expect(JSON.parse((await run('exit-node', 'pause', '--for=5m', '--json')).out)).toMatchObject({ Egress: { Kind: 'paused', Until: new Date(wallMs + 300_000).toISOString() } })
    expect((await run('exit-node')).out).toMatch(/^Internet traffic goes past exit-ams, for .* more: paused by you, for this network\. End that with: bowline exit-node resume/)
    expect((await run('exit-node', 'resume')).out).toContain('goes through exit-ams')
  })

  test('the official way of choosing has the same effect, and no note that it had none', async () => {
    expect(await run('set', '--exit-node=exit-nyc')).toMatchObject({ code: 0, err: '' })
    expect((await run('exit-node')).out).toContain('goes through exit-nyc')
  })

  test.each([
    [['use', 'exit-amz'], 1, 'Did you mean exit-ams?'],
    [['use', 'desk'], 1, 'desk cannot be used: it is not offered as one'],
    [['use'], 2, 'wants one device, or auto'],
    [['use', 'exit-ams', 'exit-nyc'], 2, 'wants one device, or auto'],
    [['use', 'exit-ams', '--if-it-fails=pray'], 2, 'block'],
    [['pause'], 1, 'No exit node is chosen'],
    [['pause', '--for=9h'], 1, 'from one second to 8 hours'],
    [['list', 'all'], 2, 'exit-node list'],
  ])('%j ends with %d and says %s', async (words, code, text) => {
    expect(await run('exit-node', ...words)).toMatchObject({ code, err: expect.stringContaining(text) })
  })

  test('without any, list and suggest say so, and as JSON that there is none', async () => {
    api.rig.map({ PeersRemoved: [2, 3] })
    expect(await run('exit-node', 'list')).toMatchObject({ code: 0, out: 'No device of this network offers itself as exit node.\n' })
    expect(await run('exit-node', 'suggest')).toMatchObject({ code: 1, err: expect.stringContaining('no device offers itself as one') })
    expect(JSON.parse((await run('exit-node', 'suggest', '--json')).out)).toEqual({ ID: '', Name: '', Why: '' })
  })

  test('past it by the rule "direct" is said without a way to end it', async () => {
    api.rig.backend.editPrefs({ ExitNodeID: '99', ExitNodeIDSet: true })
    expect((await run('exit-node', 'use', 'exit-ams', '--if-it-fails=direct')).code).toBe(0)
    api.rig.map({ PeersRemoved: [2] })
    expect((await run('exit-node')).out).toMatch(/^Internet traffic goes out directly, past the exit node, as you chose for this case: the chosen exit node is not in this network any more\.\n/)
  })

  test('one that cannot be used after all is shown as blocked, with the reason', async () => {
    api.rig.backend.editPrefs({ ExitNodeID: '99', ExitNodeIDSet: true })
    expect(await run('exit-node')).toMatchObject({ code: 0, out: expect.stringContaining('is blocked because the chosen exit node is not in this network any more') })
  })
})
