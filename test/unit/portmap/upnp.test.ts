/**
 * UPnP beside a router in memory: the questions, what gets round a refusal, and the bounds.
 */
import { beforeEach, describe, expect, it } from 'vitest'
import type { Env } from '../../../main/engine/base/env.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { WAN_IP_2 } from '../../../main/engine/core/portmap/igd.ts'
import type { UpnpAnswer, UpnpPlace } from '../../../main/engine/core/portmap/types.ts'
import { askUpnp, searchRouters, unmapUpnp } from '../../../main/engine/portmap/upnp.ts'
import { HandClock, seededRandom, settle } from '../../sim/clock.ts'
import { DESCRIPTION, FakeRouter, refusal, soap, SSDP_ANSWER } from './fake-router.ts'

const LINK = { gateway: '192.168.1.1', selfIp: '192.168.1.20' }
const PLACE = { port: 5000, path: '/d.xml' }
const WAN_IP_1 = 'urn:schemas-upnp-org:service:WANIPConnection:1'
const WAN_PPP = 'urn:schemas-upnp-org:service:WANPPPConnection:1'
const ADDED = '41641 UDP 41641 192.168.1.20 1 bowline'

let clock: HandClock
let router: FakeRouter
let env: Env
beforeEach(() => {
  clock = new HandClock()
  router = new FakeRouter(clock)
  env = { clock, random: seededRandom(1), log: silentLog, journal: { add: () => {} } }
  router.http.set('GET /d.xml', { status: 200, body: DESCRIPTION(WAN_IP_2) })
  router.http.set('AddAnyPortMapping', soap({ NewReservedPort: 41_641 }))
  router.http.set('AddPortMapping', soap({}))
  router.http.set('DeletePortMapping', soap({}))
  router.http.set('GetExternalIPAddress', soap({ NewExternalIPAddress: '11.0.0.5' }))
})

async function ask(more: { places?: readonly UpnpPlace[]; known?: { type: string; port: number; path: string }; externalPort?: number } = {}): Promise<UpnpAnswer> {
  let answer: UpnpAnswer | undefined
  void askUpnp(env, router.access, { link: LINK, places: [PLACE], known: undefined, port: 41_641, externalPort: 41_641, lifetimeSec: 7200, ...more }).then((told) => (answer = told))
  for (let i = 0; i < 200 && !answer; i++) {
    await settle()
    if (!answer) clock.advance(100)
  }
  return answer!
}

describe('a search', () => {
  const search = (): { told: (readonly [readonly UpnpPlace[], boolean])[] } => {
    const told: (readonly [readonly UpnpPlace[], boolean])[] = []
    searchRouters(env, router.access, LINK, (places, isOver) => told.push([places, isOver]))
    return { told }
  }

  it('tells soon after the first answer, and once more at its end', () => {
    router.ssdp = [SSDP_ANSWER(), SSDP_ANSWER(), SSDP_ANSWER('http://192.168.1.1:1/e.xml')]
    const { told } = search()
    clock.advance(60)
    expect(told).toEqual([[[PLACE, { port: 1, path: '/e.xml' }], false]])
    clock.advance(2000)
    expect(told.map(([, isOver]) => isOver)).toEqual([false, true])
    expect(router.openSockets).toBe(0)
  })

  it('keeps eight places of however many answers', () => {
    router.ssdp = Array.from({ length: 5000 }, (_, i) => SSDP_ANSWER(`http://192.168.1.1:5000/${i}`))
    const { told } = search()
    clock.advance(2000)
    expect(told.at(-1)![0]).toHaveLength(8)
  })

  it('is over without an answer', () => {
    const { told } = search()
    clock.advance(2000)
    expect(told).toEqual([[[], true]])
  })
})

describe('a port', () => {
  it('is got from a service of the newest kind, which chooses', async () => {
    router.http.set('AddAnyPortMapping', soap({ NewReservedPort: 50_000 }))
    expect(await ask()).toEqual({ kind: 'mapped', control: { port: 5000, path: '/ctl0', type: WAN_IP_2 }, external: { ip: '11.0.0.5', port: 50_000 }, lifetimeSec: 7200 })
    expect(router.asked).toEqual(['GET /d.xml', `/ctl0 AddAnyPortMapping( ${ADDED} 7200)`, '/ctl0 GetExternalIPAddress()'])
  })

  it('is got from an older service as asked', async () => {
    router.http.set('GET /d.xml', { status: 200, body: DESCRIPTION(WAN_IP_1) })
    expect(await ask()).toMatchObject({ kind: 'mapped', external: { port: 41_641 } })
    expect(router.asked[1]).toBe(`/ctl0 AddPortMapping( ${ADDED} 7200)`)
  })

  it('is never a port under 1024, let alone all of them', async () => {
    router.http.set('GET /d.xml', { status: 200, body: DESCRIPTION(WAN_IP_1) })
    const answer = await ask({ externalPort: 80 })
    expect(answer.kind === 'mapped' && answer.external.port).toBeGreaterThanOrEqual(1024)
  })

  it('is another one when the first is taken', async () => {
    router.http.set('GET /d.xml', { status: 200, body: DESCRIPTION(WAN_IP_1) })
    let tries = 0
    router.http.set('AddPortMapping', () => (tries++ === 0 ? refusal(718) : soap({})))
    const answer = await ask()
    expect(answer).toMatchObject({ kind: 'mapped' })
    expect(answer.kind === 'mapped' && answer.external.port).not.toBe(41_641)
  })

  it.each([402, 725])('is asked for without an end where the router has no leases (%i)', async (code) => {
    let tries = 0
    router.http.set('AddAnyPortMapping', () => (tries++ === 0 ? refusal(code) : soap({ NewReservedPort: 41_641 })))
    expect(await ask()).toMatchObject({ kind: 'mapped', lifetimeSec: 0 })
    expect(router.asked[2]).toBe(`/ctl0 AddAnyPortMapping( ${ADDED} 0)`)
  })

  it('is asked for in the older way where the newer is not known', async () => {
    router.http.set('AddAnyPortMapping', refusal(401))
    expect(await ask()).toMatchObject({ kind: 'mapped' })
    expect(router.asked[2]).toBe(`/ctl0 AddPortMapping( ${ADDED} 7200)`)
  })

  it('is asked for a few times at most', async () => {
    router.http.set('AddAnyPortMapping', refusal(718))
    expect(await ask()).toEqual({ kind: 'refused', why: 'the outer port is taken' })
    expect(router.asked).toHaveLength(5)
  })

  it('is refused with the router’s reason', async () => {
    router.http.set('AddAnyPortMapping', refusal(606))
    expect(await ask()).toEqual({ kind: 'refused', why: 'not authorised: port mapping is switched off for this device' })
    router.http.set('AddAnyPortMapping', refusal(9999))
    expect(await ask()).toEqual({ kind: 'refused', why: 'error 9999' })
  })

  it('is renewed where it came from, and looked for anew when that is gone', async () => {
    const known = { port: 5000, path: '/old', type: WAN_IP_2 }
    expect(await ask({ known })).toMatchObject({ kind: 'mapped', control: known })
    expect(router.asked[0]).toBe(`/old AddAnyPortMapping( ${ADDED} 7200)`)
    router.http.set('AddAnyPortMapping', ({ place }) => (place.path === '/old' ? { status: 404, body: '' } : soap({ NewReservedPort: 41_641 })))
    expect(await ask({ known })).toMatchObject({ kind: 'mapped', control: { path: '/ctl0' } })
  })

  it('is looked for anew when nobody listens any more where it came from', async () => {
    router.http.set('AddAnyPortMapping', ({ place }) => (place.path === '/old' ? new Error('connection refused') : soap({ NewReservedPort: 41_641 })))
    expect(await ask({ known: { port: 5000, path: '/old', type: WAN_IP_2 } })).toMatchObject({ kind: 'mapped', control: { path: '/ctl0' } })
  })

  it('comes from the service that is connected with a public address, of several', async () => {
    router.http.set('GET /d.xml', { status: 200, body: DESCRIPTION(WAN_IP_1, WAN_IP_1, WAN_PPP) })
    router.http.set('GetStatusInfo', ({ place }) => soap({ NewConnectionStatus: place.path === '/ctl0' ? 'Disconnected' : 'Connected' }))
    router.http.set('GetExternalIPAddress', ({ place }) => soap({ NewExternalIPAddress: place.path === '/ctl1' ? '10.0.0.1' : '11.0.0.5' }))
    expect(await ask()).toMatchObject({ kind: 'mapped', control: { path: '/ctl2' }, external: { ip: '11.0.0.5' } })
  })

  it('goes back when the router does not say where it is', async () => {
    for (const ip of ['', 'here', 'fe80::1', '1.2.3']) {
      router.asked.length = 0
      router.http.set('GetExternalIPAddress', soap({ NewExternalIPAddress: ip }))
      expect(await ask()).toEqual({ kind: 'refused', why: 'it does not say what its outer address is' })
      expect(router.asked.at(-1)).toBe('/ctl0 DeletePortMapping( 41641 UDP)')
    }
  })

  it.each(['', '0', '65536', '-1', '1.5', 'x'])('is none with the number "%s"', async (port) => {
    router.http.set('AddAnyPortMapping', soap({ NewReservedPort: port }))
    expect(await ask()).toMatchObject({ kind: 'refused' })
  })

  it('is given up after five seconds in all, however many places answer slowly', async () => {
    router.http.set('GET /d.xml', 'never')
    const places = Array.from({ length: 8 }, () => PLACE)
    expect(await ask({ places })).toEqual({ kind: 'refused', why: 'its description could not be read: it took too long' })
    expect(clock.nowMs()).toBeLessThan(6000)
    expect(router.asked.length).toBeLessThanOrEqual(4)
  })

  it('is refused by a router whose description is missing, or of something else', async () => {
    router.http.set('GET /d.xml', { status: 404, body: '' })
    expect(await ask()).toEqual({ kind: 'refused', why: 'its description names no service that maps ports' })
    router.http.set('GET /d.xml', new Error('the answer is longer than 65536 bytes'))
    expect(await ask()).toEqual({ kind: 'refused', why: 'its description could not be read: the answer is longer than 65536 bytes' })
  })

  it('goes back without a word about a router that is gone', async () => {
    router.http.set('DeletePortMapping', new Error('gone'))
    await unmapUpnp(env, router.access, LINK, { port: 5000, path: '/ctl0', type: WAN_IP_2 }, 41_641)
    expect(router.asked).toEqual(['/ctl0 DeletePortMapping( 41641 UDP)'])
  })
})
