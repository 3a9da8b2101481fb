import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import type { ReachPage } from '../../../main/localapi/reach.ts'
import { recorded } from '../backend/rig.ts'
import { serve } from '../server/rig.ts'
import type { ServerRig } from '../server/rig.ts'
import { runAt } from './run.ts'

let api: ServerRig
beforeEach(async () => {
  api = await serve()
  api.join()
  api.rig.map(recorded('12-peer-routes-approved.json'))
})
afterEach(() => api.stop())

const run = (...argv: string[]): ReturnType<typeof runAt> => runAt(api.socketPath, argv)

describe('bowline reach', () => {
  test('prints the ladder and the verdict, and ends with 0 when it can be reached', async () => {
    const { code, out } = await run('reach', 'renamed:22')
    expect(code).toBe(0)
    expect(out).toMatch(/^Name +ok +100\.64\.0\.2\nDevice +ok +renamed\n/)
    expect(out).toContain('renamed:22 can be reached.\n')
  })

  test('ends with 1 and says why not, as JSON too', async () => {
    api.rig.dataplane.dial = () => Promise.reject(new EngineError('connection-refused', 'refused'))
    const { code, out } = await run('reach', 'renamed:22')
    expect([code, out]).toEqual([1, expect.stringContaining('renamed is up, but nothing listens on port 22.')])
    const page = JSON.parse((await run('reach', '--json', 'renamed:22')).out) as ReachPage
    expect([page.Verdict?.Code, page.Rungs.length]).toEqual(['nothing-listens', 8])
    expect(await run('reach', '--request', 'renamed:22')).toMatchObject({ code: 1, out: '', err: expect.stringContaining('nothing to ask an admin for') as string })
  })

  test('prints what to send to an admin where the rules refuse', async () => {
    api.rig.dataplane.dial = () => {
      api.rig.backend.facts.dataplane.onRejected({ direction: 'outbound', peer: api.rig.magicsock.config!.peers[0]!.key, proto: 6, from: { ip: '100.64.0.1', port: 1 }, to: { ip: '100.64.0.2', port: 5432 }, reason: 'acl', count: 1 })
      return Promise.reject(new EngineError('access-denied', 'blocked'))
    }
    const { out } = await run('reach', '--request', 'renamed:5432')
    expect(out).toMatch(/^Please allow renamed:5432\.\n/)
    expect(out).toContain('"ip":["tcp:5432"]')
  })

  test('refuses what is no place', async () => {
    expect(await run('reach')).toMatchObject({ code: 2 })
    const bad = await run('reach', 'nas:nope')
    expect([bad.code, bad.err]).toEqual([1, expect.stringContaining('A port is a number from 1 to 65535.')])
  })
})
