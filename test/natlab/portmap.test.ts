/**
 * Port mapping beside a real miniupnpd: a port by each service, told to others, kept, and given back; and what it is for, a
 * direct path between two networks that could not have one otherwise.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { requirePeers } from '../interop/lab/peers.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { waitFor } from '../support/wait.ts'
import { Miniupnpd, type RouterService } from './miniupnpd.ts'
import { NatLab } from './nat-lab.ts'
import type { Site } from './networks.ts'

const lab = new NatLab(requirePeers())
const routers: Miniupnpd[] = []
let witness: LabNode

/** A node that asks its router. */
const MAPPING = { TS_DISABLE_PORTMAPPER: 'false' }

beforeAll(async () => {
  await lab.start()
  witness = await lab.join('tailscaled', 'witness', 'public')
}, 60_000)
afterAll(async () => {
  await Promise.all(routers.map((router) => router.kill()))
  await lab.stop()
}, 60_000)
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs(), ...routers.map(({ log }) => log.slice(-4000)))
})

interface Mapped {
  readonly node: LabNode
  readonly router: Miniupnpd
  readonly site: Site
  /** The node's own address. */
  readonly ip: string
}

async function join(kind: NodeKind, name: string, services: readonly RouterService[], maxLifetimeSec?: number): Promise<Mapped> {
  const site = await lab.networks.add('hard')
  const router = new Miniupnpd({ site, networks: lab.networks, folder: lab.folder, services, ...(maxLifetimeSec === undefined ? {} : { maxLifetimeSec }) })
  routers.push(router)
  await router.start()
  const ip = /inet ([\d.]+)/.exec(await site.ip('-4', '-o', 'addr', 'show', 'dev', 'eth0'))![1]!
  return { node: await lab.join(kind, name, site, { env: MAPPING }), router, site, ip }
}

interface Told {
  readonly Name: string
  readonly Endpoints?: readonly string[]
  readonly Hostinfo?: { readonly NetInfo?: Readonly<Record<string, unknown>> }
}

/** A node as the server told the others. */
async function told(name: string): Promise<Told | undefined> {
  const { Peers } = JSON.parse((await witness.tailscale('debug', 'netmap')).stdout) as { Peers: readonly Told[] | null }
  return Peers?.find((peer) => peer.Name.startsWith(`${name}.`))
}

/** Waits until the others are told of an address at the router's; answers its port. */
function toldPort({ node, router }: Mapped): Promise<number> {
  return waitFor(`the others to be told of a port of ${router.outerIp}`, async () => {
    const addresses = (await told(node.name))?.Endpoints ?? []
    const address = addresses.find((one) => one.startsWith(`${router.outerIp}:`))
    if (address === undefined) throw new Error(`they are told of ${addresses.join(', ')}`)
    return Number(address.split(':')[1])
  }, { withinMs: 60_000, everyMs: 250 })
}

/** Waits until the node itself has, or has not, an address at the router's. */
function ownAddress({ node, router }: Mapped, isThere: boolean): Promise<boolean> {
  return waitFor(`${node.name} to ${isThere ? 'have' : 'lose'} a port of ${router.outerIp}`, async () => {
    const addresses = (await node.api.status()).Self?.Addrs ?? []
    if (addresses.some((one) => one.startsWith(`${router.outerIp}:`)) !== isThere) throw new Error(`it has ${addresses.join(', ')}`)
    return true
  }, { withinMs: 60_000, everyMs: 100 })
}

const mappedPorts = ({ router }: Mapped, count: number): Promise<string[]> => waitFor(`the router to pass on ${count} ports`, async () => {
  const mappings = await router.mappings()
  if (mappings.length !== count) throw new Error(`it passes on ${mappings.join(', ')}`)
  return mappings
}, { withinMs: 60_000, everyMs: 100 })

describe('a port of the router', () => {
  test.each<[RouterService, string]>([['pmp', 'PMP'], ['pcp', 'PCP'], ['upnp', 'UPnP']])('is got by %s alone, told to others, and given back at the end', { timeout: 240_000 }, async (service, field) => {
    const mapped = await join('bowline', `by-${service}`, [service], 20)
    const { node, router } = mapped
    const port = await toldPort(mapped)
    expect(await router.mappings()).toEqual([`${port} → ${mapped.ip}:${node.udpPort}`])
    await waitFor('the others to be told what the router offers', async () => {
      const info = (await told(node.name))?.Hostinfo?.NetInfo ?? {}
      if (info[field] !== true || info['HavePortMap'] !== true) throw new Error(JSON.stringify(info))
      return true
    }, { withinMs: 60_000, everyMs: 250 })
    // Only PCP gives no more than the 20 s that this router allows.
    if (service === 'pcp') await waitFor('a renewal', async () => (await node.bowline('debug', 'journal')).stdout.includes('half of its life is over'), { withinMs: 60_000, everyMs: 500 })
    expect((await node.bowline('netcheck')).stdout).toMatch(new RegExp(`Port mapping +\\S+: the router gave ${router.outerIp}:${port} by`))
    const trial = await node.tailscale('debug', 'portmap', `--type=${service}`)
    expect(trial.stdout).toContain(`mapping: ${router.outerIp}:`)
    expect(await router.mappings()).toEqual([`${port} → ${mapped.ip}:${node.udpPort}`])
    await node.stop()
    await mappedPorts(mapped, 0)
  })
})

describe('behind a router that gives each destination another port', () => {
  let mapped: Mapped
  let theirs: LabNode
  let far: LabNode

  beforeAll(async () => {
    mapped = await join('bowline', 'ours', ['pmp', 'pcp', 'upnp'])
    const beside = await lab.networks.addBeside(mapped.site)
    ;[theirs, far] = await Promise.all([lab.join('tailscaled', 'theirs', beside, { env: MAPPING }), lab.join('tailscaled', 'far', 'hard')])
  }, 120_000)

  test('a node is direct with another one behind such a router, as a tailscaled beside it is, while one without a port is relayed', { timeout: 240_000 }, async () => {
    const plain = await lab.join('bowline', 'plain', await lab.networks.addBeside(mapped.site))
    await toldPort(mapped)
    await mappedPorts(mapped, 2)
    const { v4 } = await far.ips()
    const traffic = setInterval(() => void plain.api.ping(v4, 'TSMP').catch(() => {}), 1000)
    await plain.waitUsable(far)
    await Promise.all([mapped.node.waitDirect(far, 60_000), theirs.waitDirect(far, 60_000)])
    clearInterval(traffic)
    expect(await plain.peer('far')).toMatchObject({ CurAddr: '' })
    expect((await far.waitDirect(mapped.node, 60_000)).Endpoint).toMatch(new RegExp(`^${mapped.router.outerIp}:`))
    // It was told not to ask.
    expect(await mapped.router.mappings()).toHaveLength(2)
    await plain.stop()
  })

  test('the port is asked for again when the router started anew', { timeout: 240_000 }, async () => {
    await mapped.router.kill()
    await mapped.router.run()
    expect(await mapped.router.mappings()).toEqual([])
    await waitFor('the port to be passed on again', async () => {
      await mapped.node.bowline('netcheck')
      return (await mapped.router.mappings()).some((one) => one.includes(mapped.ip))
    }, { withinMs: 60_000, everyMs: 500 })
    await ownAddress(mapped, true)
  })

  test('the port is given back by a person who goes offline, and asked for again after', { timeout: 240_000 }, async () => {
    const ours = async (): Promise<number> => (await mapped.router.mappings()).filter((one) => one.includes(mapped.ip)).length
    expect((await mapped.node.bowline('down')).code).toBe(0)
    await waitFor('the router to have its port back', async () => (await ours()) === 0, { withinMs: 60_000 })
    expect((await mapped.node.bowline('up')).code).toBe(0)
    await waitFor('the router to pass on a port', async () => (await ours()) === 1, { withinMs: 60_000 })
    await ownAddress(mapped, true)
  })

  test('the address is forgotten with the way to the router, and got again with it', { timeout: 240_000 }, async () => {
    const route = (await mapped.site.ip('route', 'show', 'default')).trim().split(/\s+/)
    await mapped.site.ip('route', 'del', 'default')
    await ownAddress(mapped, false)
    await mapped.site.ip('route', 'add', ...route)
    await ownAddress(mapped, true)
  })
})
