import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { recorded } from '../backend/rig.ts'
import { serve } from '../server/rig.ts'
import type { ServerRig } from '../server/rig.ts'
import { runAt } from './run.ts'

let api: ServerRig
beforeEach(async () => {
  api = await serve()
  api.join()
  // A peer that offers 10.55.0.0/24, and one more network.
  const message = recorded('12-peer-routes-approved.json')
  const [router] = message.PeersChanged!
  api.rig.map({ ...message, PeersChanged: [{ ...router!, AllowedIPs: [...router!.AllowedIPs!, '10.66.0.0/16'] }] })
})
afterEach(() => api.stop())

const run = (...argv: string[]): ReturnType<typeof runAt> => runAt(api.socketPath, argv)

describe('bowline routes', () => {
  test('lists what is offered and says how to use it', async () => {
    expect(await run('routes')).toEqual({
      code: 0, err: '',
      out: [
        'Networks behind devices are not used on this computer. Use them with: bowline routes accept all', '',
        '10.55.0.0/24  Not used  Networks behind devices are not used on this computer. Offered by renamed.',
        '10.66.0.0/16  Not used  Networks behind devices are not used on this computer. Offered by renamed.', '',
      ].join('\n'),
    })
    expect((await run('status')).out).toContain('2 networks behind devices are offered and not used here: bowline routes accept all')
  })

  test('accept of one uses that one alone', async () => {
    expect((await run('routes', 'accept', '10.66.0.0/16')).out).toBe('10.66.0.0/16  Used  Through renamed.\n')
    const { Accept, Routes } = JSON.parse((await run('routes', '--json')).out) as { Accept: boolean; Routes: { Prefix: string; State: string }[] }
    expect([Accept, Routes.map(({ Prefix, State }) => [Prefix, State])]).toEqual([true, [['10.55.0.0/24', 'skipped'], ['10.66.0.0/16', 'used']]])
    expect((await run('status')).out).toContain('Networks behind devices: 1 used (bowline routes)')
  })

  test('accept all, skip one, accept it again, skip all', async () => {
    const used = async (...argv: string[]): Promise<string[]> => {
      expect((await run('routes', ...argv)).code).toBe(0)
      return api.rig.backend.routes.page().Routes.filter(({ State }) => State === 'used').map(({ Prefix }) => Prefix)
    }
    expect(await used('accept', 'all')).toEqual(['10.55.0.0/24', '10.66.0.0/16'])
    expect(await used('skip', '10.55.0.0/24')).toEqual(['10.66.0.0/16'])
    expect(await used('accept', '10.55.0.0/24')).toEqual(['10.55.0.0/24', '10.66.0.0/16'])
    expect(await used('skip', 'all')).toEqual([])
  })

  test.each([
    [['accept'], 2, 'routes accept wants networks, or all'],
    [['skip', '10.9.0.0/16'], 1, 'No device offers 10.9.0.0/16'],
    [['skip', 'nonsense'], 2, '"nonsense" is not a network'],
    [['accept', '10.55.0.1/24'], 1, 'No device offers 10.55.0.1/24'],
  ])('%j ends with %d and why', async (words, code, text) => {
    expect(await run('routes', ...words)).toMatchObject({ code, err: expect.stringContaining(text) })
  })

  test('set --accept-routes says what that means', async () => {
    expect(await run('set', '--accept-routes')).toMatchObject({ code: 0, err: 'Networks behind devices: 2 used (bowline routes)\n' })
  })
})
