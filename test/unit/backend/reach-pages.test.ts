import { describe, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import type { FlowReject } from '../../../main/engine/backend/ports.ts'
import type { ReachPage } from '../../../main/localapi/reach.ts'
import { settle } from '../../sim/clock.ts'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', WantRunning: true, RouteAll: true }

/** Signed in, with a peer "renamed" of 100.64.0.2 that offers 10.55.0.0/24. */
function running(): Rig {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  rig.signIn()
  rig.map(recorded('12-peer-routes-approved.json'))
  return rig
}

async function look(rig: Rig, target: string): Promise<ReachPage> {
  let page = await rig.backend.reach.next(target, undefined).page
  for (let turn = 0; turn < 50 && page.Ended === undefined; turn++) {
    const { page: later } = rig.backend.reach.next(target, page.Version)
    await settle()
    rig.clock.advance(50)
    page = await later
  }
  return page
}

const refuse = (rig: Rig, code: 'access-denied' | 'connection-refused' | 'timeout', reason?: FlowReject['reason'], ip = '100.64.0.2', port = 5432): void => {
  rig.dataplane.dial = () => {
    const peer = rig.magicsock.config!.peers[0]!.key
    if (reason) rig.backend.facts.dataplane.onRejected({ direction: 'outbound', peer, proto: 6, from: { ip: '100.64.0.1', port: 4000 }, to: { ip, port }, reason, count: 1 })
    return Promise.reject(new EngineError(code, `dial through the tunnel: ${code}`))
  }
}
const verdict = async (rig: Rig, target: string): Promise<string> => {
  const { Verdict } = await look(rig, target)
  return `${Verdict?.Code} at ${Verdict?.Rung ?? 'none'}`
}

describe('bowline/reach', () => {
  test('climbs to an open port, and names the device, the address and the way', async () => {
    const page = await look(running(), 'renamed:22')
    expect(page).toMatchObject({ Target: 'renamed:22', Host: 'renamed', Port: 22, Address: '100.64.0.2', Device: { Name: 'renamed', IsItself: true }, Verdict: { Code: 'open' } })
    expect(page.Rungs.map(({ State }) => State)).toEqual(Array(8).fill('passed'))
    expect(page.Rungs.find(({ Name }) => Name === 'path')?.Value).toBe('direct')
  })

  test('says what a device said, and asks an admin only for what the rules refuse', async () => {
    const rig = running()
    refuse(rig, 'access-denied', 'acl')
    const page = await look(rig, 'renamed:5432')
    expect(page.Verdict).toMatchObject({ Code: 'policy', Rung: 'port', Text: "renamed is up, but your network's rules do not let you reach port 5432." })
    expect(page.Request).toContain('{"src":["alice@"]')
    expect(page.Request).toContain('"ip":["tcp:5432"]')
    refuse(rig, 'access-denied')
    expect(await verdict(rig, 'renamed:5432'), 'the reason is told once for many').toBe('policy at port')
    refuse(rig, 'access-denied', 'shields-up')
    const shields = await look(rig, 'renamed:5432')
    expect([shields.Verdict?.Code, shields.Request]).toEqual(['shields-up', undefined])
    refuse(rig, 'connection-refused')
    expect(await verdict(rig, 'renamed:5432')).toBe('nothing-listens at port')
    refuse(rig, 'timeout')
    expect(await verdict(rig, 'renamed:5432')).toBe('silent at port')
    expect(rig.journal.filter(({ kind }) => kind === 'reach').map(({ code }) => code)).toEqual(['policy', 'policy', 'shields-up', 'nothing-listens', 'silent'])
  })

  test('goes through the device that carries a network, and says why one that is not in use is not', async () => {
    const rig = running()
    const page = await look(rig, '10.55.0.9:80')
    expect(page).toMatchObject({ Verdict: { Code: 'open' }, Device: { Name: 'renamed', IsItself: false } })
    expect(page.Rungs.find(({ Name }) => Name === 'route')?.Value).toBe('10.55.0.0/24')
    refuse(rig, 'access-denied', 'forwarding-off', '10.55.0.9', 80)
    expect(await verdict(rig, '10.55.0.9:80')).toBe('forwarding-off at port')
    rig.backend.editExtras({ SkippedRoutes: ['10.55.0.0/24'] })
    const skipped = await look(rig, '10.55.0.9:80')
    expect(skipped.Verdict).toMatchObject({ Code: 'route-unused', Rung: 'route', More: 'Skipped by you.' })
  })

  test('stops at the device that does not answer', async () => {
    const rig = running()
    rig.magicsock.pingFails = rig.dataplane.pingFails = new EngineError('timeout', 'no answer')
    const page = await look(rig, 'renamed:22')
    expect(page.Verdict?.Rung).toBe('handshake')
    expect(['offline', 'no-answer']).toContain(page.Verdict?.Code)
    expect(page.Rungs.at(-1)).toEqual({ Name: 'port', State: 'not-looked' })
  })

  test.each([
    ['nobody', 'no-such-name at name'], ['100.99.99.99', 'no-such-device at device'], ['100.64.0.1:80', 'self at none'], ['192.0.2.9:80', 'outside at none'],
  ])('knows what %s is', async (target, said) => {
    expect(await verdict(running(), target)).toBe(said)
  })

  test('says that it is not connected', async () => {
    const rig = makeRig()
    rig.backend.start()
    expect(await verdict(rig, 'nas:22')).toBe('not-connected at name')
  })

  test('refuses what is no target, and looks once for all who ask', async () => {
    const rig = running()
    expect(() => rig.backend.reach.next('nas;reboot', undefined)).toThrow(expect.objectContaining({ code: 'bad-argument' }) as Error)
    let dials = 0
    rig.dataplane.dial = () => {
      dials++
      return new Promise(() => {})
    }
    for (let i = 0; i < 20; i++) await rig.backend.reach.next('RENAMED.:22', undefined).page
    for (let i = 0; i < 20; i++) await settle()
    expect(dials).toBe(1)
  })

  test('gives up a look that nobody reads, and keeps a few', async () => {
    const rig = running()
    rig.dataplane.dial = () => new Promise(() => {})
    const first = await rig.backend.reach.next('renamed:1', undefined).page
    await settle()
    rig.clock.advance(5_000)
    const given = await rig.backend.reach.next('renamed:1', first.Version).page
    expect(given.Ended).toBeDefined()
    expect(given.Verdict?.Code).toBe('failed')
    const pages = await Promise.all(Array.from({ length: 30 }, (_, i) => rig.backend.reach.next(`renamed:${i + 100}`, undefined).page))
    expect(new Set(pages.map(({ Version }) => Version)).size).toBe(30)
    const kept = rig.backend.reach.next('renamed:129', undefined)
    expect((await kept.page).Started).toBe(pages.at(-1)!.Started)
    rig.backend.stop()
  })
})
