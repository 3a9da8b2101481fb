/**
 * Others go through us, without a privilege: a real tailscaled as the client of our subnet router and of our exit node, by TCP,
 * UDP and ping, with the server's approval and rules in force. This machine's own address on its network stands for a network
 * behind us. What an exit node keeps from its clients is looked at in test/natlab and native/netstack/tests/serving.rs.
 */
import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { once } from 'node:events'
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RoutesPage } from '../../main/localapi/routes.ts'
import { dialVia } from '../support/proxy-client.ts'
import { SocksUdp } from '../support/socks-udp.ts'
import { waitFor } from '../support/wait.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { echoOnce } from './lab/services.ts'
import { labSuite } from './lab/suite.ts'

const HERE = Object.values(networkInterfaces()).flat().find((one) => one?.family === 'IPv4' && !one.internal)?.address
const SUBNET = `${HERE}/32`
const EXIT = ['0.0.0.0/0', '::/0']
const FLOWS = 300
const PATIENCE_MS = 30_000
const isPrivate = /^(10|192\.168|172\.(1[6-9]|2\d|3[01])|100\.(6[4-9]|[7-9]\d|1[01]\d|12[0-7]))\./.test(HERE ?? '')

let ours: LabNode
let client: LabNode
let tcp: Server
let udp: UdpSocket
let tcpPort = 0
let udpPort = 0
const accepted = new Set<Socket>()

beforeAll(async () => {
  if (HERE === undefined) return
  tcp = createServer((socket) => {
    accepted.add(socket)
    socket.on('error', () => socket.destroy())
    socket.once('close', () => accepted.delete(socket))
    socket.pipe(socket)
  })
  tcp.listen(0, HERE)
  udp = createSocket('udp4')
  udp.on('message', (bytes, from) => udp.send(bytes, from.port, from.address))
  udp.bind(0, HERE)
  await Promise.all([once(tcp, 'listening'), once(udp, 'listening')])
  tcpPort = (tcp.address() as AddressInfo).port
  udpPort = udp.address().port
})

afterAll(() => {
  for (const socket of accepted) socket.destroy()
  tcp?.close()
  udp?.close()
})

async function page(): Promise<RoutesPage> {
  return JSON.parse((await ours.bowline('routes', '--json')).stdout) as RoutesPage
}

async function approve(lab: Lab, routes: readonly string[]): Promise<void> {
  const { id } = await lab.headscale.node('ours')
  await lab.headscale.approveRoutes(Number(id), routes)
}

const flows = async (): Promise<number> => (await page()).Offered.reduce((sum, { Flows }) => sum + Flows, 0)

/** Whether a connection of the client comes by us: without a way by us it would be made past the tunnel, on this one machine. */
async function comesByUs(): Promise<boolean> {
  const socket = await dialVia(client.via(), HERE!, tcpPort, 3000).catch(() => undefined)
  if (!socket) return false
  try {
    return await waitFor('it to be counted', async () => (await flows()) > 0, { withinMs: 2500 }).catch(() => false)
  } finally {
    socket.destroy()
  }
}
const approved = async (): Promise<boolean> => (await page()).Offered.every(({ Approved }) => Approved)

labSuite('what we offer others', {}, async (lab) => {
  ;[ours, client] = await Promise.all([lab.join('bowline', 'ours'), lab.join('tailscaled', 'client')])
  await Promise.all([ours.waitUsable(client), client.waitUsable(ours)])
  await client.api.patchPrefs({ RouteAll: true, RouteAllSet: true })
}, (lab) => describe.skipIf(HERE === undefined)('a network behind us', () => {
  test('waits for approval, which is said at once with what an admin types, and is then in use', async () => {
    const said = await ours.bowline('set', `--advertise-routes=${SUBNET}`)
    expect(said.stderr).toContain(`Nobody uses ${SUBNET} before it is approved`)
    expect(said.stderr).toContain('headscale nodes approve-routes')
    expect(await page()).toMatchObject({ Offered: [{ Prefix: SUBNET, Approved: false, Primary: false, Flows: 0 }] })
    await waitFor('Headscale to hear of it', async () => JSON.stringify(await lab().headscale.node('ours')).includes(SUBNET), { withinMs: PATIENCE_MS })
    await approve(lab(), [SUBNET])
    await waitFor('our own node to say so', approved, { withinMs: PATIENCE_MS })
    await waitFor('a connection through us', comesByUs, { withinMs: PATIENCE_MS })
    expect(await page()).toMatchObject({ Offered: [{ Prefix: SUBNET, Approved: true, Primary: true }] })
  })

  test('is reached by datagrams of any size', async () => {
    const through = await SocksUdp.open(client.socksPort)
    try {
      for (const size of [1, 1200, 8000]) {
        const payload = Uint8Array.from({ length: size }, (_, i) => (i * 31) & 255)
        const answer = await waitFor(`an answer of ${size} B`, () => through.ask(HERE!, udpPort, payload, 3000), { withinMs: PATIENCE_MS })
        expect(Buffer.from(answer).equals(payload)).toBe(true)
      }
    } finally {
      through.close()
    }
  })

  test('answers ping through us', async () => {
    await waitFor('a ping', async () => (await client.tailscale('ping', '--icmp', '-c', '1', '--timeout', '3s', HERE!)).stdout.includes('via ICMP'), { withinMs: PATIENCE_MS })
  })

  test('refuses what it refuses, at once', async () => {
    const free = createServer()
    free.listen(0, HERE)
    await once(free, 'listening')
    const { port } = free.address() as AddressInfo
    free.close()
    await once(free, 'close')
    await expect(dialVia(client.via(), HERE!, port, PATIENCE_MS)).rejects.toThrow(/refus|reply 5|reply 1|connect/i)
  })

  test(`carries ${FLOWS} connections at once, which are counted, and ends them with the rule that let them in`, async () => {
    const open = await Promise.all(Array.from({ length: FLOWS }, () => dialVia(client.via(), HERE!, tcpPort, PATIENCE_MS)))
    for (const socket of open) socket.on('error', () => socket.destroy()).resume()
    await waitFor('all to be counted', async () => (await page()).Offered[0]!.Flows >= FLOWS, { withinMs: PATIENCE_MS })
    await echoOnce(client.via(), HERE!, tcpPort, PATIENCE_MS)
    const { v4 } = await ours.ips()
    await lab().headscale.setPolicy({ acls: [{ action: 'accept', src: ['*'], dst: [`${v4}:*`] }] })
    await waitFor('all to be cut', () => accepted.size === 0, { withinMs: PATIENCE_MS })
    // One that is still counted would be taken for the new one.
    await waitFor('none to be counted', async () => (await flows()) === 0, { withinMs: PATIENCE_MS })
    expect(await comesByUs()).toBe(false)
    for (const socket of open) socket.destroy()
    await lab().headscale.setPolicy({ acls: [{ action: 'accept', src: ['*'], dst: ['*:*'] }] })
    await waitFor('a connection again', comesByUs, { withinMs: PATIENCE_MS })
  })

  test('the way to the internet leads to our own address when that is public, and nowhere without approval', async () => {
    const { v4 } = await ours.ips()
    await ours.bowline('set', '--advertise-routes=', '--advertise-exit-node')
    await waitFor('Headscale to hear of it', async () => JSON.stringify(await lab().headscale.node('ours')).includes('::/0'), { withinMs: PATIENCE_MS })
    await approve(lab(), EXIT)
    await waitFor('our own node to say so', approved, { withinMs: PATIENCE_MS })
    expect((await page()).Offered.map(({ Prefix, Primary }) => [Prefix, Primary])).toEqual(EXIT.map((prefix) => [prefix, true]))
    await waitFor('the exit node to be taken', async () => (await client.tailscale('set', `--exit-node=${v4}`)).code === 0, { withinMs: PATIENCE_MS })
    if (isPrivate) expect(await comesByUs()).toBe(false)
    else await waitFor('a connection through us', comesByUs, { withinMs: PATIENCE_MS })
    await approve(lab(), [])
    await waitFor('our own node to say so', async () => !(await approved()), { withinMs: PATIENCE_MS })
    expect(await comesByUs()).toBe(false)
  })
}))
