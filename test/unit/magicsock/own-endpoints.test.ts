/**
 * When a whole Magicsock tells its addresses, and which.
 */
import { beforeEach, expect, it } from 'vitest'
import { derpMap, MemoryNet, type MemoryNode } from './two-nodes.ts'

let net: MemoryNet
let node: MemoryNode
beforeEach(() => {
  net = new MemoryNet()
  node = net.node('10.0.0.1', 1)
})

const told = (): string[] => (node.endpoints.at(-1) ?? []).map(({ addr, type }) => `${type} ${addr}`)

it('waits with the first list until a relay has answered, whatever else is known', async () => {
  node.sock.setStaticEndpoints(['198.51.100.1:41641'])
  node.sock.onPortMapping({ ip: '198.51.100.2', port: 5000 })
  node.join(derpMap(2), [])
  expect(node.endpoints).toEqual([])
  await net.clock.run(1000)
  expect(told()).toEqual(['3 198.51.100.2:5000', '2 10.0.0.1:41641', '5 198.51.100.1:41641'])
})

it('tells what it has when the map names no relay: nobody will answer', async () => {
  node.join({ Regions: {} }, [])
  expect(told()).toEqual(['1 10.0.0.1:41641'])
  node.sock.setStaticEndpoints(['198.51.100.1:41641'])
  expect(told()).toEqual(['5 198.51.100.1:41641', '1 10.0.0.1:41641'])
})

it('follows what the router gives and what a person writes', async () => {
  node.join(derpMap(2), [])
  await net.clock.run(1000)
  node.sock.onPortMapping({ ip: '198.51.100.2', port: 5000 })
  expect(told()[0]).toBe('3 198.51.100.2:5000')
  node.sock.onPortMapping(undefined)
  node.sock.setStaticEndpoints(['198.51.100.1:41641'])
  expect(told()).toEqual(['2 10.0.0.1:41641', '5 198.51.100.1:41641'])
  expect(node.netInfos.map((info) => info.HavePortMap)).toContain(true)
  expect(node.netInfos.at(-1)?.HavePortMap).toBeUndefined()
})

it('goes on telling an outer address for a while when nobody answers any more, but not on another network', async () => {
  node.join(derpMap(2), [])
  await net.clock.run(1000)
  expect(told()).toEqual(['2 10.0.0.1:41641'])
  net.deafRegions.add(2)
  const look = node.sock.netcheck()
  await net.clock.run(10_000)
  await look
  expect(told()).toContain('2 10.0.0.1:41641')
  node.sock.handleNetworkChange('another network', true)
  await net.clock.run(10_000)
  expect(told()).toEqual(['1 10.0.0.1:41641'])
})
