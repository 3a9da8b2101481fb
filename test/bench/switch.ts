/**
 * How long a change of account takes. `switch`: a node with two profiles of one server is told to take the other →
 * State = Running on the bus. `switch-pong`: → first disco pong from a peer of that profile. Seconds, over the LocalAPI.
 */
import { Lab } from '../interop/lab/lab.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { pause, waitFor, within } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'

const PING_EVERY_MS = 10

interface Profile {
  readonly ID: string
}

const profiles = async (node: LabNode): Promise<readonly Profile[]> => JSON.parse((await node.api.call('GET', 'profiles/')).text) as Profile[]
const current = async (node: LabNode): Promise<Profile> => JSON.parse((await node.api.call('GET', 'profiles/current')).text) as Profile

async function switchToOther(node: LabNode): Promise<void> {
  const { ID } = await current(node)
  const other = (await profiles(node)).find((profile) => profile.ID !== ID)
  const { status } = await node.api.call('POST', `profiles/${other?.ID ?? ''}`)
  if (status !== 204) throw new Error(`${node.name}: the switch was answered with ${status}`)
}

/** Seconds from the request to State = Running on the bus. */
async function toRunning(node: LabNode): Promise<number> {
  let tell = (): void => undefined
  let left = false
  const running = new Promise<void>((resolve) => (tell = resolve))
  const watch = node.api.watch(2, ({ State }) => {
    if (State !== 6 && State !== null && State !== undefined) left = true
    if (State === 6 && left) tell()
  })
  await pause(200)
  const startedMs = performance.now()
  await switchToOther(node)
  await within(`${node.name} to be Running`, 60_000, running)
  watch.stop()
  return (performance.now() - startedMs) / 1000
}

/** Seconds from the request to the first disco pong. */
async function toPong(node: LabNode, ip: string): Promise<number> {
  const startedMs = performance.now()
  await switchToOther(node)
  await waitFor('a pong', async () => (await node.api.ping(ip, 'disco')).Err === '', { withinMs: 60_000, everyMs: PING_EVERY_MS })
  return (performance.now() - startedMs) / 1000
}

export async function benchSwitch({ pairs }: BenchOptions): Promise<void> {
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    await lab.headscale.cli('users', 'create', 'bob')
    const anchor = await lab.join('tailscaled', 'anchor')
    const { v4 } = await anchor.ips()
    const withTwo = async (kind: NodeKind, name: string): Promise<LabNode> => {
      const node = await lab.add(kind, name)
      for (const user of ['1', '2']) {
        const { key } = JSON.parse(await lab.headscale.cli('-o', 'json', 'preauthkeys', 'create', '--user', user)) as { key: string }
        const done = await node.tailscale('login', `--login-server=${lab.headscale.url}`, `--auth-key=${key}`, `--hostname=${name}-${user}`, '--timeout=30s')
        if (done.code !== 0) throw new Error(`${name}: ${done.stderr}`)
        await node.waitUsable(anchor)
      }
      return node
    }
    const [ours, peer] = [await withTwo('bowline', 'ours'), await withTwo('tailscaled', 'peer')]
    const sample = async (measure: Promise<number>): Promise<Sample> => {
      const value = await measure
      // The next switch begins from a node at rest.
      await pause(1500)
      return { value }
    }
    print(await compare({ name: 'switch', better: 'lower', unit: 's', pairs, ours: () => sample(toRunning(ours)), peer: () => sample(toRunning(peer)) }))
    print(await compare({ name: 'switch-pong', better: 'lower', unit: 's', pairs, ours: () => sample(toPong(ours, v4)), peer: () => sample(toPong(peer, v4)) }))
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}
