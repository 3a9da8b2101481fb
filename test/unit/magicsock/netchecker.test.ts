import { describe, expect, it } from 'vitest'
import { EngineError } from '../../../main/engine/base/errors.ts'
import type { NetcheckPorts } from '../../../main/engine/magicsock/ports.ts'
import { derpMap, MemoryNet } from './two-nodes.ts'
import type { MemoryNode } from './two-nodes.ts'

async function joined(regions: number[], set: (net: MemoryNet) => void = () => {}, ports: NetcheckPorts = {}): Promise<{ net: MemoryNet; a: MemoryNode }> {
  const net = new MemoryNet()
  set(net)
  const a = net.node('198.51.100.1', 1, ports)
  a.join(derpMap(...regions), [])
  await net.clock.run(1000)
  return { net, a }
}

const runs = (node: MemoryNode): { why: unknown; full: unknown }[] => node.journal.filter((event) => event.part === 'netcheck' && event.kind === 'run').map(({ why, full }) => ({ why, full }))
/** A person's look at the network, to its end. */
async function look(net: MemoryNet, node: MemoryNode, full = true): Promise<Awaited<ReturnType<MemoryNode['sock']['netcheck']>>> {
  const asked = node.sock.netcheck(full)
  await net.clock.run(5100)
  return asked
}

describe('when the network is looked at', () => {
  it('the first look is full, later ones are of home and the nearest, and one in five minutes is full', async () => {
    const { net, a } = await joined([2, 3, 4])
    for (let i = 0; i < 4; i++) {
      await look(net, a, false)
      await net.clock.run(100_000)
    }
    expect(runs(a).map((one) => one.full)).toEqual([true, false, false, false, true])
  })

  it('a change of networks forces a full look', async () => {
    const { net, a } = await joined([2])
    a.sock.handleNetworkChange('the address is another', true)
    await net.clock.run(100)
    expect(runs(a).at(-1)).toEqual({ why: 'the address is another', full: true })
  })

  it('whoever wants all regions waits for a look at all, though a smaller one is under way', async () => {
    const { net, a } = await joined([2, 3])
    net.deafRegions.add(3)
    const small = a.sock.netcheck(false)
    const whole = a.sock.netcheck(true)
    await net.clock.run(8000)
    expect((await small).regionLatencyMs.size).toBe(1)
    await whole
    expect(runs(a).map((one) => one.full)).toEqual([true, false, true])
  })

  it('nothing is sent before there is a node key, and the answer is an empty report', async () => {
    const net = new MemoryNet()
    const a = net.node('198.51.100.1', 1)
    a.sock.setPort(41641)
    a.sock.setConfig({ derpMap: derpMap(2), peers: [] })
    expect(await a.sock.netcheck()).toMatchObject({ udp: false, preferredDerp: 0 })
    expect(a.sentUdp).toBe(0)
  })
})

describe('the home relay over time', () => {
  it('is kept for as long as its lost relay may come back, eight seconds after it was heard, then moves by itself', async () => {
    const { net, a } = await joined([2, 3])
    await net.clock.run(20_000)
    net.deafRegions.add(2)
    a.heard.set(2, net.clock.nowMs() - 1000)
    for (let i = 0; i < 6; i++) {
      a.sock.handleRelayState(2, 'lost')
      await net.clock.run(1000)
      expect(a.homes).toEqual([2])
    }
    await net.clock.run(1500)
    expect(a.homes).toEqual([2, 3])
    expect(a.netInfos.at(-1)).toMatchObject({ PreferredDERP: 3 })
  })

  it('stays when the relay comes back in time', async () => {
    const { net, a } = await joined([2, 3])
    await net.clock.run(20_000)
    net.deafRegions.add(2)
    a.heard.set(2, net.clock.nowMs())
    a.sock.handleRelayState(2, 'lost')
    await net.clock.run(4000)
    a.heard.set(2, net.clock.nowMs())
    a.sock.handleRelayState(2, 'connected')
    await net.clock.run(20_000)
    expect(a.homes).toEqual([2])
  })

  it('does not move while the server is out of reach, and moves once peers can be told', async () => {
    const { net, a } = await joined([2, 3])
    a.sock.netchecker.setServerReachable(false)
    net.deafRegions.add(2)
    await look(net, a)
    expect(a.homes).toEqual([2])
    a.sock.netchecker.setServerReachable(true)
    await net.clock.run(4000)
    expect(a.homes).toEqual([2, 3])
  })

  it('looks at nothing when the server is back and no move was waiting', async () => {
    const { net, a } = await joined([2, 3])
    const before = runs(a).length
    a.sock.netchecker.setServerReachable(false)
    a.sock.netchecker.setServerReachable(true)
    await net.clock.run(4000)
    expect(runs(a)).toHaveLength(before)
  })

  it('is the one that a person forces, and the nearest again when that is over', async () => {
    const { net, a } = await joined([2, 3], (made) => made.stunDelayMs.set(3, 90))
    expect(a.homes).toEqual([2])
    a.sock.netchecker.forceHome(3)
    await net.clock.run(4000)
    a.sock.netchecker.forceHome(0)
    await net.clock.run(4000)
    expect(a.homes).toEqual([2, 3, 2])
  })

  it('is another at a person\'s wish until the next look, and control is told', async () => {
    const { a } = await joined([2, 3], (made) => made.stunDelayMs.set(3, 90))
    expect(a.sock.netchecker.pickNewHome()).toBe(true)
    expect(a.homes).toEqual([2, 3])
    expect(a.netInfos.at(-1)).toMatchObject({ PreferredDERP: 3 })
    expect((await joined([2])).a.sock.netchecker.pickNewHome()).toBe(false)
  })

  it('flaps not at all while two regions are about as far, for a day', async () => {
    const { net, a } = await joined([2, 3])
    for (let i = 0; i < 288; i++) {
      net.stunDelayMs = new Map([[2, 20 + (i % 7)], [3, 20 + ((i * 3) % 7)]])
      await look(net, a, false)
      await net.clock.run(300_000)
    }
    expect(a.homes).toHaveLength(1)
  })
})

describe('a network without UDP', () => {
  const blocked = (net: MemoryNet): void => void (net.udpBlocked = true)

  it('is measured by HTTPS, and home is the nearest by that', async () => {
    const { net, a } = await joined([2, 3, 4], blocked, { httpsLatency: async ({ RegionID }) => {
      if (RegionID === 4) throw new EngineError('timeout', 'late')
      return { ms: RegionID === 3 ? 20 : 80, family: 4 }
    } })
    expect(a.homes).toEqual([3])
    await net.clock.run(4000)
    expect(a.sock.network().report).toMatchObject({ udp: false, ipv4: true, icmpV4: undefined, regionLatencyMs: new Map([[2, 80], [3, 20]]), httpsLatencyMs: new Map([[2, 80], [3, 20]]) })
    expect(a.netInfos.at(-1)).toMatchObject({ WorkingUDP: false, PreferredDERP: 3, WorkingICMPv4: false })
  })

  it('gives up a home that was only picked for the first measured one', async () => {
    let open = false
    const picked = (await joined([2, 3], blocked)).a.homes[0]!
    const { net, a } = await joined([2, 3], blocked, { httpsLatency: async ({ RegionID }) => {
      if (!open) throw new EngineError('io', 'no way')
      return { ms: RegionID === picked ? 28 : 25, family: 4 }
    } })
    await net.clock.run(4000)
    expect(a.homes).toEqual([picked])
    open = true
    await look(net, a)
    expect(a.homes).toEqual([picked, picked === 2 ? 3 : 2])
  })

  it('asks by ICMP where the system lets it', async () => {
    const asked: string[] = []
    const ports: NetcheckPorts = {
      httpsLatency: async () => ({ ms: 50, family: 4 }),
      icmpLatencies: async (echoes) => {
        asked.push(...echoes.map(({ ip, payload }) => `${ip} ${Buffer.from(payload).toString()}`))
        return echoes.map(({ ip }) => (ip.endsWith('.2') ? 9 : undefined))
      },
    }
    const { net, a } = await joined([2, 3], blocked, ports)
    await net.clock.run(4000)
    expect(asked).toEqual(['203.0.113.2 2a', '203.0.113.3 3a'])
    expect(a.sock.network().report).toMatchObject({ icmpV4: true, regionLatencyMs: new Map([[2, 9], [3, 50]]) })
    expect(a.netInfos.at(-1)).toMatchObject({ WorkingICMPv4: true })
  })

  it('says nothing of ICMP where the system lets nobody ask', async () => {
    const ports: NetcheckPorts = { httpsLatency: async () => ({ ms: 50, family: 4 }), icmpLatencies: () => Promise.reject(new EngineError('access-denied', 'no ping socket')) }
    const { net, a } = await joined([2], blocked, ports)
    await net.clock.run(4000)
    expect(a.sock.network().report).toMatchObject({ icmpV4: undefined, regionLatencyMs: new Map([[2, 50]]) })
  })

  it('tells of a portal, and looks at everything again as long as there is one', async () => {
    let isThere = true
    const { net, a } = await joined([2], blocked, { portal: async () => isThere })
    await net.clock.run(4000)
    expect(a.sock.network().report!.captivePortal).toBe(true)
    isThere = false
    net.udpBlocked = false
    expect((await look(net, a, false)).captivePortal).toBeUndefined()
    expect(runs(a).at(-1)).toMatchObject({ full: true })
  })
})

describe('what port mapping knows', () => {
  it('is in the report and told to control, when it comes and when it changes', async () => {
    const { net, a } = await joined([2])
    a.router = { upnp: true, pmp: false, pcp: false }
    a.sock.onPortMapServices()
    expect(a.netInfos.at(-1)).toMatchObject({ UPnP: true, PMP: false, PCP: false })
    a.sock.onPortMapping({ ip: '198.51.100.77', port: 4242 })
    expect(a.netInfos.at(-1)).toMatchObject({ HavePortMap: true })
    expect(await look(net, a)).toMatchObject({ upnp: true, pmp: false })
    expect(a.netInfos).toHaveLength(3)
  })
})
