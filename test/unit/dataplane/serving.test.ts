/**
 * Other machines through the data plane: served, counted, and ended with the configuration that offered them. Real packet
 * threads on loopback; an address of this machine on some network stands for another machine.
 */
import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterEach, expect, test } from 'vitest'
import { allowTcp, configOf, connectDirect, startNode } from './pair.ts'
import type { TestNode } from './pair.ts'

const HERE = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address
const stops: (() => void)[] = []
afterEach(() => {
  for (const stop of stops.splice(0).toReversed()) stop()
})

function node(name: string): TestNode {
  const made = startNode(name)
  stops.push(() => made.plane.stop())
  return made
}

test.skipIf(HERE === undefined)('a connection to an offered address is made, counted, and cut with the offer', async () => {
  const [client, router] = [node('client'), node('router')]
  const server = createServer((socket) => socket.on('error', () => {}).pipe(socket)).listen(0, HERE)
  await once(server, 'listening')
  stops.push(() => server.close())
  const { port } = server.address() as AddressInfo
  const known = configOf(client, [router], [])
  client.plane.setConfig({ ...known, peers: known.peers.map((peer) => ({ ...peer, routes: [...peer.routes, `${HERE}/32`], allowedSources: [...peer.allowedSources, `${HERE}/32`] })) })
  const without = configOf(router, [client], allowTcp(port))
  router.plane.setConfig({ ...without, filter: { ...without.filter, localNets: [...without.filter.localNets, `${HERE}/32`] } })
  connectDirect(client, router)
  const socket = await client.plane.dial(HERE!, port, 30_000)
  stops.push(() => socket.destroy())
  socket.on('error', () => {}).write('there and back')
  expect(String((await once(socket, 'data'))[0])).toBe('there and back')
  expect(router.plane.served()).toEqual([{ from: client.ip, to: HERE, tcp: 1, udp: 0 }])
  router.plane.setConfig(without)
  socket.resume()
  await once(socket, 'close')
  expect(router.plane.served()).toEqual([])
  await expect(client.plane.dial(HERE!, port, 1_000)).rejects.toThrow()
  // An answer to no echo request is nobody's.
  router.plane.answerEcho(7, true)
})
