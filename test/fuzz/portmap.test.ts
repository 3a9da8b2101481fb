/**
 * Hostile routers: whatever comes to the port mapping part by UDP, by SSDP and by HTTP, at whatever time, it says little, opens nothing
 * beyond its two sockets, tells no address that would harm, and can be stopped.
 */
import { expect } from 'vitest'
import type { AddrPort } from '../../main/engine/base/ip.ts'
import { isLinkLocalIp, isLoopbackIp, isMulticastIp, isTailscaleIp, isUnspecifiedIp } from '../../main/engine/base/ip.ts'
import { silentLog } from '../../main/engine/base/log.ts'
import { WAN_IP_2 } from '../../main/engine/core/portmap/igd.ts'
import { PortMap } from '../../main/engine/portmap/portmap.ts'
import { HandClock, seededRandom, settle } from '../sim/clock.ts'
import { DESCRIPTION, FakeRouter, refusal, soap, SSDP_ANSWER, type HttpAnswer } from '../unit/portmap/fake-router.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

const LINK = { gateway: '192.168.1.1', selfIp: '192.168.1.20' }
const ADDRESSES = ['11.0.0.5', '0.0.0.0', '127.0.0.1', '255.255.255.255', '224.0.0.1', '169.254.0.1', '100.64.0.1', '192.168.1.20', '10.0.0.1', '::1', '', 'x'.repeat(2000)]
const NUMBERS = ['0', '1', '1024', '41641', '65535', '65536', '-1', '1e3', '', 'NaN', '9'.repeat(400)]
const ACTIONS = ['AddAnyPortMapping', 'AddPortMapping', 'DeletePortMapping', 'GetExternalIPAddress', 'GetStatusInfo'] as const
const XML = ['<', '</', '>', '/>', '&', '&amp;', '<!DOCTYPE r [<!ENTITY a "b">]>', '<![CDATA[', ']]>', '<service>', '</service>', '<serviceType>', WAN_IP_2, '</serviceType>', '<controlURL>', '/ctl', '</controlURL>', '\0', '<errorCode>', '718', '<Fault>']

function someXml(chance: Chance): string {
  return Array.from({ length: chance.int(0, 39) }, () => (chance.is(0.8) ? chance.pick(XML) : chance.text())).join('')
}

function someAnswer(chance: Chance): HttpAnswer {
  switch (chance.int(0, 5)) {
    case 0: return 'never'
    case 1: return new Error('the answer is longer than 65536 bytes')
    case 2: return refusal(chance.pick([0, 401, 402, 501, 606, 718, 724, 725, 9999]))
    case 3: return { status: chance.pick([200, 204, 302, 404, 500]), body: someXml(chance) }
    default: return soap({ NewReservedPort: chance.pick(NUMBERS), NewExternalIPAddress: chance.pick(ADDRESSES), NewConnectionStatus: chance.pick(['Connected', 'Up', 'x']) })
  }
}

fuzz('a router that lies in every way leaves nothing behind and is believed nothing harmful', async (chance) => {
  const clock = new HandClock()
  const router = new FakeRouter(clock)
  const told: (AddrPort | undefined)[] = []
  const portmap = new PortMap({ env: { clock, random: seededRandom(chance.int(0, 2 ** 30)), log: silentLog, journal: { add: () => {} } }, access: router.access })
  portmap.start({ onMapping: (external) => told.push(external), onServices: () => {} })
  const { rig } = router
  const honest = rig.reply.bind(rig)
  rig.reply = (ask) => {
    const reply = honest(ask)
    if (!reply || chance.is(0.2)) return undefined
    if (chance.is(0.4)) for (let i = chance.int(0, 3); i >= 0; i--) reply[chance.int(0, reply.length - 1)] = chance.int(0, 255)
    return chance.is(0.15) ? reply.subarray(0, chance.int(0, reply.length - 1)) : reply
  }
  Object.assign(rig.router, { pmp: chance.is(0.5), pcp: chance.is(0.5), result: chance.pick([0, 0, 0, 2, 4]), externalIp: chance.pick(ADDRESSES.slice(0, 9)), lifetimeSec: chance.pick([0, 1, 60, 7200, 0xffff_ffff]) })
  router.ssdp = Array.from({ length: chance.int(0, 19) }, () => SSDP_ANSWER(chance.pick(['http://192.168.1.1:5000/d.xml', `http://x:${chance.pick(NUMBERS)}/d.xml`, 'file:///etc/passwd', `http://x/${chance.text()}`])))
  router.http.set('GET /d.xml', () => (chance.is(0.6) ? { status: 200, body: DESCRIPTION(WAN_IP_2) } : someAnswer(chance)))
  for (const action of ACTIONS) router.http.set(action, () => someAnswer(chance))
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  let looks = 0
  for (let step = 0; step < 12; step++) {
    if (chance.is(0.7)) portmap.want('there is traffic')
    if (chance.is(0.1)) portmap.setPort(chance.pick([0, 41_641, 5000]))
    looks++
    for (let i = 0; i < 4; i++) {
      await settle(1)
      clock.advance(chance.pick([10, 300, 2000, 30_000]))
    }
    expect(router.openSockets).toBeLessThanOrEqual(2)
  }
  // A search, eight descriptions, and eight services with two questions each before one is asked for a port a few times.
  expect(router.asked.length).toBeLessThanOrEqual(looks * 4 * 12)
  for (const external of told) {
    if (external === undefined) continue
    expect(external.port).toBeGreaterThan(0)
    for (const isBad of [isLoopbackIp, isMulticastIp, isLinkLocalIp, isUnspecifiedIp, isTailscaleIp]) expect(isBad(external.ip), external.ip).toBe(false)
    expect([LINK.gateway, LINK.selfIp]).not.toContain(external.ip)
  }
  let isStopped = false
  void portmap.stop().then(() => (isStopped = true))
  for (let i = 0; i < 80 && !isStopped; i++) {
    await settle(1)
    clock.advance(100)
  }
  expect(isStopped).toBe(true)
  clock.advance(10_000)
  await settle(2)
  expect(router.openSockets).toBe(0)
}, { share: 0.3 })
