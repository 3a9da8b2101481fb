/**
 * A port asked for on trial: what a person reads of it.
 */
import { beforeEach, expect, it } from 'vitest'
import { silentLog } from '../../../main/engine/base/log.ts'
import type { TrialOptions } from '../../../main/engine/portmap/trial.ts'
import { tryPortMap } from '../../../main/engine/portmap/trial.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { FakeRouter } from './fake-router.ts'

const LINK = { gateway: '192.168.1.1', selfIp: '192.168.1.20' }

let clock: HandClock
let router: FakeRouter
beforeEach(() => {
  clock = new HandClock()
  router = new FakeRouter(clock)
})

async function trial(options: Partial<TrialOptions> = {}): Promise<string[]> {
  const lines: string[] = []
  let isOver = false
  const env = { clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
  void tryPortMap({ env, access: router.access }, { link: LINK, only: undefined, port: 5000, timeoutMs: 5000, ...options }, (line) => lines.push(line)).then(() => (isOver = true))
  for (let i = 0; i < 200 && !isOver; i++) {
    await settle()
    if (!isOver) clock.advance(50)
  }
  expect(isOver).toBe(true)
  return lines
}

it('tells what was found and given, and leaves nothing open', async () => {
  expect(await trial()).toEqual([
    'gw=192.168.1.1; self=192.168.1.20; port=5000', 'the router gave 11.0.0.5:5000 by NAT-PMP', 'Probe: NAT-PMP yes, PCP yes, UPnP no', 'mapping: 11.0.0.5:5000',
  ])
  expect(router.openSockets).toBe(0)
  expect(clock.waiting).toBe(0)
})

it('asks one service alone', async () => {
  expect(await trial({ only: 'pcp' })).toContain('the router gave 11.0.0.5:5000 by PCP')
})

it('tells why there is none', async () => {
  router.rig.router.result = 2
  expect((await trial({ only: 'pmp' })).at(-1)).toBe('no mapping: the router refused: not authorised: port mapping is switched off for this device (NAT-PMP)')
  Object.assign(router.rig.router, { pmp: false, pcp: false })
  expect((await trial()).at(-1)).toBe('no portmapping services available')
  expect(await trial({ link: undefined })).toEqual(['no gateway that could map ports: the default route leads to none with a private address'])
})
