/**
 * The port mapping machine beside a router in memory, in virtual time.
 */
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { CONTROL, PLACE, RouterRig, TARGET, pmpMapped } from './router-rig.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

const whys = (rig: RouterRig): (string | undefined)[] => rig.events.filter(({ kind }) => kind === 'refused' || kind === 'mapping').map(({ why }) => why)

describe('getting a port', () => {
  it('asks all services at once, then NAT-PMP first, for the same port outside', () => {
    const rig = new RouterRig().want()
    expect(rig.takeSent()).toEqual(['pmp address', 'pcp announce', 'search'])
    rig.pass(300)
    expect(rig.takeSent()).toEqual(['pmp address', 'pmp map 41641 as 41641 for 7200'])
    expect(rig.external).toBe('11.0.0.5:41641')
    expect(rig.machine.found).toEqual({ pmp: true, pcp: true, upnp: false })
    expect(rig.machine.why).toBe('the router gave 11.0.0.5:41641 by NAT-PMP')
  })

  it('takes the port that the router gives instead', () => {
    const rig = new RouterRig()
    rig.router.externalPort = 50_000
    expect(rig.want().pass(300).external).toBe('11.0.0.5:50000')
  })

  it('asks by PCP where that alone answered', () => {
    const rig = new RouterRig()
    rig.router.pmp = false
    rig.want().pass(300)
    expect(rig.takeSent().slice(3)).toEqual(['pcp map 41641 as 41641 for 7200'])
    expect(rig.machine.mapping).toMatchObject({ service: 'pcp', external: { ip: '11.0.0.5', port: 41641 } })
  })

  it('asks by UPnP where that alone answered', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false, places: [PLACE] })
    rig.want().pass(300)
    expect(rig.sent.at(-1)).toMatchObject({ kind: 'upnp-map', places: [PLACE], port: 41641, externalPort: 41641, lifetimeSec: 7200 })
    expect(rig.machine.mapping).toMatchObject({ service: 'upnp', control: CONTROL })
  })

  it('asks the next service when one refuses, and says why', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { result: 2, places: [PLACE] })
    rig.want().pass(400)
    expect(whys(rig)).toEqual([
      'the router refused: not authorised: port mapping is switched off for this device (NAT-PMP)',
      'the router refused: not authorised: port mapping is switched off for this device (PCP)',
      'the router gave 11.0.0.5:41641 by UPnP',
    ])
  })

  it('takes an answer that comes after its probe', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { delayMs: 900, pcp: false })
    rig.want().pass(800)
    expect(rig.machine.why).toBe('the router offers no port mapping')
    rig.pass(1300)
    expect(rig.external).toBe('11.0.0.5:41641')
    expect(rig.machine.found).toEqual({ pmp: true, pcp: false, upnp: false })
  })

  it('says once more what was lost on the way', () => {
    const rig = new RouterRig().want().pass(200)
    rig.router.pmp = false
    rig.pass(100).takeSent()
    rig.router.pmp = true
    rig.pass(1000)
    expect(rig.takeSent()).toEqual(['pmp address', 'pmp map 41641 as 41641 for 7200'])
    expect(rig.external).toBe('11.0.0.5:41641')
  })

  it('is not led astray by a router that knows one protocol alone and says so in it', () => {
    const pmpOnly = new RouterRig()
    pmpOnly.router.pcp = false
    const reply = pmpOnly.reply.bind(pmpOnly)
    pmpOnly.reply = (ask) => (ask[0] === 2 ? Uint8Array.of(0, 128, 0, 1, 0, 0, 0, 1) : reply(ask))
    expect(pmpOnly.want().pass(2000).external).toBe('11.0.0.5:41641')
    expect(whys(pmpOnly)).toEqual(['the router gave 11.0.0.5:41641 by NAT-PMP'])
    const pcpOnly = new RouterRig()
    pcpOnly.router.pmp = false
    const answer = pcpOnly.reply.bind(pcpOnly)
    pcpOnly.reply = (ask) => (ask[0] === 0 ? Uint8Array.of(2, 128, 0, 1, ...new Uint8Array(20)) : answer(ask))
    expect(pcpOnly.want().pass(2000).external).toBe('11.0.0.5:41641')
    expect(whys(pcpOnly)).toEqual(['the router gave 11.0.0.5:41641 by PCP'])
  })

  it('asks only for what is allowed', () => {
    const rig = new RouterRig().want({ ...TARGET, allowed: ['pmp', 'pcp'] })
    expect(rig.takeSent()).toEqual(['pmp address', 'pcp announce'])
    expect(new RouterRig().want({ ...TARGET, allowed: [] }).takeSent()).toEqual([])
  })

  it.each([
    ['0.0.0.0', 'so it has no address of its own at present'], ['127.0.0.1', 'which nobody can reach'], ['239.255.255.250', 'which nobody can reach'],
    ['255.255.255.255', 'which nobody can reach'], ['169.254.1.1', 'which nobody can reach'], ['100.70.0.1', 'which lies inside the provider’s own network'],
    ['192.168.1.1', 'which is on the inside'], ['192.168.1.20', 'which is on the inside'],
  ])('takes no outer address %s, %s, and gives the port back', (ip, why) => {
    const rig = new RouterRig()
    Object.assign(rig.router, { externalIp: ip, pcp: false })
    rig.want().pass(2000)
    expect(rig.external).toBeUndefined()
    expect(whys(rig)).toEqual([`the router refused: its outer address is ${ip}:41641, ${why} (NAT-PMP)`])
    expect(rig.takeSent().at(-1)).toBe('pmp map 41641 as 0 for 0')
  })

  it('takes a private outer address: the router may be behind another one', () => {
    const rig = new RouterRig()
    rig.router.externalIp = '10.0.0.7'
    expect(rig.want().pass(300).external).toBe('10.0.0.7:41641')
  })
})

describe('keeping it', () => {
  it('renews at half of its life, for the same port, and tells nobody of the same address', () => {
    const rig = new RouterRig().want().pass(300)
    rig.takeSent()
    rig.pass(HOUR - 1000)
    expect(rig.takeSent()).toEqual([])
    rig.pass(2000)
    expect(rig.takeSent()).toEqual(['pmp address', 'pmp map 41641 as 41641 for 7200'])
    expect(rig.events.filter(({ kind }) => kind === 'mapping')).toHaveLength(1)
    expect(rig.events.at(-1)).toMatchObject({ kind: 'renewed', why: 'half of its life is over' })
    expect(rig.pass(24 * HOUR).external).toBe('11.0.0.5:41641')
  })

  it('tells of another port or address that came with a renewal', () => {
    const rig = new RouterRig().want().pass(300)
    rig.router.externalIp = '11.0.0.6'
    rig.pass(HOUR + 1000)
    expect(rig.external).toBe('11.0.0.6:41641')
    expect(rig.events.filter(({ kind }) => kind === 'mapping')).toHaveLength(2)
  })

  it('tries again at half of what is left while the router is silent, then gives up', () => {
    const rig = new RouterRig().want().pass(300)
    rig.takeSent()
    Object.assign(rig.router, { pmp: false, pcp: false })
    rig.pass(HOUR + 30 * MINUTE + 10_000)
    expect(rig.external).toBe('11.0.0.5:41641')
    expect(rig.takeSent()).toHaveLength(12)
    rig.pass(40 * MINUTE)
    expect(rig.external).toBeUndefined()
    expect(whys(rig)).toContain('the router did not renew it')
    expect(rig.machine.why).toBe('the router offers no port mapping')
  })

  it('asks again at once when the router started anew', () => {
    const rig = new RouterRig().want().pass(MINUTE)
    rig.takeSent()
    rig.router.startedMs = rig.nowMs
    rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic')).pass(100)
    expect(rig.takeSent()).toEqual(['pmp address', 'pmp address', 'pmp map 41641 as 41641 for 7200'])
    expect(rig.external).toBe('11.0.0.5:41641')
    expect(rig.events.at(-1)).toMatchObject({ kind: 'renewed', why: 'the router started anew' })
  })

  it('gives up a mapping that the router forgot and does not give again', () => {
    const rig = new RouterRig().want().pass(MINUTE)
    rig.router.startedMs = rig.nowMs
    rig.router.result = 4
    rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic')).pass(3000)
    expect(rig.external).toBeUndefined()
    expect(whys(rig)).toContain('the router refused: it has no ports left (NAT-PMP)')
  })

  it('asks a router with a steady clock nothing but one small question every 20 s of traffic', () => {
    const rig = new RouterRig().want().pass(MINUTE)
    rig.takeSent()
    for (let i = 0; i < 60; i++) rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic')).pass(1000)
    expect(rig.takeSent()).toEqual(['pmp address', 'pmp address', 'pmp address'])
  })

  it('asks for a UPnP port again after ten minutes of traffic', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false, places: [PLACE] })
    rig.want().pass(MINUTE)
    rig.takeSent()
    for (let i = 0; i < 660; i++) rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic')).pass(1000)
    expect(rig.takeSent()).toEqual(['upnp-map'])
  })

  it('asks for a UPnP port again when a person asks what the router offers: it tells no epoch', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false, places: [PLACE] })
    rig.want().pass(MINUTE)
    rig.takeSent()
    rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'a report', true)).pass(2000)
    expect(rig.takeSent()).toEqual(['pmp address', 'pcp announce', 'search', 'upnp-map'])
    expect(rig.external).toBe('11.0.0.5:41641')
  })

  it('asks for a UPnP port again at once when the epoch of another service shows a restart', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { result: 2, places: [PLACE] })
    rig.want().pass(MINUTE)
    expect(rig.machine.mapping?.service).toBe('upnp')
    rig.takeSent()
    rig.router.startedMs = rig.nowMs
    rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic')).pass(1000)
    expect(rig.takeSent()).toEqual(['pmp address', 'upnp-map'])
    expect(rig.events.at(-1)).toMatchObject({ kind: 'renewed', why: 'the router started anew' })
  })

  it('does not renew more often than every ten seconds, however short the life that a router gives', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { lifetimeSec: 1, pcp: false })
    rig.want().pass(300)
    rig.takeSent()
    rig.pass(10 * MINUTE)
    expect(rig.takeSent().length).toBeLessThanOrEqual(2 * 60)
  })

  it('renews within a day whatever a router promises', () => {
    const rig = new RouterRig()
    rig.router.lifetimeSec = 0xffff_ffff
    rig.want().pass(300)
    rig.takeSent()
    rig.pass(12 * HOUR + 1000)
    expect(rig.takeSent()).toHaveLength(2)
  })
})

describe('giving it back', () => {
  it('gives a port back by the service that gave it, said twice unless answered', () => {
    const rig = new RouterRig().want().pass(300)
    rig.takeSent()
    rig.act((machine, nowMs) => machine.handleTarget(nowMs, undefined, 'stopping'))
    expect(rig.machine.isReleasing).toBe(true)
    expect(rig.pass(10).machine.isReleasing).toBe(false)
    expect(rig.pass(1000).takeSent()).toEqual(['pmp map 41641 as 0 for 0'])
    expect(rig.events.at(-1)).toMatchObject({ kind: 'mapping', why: 'stopping', external: undefined })
  })

  it('is over with a router that does not answer', () => {
    const rig = new RouterRig()
    rig.router.pmp = false
    rig.want().pass(300).takeSent()
    rig.router.pcp = false
    rig.act((machine, nowMs) => machine.handleTarget(nowMs, undefined, 'stopping'))
    expect(rig.pass(700).machine.isReleasing).toBe(false)
    expect(rig.takeSent()).toEqual(['pcp map 41641 as 0 for 0', 'pcp map 41641 as 0 for 0'])
    expect(rig.machine.nextTimeout()).toBeUndefined()
  })

  it('gives a UPnP port back', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false, places: [PLACE] })
    rig.want().pass(300).takeSent()
    rig.act((machine, nowMs) => machine.handleTarget(nowMs, undefined, 'stopping'))
    expect(rig.sent).toMatchObject([{ kind: 'upnp-unmap', control: CONTROL, externalPort: 41641 }])
  })

  it('gives back a UPnP port that came too late', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false, places: [PLACE], delayMs: 100 })
    rig.want().pass(300).takeSent()
    rig.act((machine, nowMs) => machine.handleTarget(nowMs, undefined, 'stopping')).pass(300)
    expect(rig.sent).toMatchObject([{ kind: 'upnp-unmap', externalPort: 41641 }])
  })

  it('does not take away what is asked for right after', () => {
    const rig = new RouterRig().want().pass(300)
    rig.act((machine, nowMs) => machine.handleTarget(nowMs, undefined, 'down'))
    rig.takeSent()
    rig.want().pass(2000)
    expect(rig.takeSent()).toEqual(['pmp address', 'pmp map 41641 as 41641 for 7200'])
    expect(rig.external).toBe('11.0.0.5:41641')
  })

  it('follows the UDP port', () => {
    const rig = new RouterRig().want().pass(300)
    rig.takeSent()
    rig.want({ ...TARGET, port: 5000 }).pass(1000)
    expect(rig.takeSent()).toEqual(['pmp map 41641 as 0 for 0', 'pmp address', 'pmp map 5000 as 41641 for 7200'])
    expect(rig.machine.mapping?.internalPort).toBe(5000)
  })

  it('forgets everything at another router, and says nothing to it of the old one', () => {
    const rig = new RouterRig().want().pass(300)
    rig.takeSent()
    rig.want({ ...TARGET, gateway: '192.168.2.1', selfIp: '192.168.2.9' })
    expect(rig.external).toBeUndefined()
    expect(rig.takeSent()).toEqual(['pmp address', 'pcp announce', 'search'])
    expect(rig.pass(300).external).toBe('11.0.0.5:41641')
  })
})

describe('silence', () => {
  it('asks nothing unless wanted', () => {
    const rig = new RouterRig().act((machine, nowMs) => machine.handleTarget(nowMs, TARGET, 'a test')).pass(24 * HOUR)
    expect(rig.takeSent()).toEqual([])
  })

  it('asks a network without such a router ever more seldom, however much is wanted', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false })
    rig.want()
    const probes: number[] = []
    for (let second = 0; second < 1200; second++) {
      if (rig.takeSent().includes('search')) probes.push(second)
      rig.pass(1000).act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic'))
    }
    expect(probes).toEqual([0, 21, 82, 383, 684, 985])
  })

  it('asks at once for a person, but not again within seconds', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false })
    rig.want().pass(6000).takeSent()
    const ask = (): string[] => rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'a report', true)).pass(1300).takeSent()
    expect(ask()).toEqual(['pmp address', 'pcp announce', 'search'])
    expect(ask()).toEqual([])
  })

  it('keeps the mapping while a person asks what the router offers', () => {
    const rig = new RouterRig().want().pass(MINUTE)
    rig.takeSent()
    rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'a report', true)).pass(2000)
    expect(rig.takeSent()).toEqual(['pmp address', 'pcp announce', 'search'])
    expect(rig.external).toBe('11.0.0.5:41641')
  })
})

describe('a hostile router', () => {
  it('gets nothing for answers to questions that nobody asked', () => {
    const rig = new RouterRig()
    Object.assign(rig.router, { pmp: false, pcp: false })
    rig.want().pass(5000)
    rig.act((machine, nowMs) => machine.handleDatagram(nowMs, pmpMapped(41641, 5, 7200, 1)))
    rig.act((machine, nowMs) => machine.handleDatagram(nowMs, pmpMapped(41641, 5, 0, 1)))
    expect(rig.external).toBeUndefined()
    expect(rig.machine.counters.portmapUnasked).toBe(2)
  })

  it('does not map another port of ours, nor with another nonce or protocol', () => {
    const rig = new RouterRig()
    rig.router.pmp = false
    const reply = rig.reply.bind(rig)
    rig.reply = (ask) => {
      const answer = reply(ask)
      if (answer && ask[1] === 1) answer[24] = 99
      return answer
    }
    rig.want().pass(3000)
    expect(rig.external).toBeUndefined()
    rig.reply = (ask) => {
      const answer = reply(ask)
      if (answer && ask[1] === 1) answer[36] = 6
      return answer
    }
    rig.pass(30_000).act((machine, nowMs) => machine.handleWanted(nowMs, 'again')).pass(3000)
    expect(rig.external).toBeUndefined()
    expect(rig.machine.counters.portmapUnasked).toBeGreaterThan(1)
  })

  it('with any bytes at any time makes us say little, and never believe an address that harms', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 80 }),
      fc.tuple(fc.constantFrom(0, 2), fc.constantFrom(128, 129), fc.uint8Array({ minLength: 6, maxLength: 58 })).map(([version, op, rest]) => Uint8Array.of(version, op, 0, 0, ...rest)),
      fc.tuple(fc.nat(65_535), fc.nat(4_294_967_295), fc.nat(4_294_967_295)).map(([port, life, epoch]) => pmpMapped(41641, port, life, epoch)),
    )
    fc.assert(fc.property(fc.array(fc.tuple(bytes, fc.nat(30_000)), { maxLength: 40 }), fc.boolean(), (datagrams, answers) => {
      const rig = new RouterRig()
      Object.assign(rig.router, { pmp: answers, pcp: answers })
      rig.want()
      let said = 0
      for (const [datagram, waitMs] of datagrams) {
        rig.act((machine, nowMs) => machine.handleDatagram(nowMs, datagram))
        rig.act((machine, nowMs) => machine.handleWanted(nowMs, 'there is traffic')).pass(waitMs)
        said += rig.takeSent().length
        if (rig.external !== undefined) expect(rig.external).not.toMatch(/^(0|127|169\.254|2[2-5]\d)\.|:0$/)
      }
      expect(said).toBeLessThanOrEqual(20 + 14 * datagrams.length)
    }))
  })
})
