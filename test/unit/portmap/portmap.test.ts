/**
 * The port mapping part whole, beside a router in memory: what it tells, when it is silent, and how it ends.
 */
import { beforeEach, expect, it } from 'vitest'
import type { JournalEntry } from '../../../main/engine/base/env.ts'
import { formatAddrPort } from '../../../main/engine/base/ip.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { WAN_IP_2 } from '../../../main/engine/core/portmap/igd.ts'
import { PortMap } from '../../../main/engine/portmap/portmap.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { DESCRIPTION, FakeRouter, soap, SSDP_ANSWER } from './fake-router.ts'

const LINK = { gateway: '192.168.1.1', selfIp: '192.168.1.20' }

let clock: HandClock
let router: FakeRouter
let portmap: PortMap
let told: (string | undefined)[]
let journal: JournalEntry[]
beforeEach(() => {
  clock = new HandClock()
  router = new FakeRouter(clock)
  told = []
  journal = []
  portmap = new PortMap({ env: { clock, random: seededRandom(1), log: silentLog, journal: { add: (entry) => journal.push(entry) } }, access: router.access })
  portmap.start({ onMapping: (external) => told.push(external && formatAddrPort(external)), onServices: () => {} })
})

async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 50) {
    await settle()
    clock.advance(Math.min(50, left))
  }
  await settle()
}

function speakUpnpOnly(): void {
  Object.assign(router.rig.router, { pmp: false, pcp: false })
  router.ssdp = [SSDP_ANSWER()]
  router.http.set('GET /d.xml', { status: 200, body: DESCRIPTION(WAN_IP_2) })
  router.http.set('AddAnyPortMapping', soap({ NewReservedPort: 41_641 }))
  router.http.set('GetExternalIPAddress', soap({ NewExternalIPAddress: '11.0.0.5' }))
  router.http.set('DeletePortMapping', soap({}))
}

it('tells the address that the router gives, what it offers, and why', async () => {
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  portmap.want('a test')
  await pass(1500)
  expect(told).toEqual(['11.0.0.5:41641'])
  expect(portmap.services()).toEqual({ pmp: true, pcp: true, upnp: false })
  expect(portmap.why).toBe('the router gave 11.0.0.5:41641 by NAT-PMP')
  expect(journal.map(({ kind }) => kind)).toEqual(['router', 'services', 'mapping'])
})

it('opens and asks nothing until there are a router, a port and a wish', async () => {
  portmap.setLink(LINK)
  portmap.want('a test')
  await pass(1000)
  portmap.setPort(41_641)
  await pass(1000)
  expect(router.openSockets).toBe(0)
  portmap.want('a test')
  expect(router.openSockets).toBe(2)
})

it('gives the port back by UPnP before it has stopped', async () => {
  speakUpnpOnly()
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  portmap.want('a test')
  await pass(2000)
  expect(told).toEqual(['11.0.0.5:41641'])
  await portmap.stop()
  expect(router.asked.at(-1)).toBe('/ctl0 DeletePortMapping( 41641 UDP)')
  expect(router.openSockets).toBe(0)
})

it('stops beside a router that went away', async () => {
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  portmap.want('a test')
  await pass(1000)
  Object.assign(router.rig.router, { pmp: false, pcp: false })
  const stopped = portmap.stop()
  await pass(1000)
  await stopped
  expect(router.openSockets).toBe(0)
  expect(clock.waiting).toBe(0)
})

it('asks no router while it is switched off, and gives back what it has', async () => {
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  portmap.want('a test')
  await pass(1000)
  portmap.setModes({ off: 'switched off for this engine', services: [] })
  await pass(1000)
  portmap.want('a test')
  expect(told).toEqual(['11.0.0.5:41641', undefined])
  expect(portmap.why).toBe('switched off for this engine')
})

it('says why nobody is asked from the first moment', () => {
  portmap.setPort(41_641)
  expect(portmap.why).toBe('there is no home router')
  portmap.setModes({ off: 'switched off for this engine', services: [] })
  expect(portmap.why).toBe('switched off for this engine')
  portmap.setLink(LINK)
  expect(portmap.why).toBe('switched off for this engine')
})

it('does not ask by UPnP where that is not wanted', async () => {
  speakUpnpOnly()
  portmap.setModes({ off: undefined, services: ['pmp', 'pcp'] })
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  portmap.want('a test')
  await pass(2000)
  expect(router.asked).toEqual([])
  expect(portmap.services()).toEqual({ pmp: false, pcp: false, upnp: false })
})

it('answers a person with what the router offers at that moment, and nobody where there is no router', async () => {
  expect(await portmap.probe('a report')).toBeUndefined()
  portmap.setLink(LINK)
  portmap.setPort(41_641)
  const found = portmap.probe('a report')
  await pass(1500)
  expect(await found).toEqual({ pmp: true, pcp: true, upnp: false })
})
