/**
 * `connect`: how long a node takes to be there. `connect-fresh`: a running daemon is given an auth key → Running.
 * `connect-restart`: a daemon with saved state is started → first disco pong from a peer. Seconds, over the LocalAPI on
 * both sides, with the same requests that the official command makes.
 */
import { Lab } from '../interop/lab/lab.ts'
import type { LabNode, NodeKind } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { pause, within } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'

/** How often the first pong is asked for, in ms. */
const PING_EVERY_MS = 20

/** Resolves with the seconds from the login request to State = Running on the bus. */
async function loginSeconds(lab: Lab, node: LabNode): Promise<number> {
  const key = await lab.headscale.authKey({ ephemeral: true })
  const prefs = await node.api.prefs()
  let tell = (): void => undefined
  const running = new Promise<void>((resolve) => (tell = resolve))
  const watch = node.api.watch(2, (notify) => {
    if (notify.State === 6) tell()
  })
  const startedMs = performance.now()
  const updated = { ...prefs, ControlURL: lab.headscale.url, Hostname: node.name, WantRunning: true, LoggedOut: false }
  await node.api.start({ AuthKey: key, UpdatePrefs: updated })
  await node.api.call('POST', 'login-interactive')
  await within(`${node.name} to be Running`, 60_000, running)
  watch.stop()
  return (performance.now() - startedMs) / 1000
}

/** Starts a stopped node and resolves with the seconds to its first disco pong from `ip`. */
async function restartSeconds(node: LabNode, ip: string): Promise<number> {
  const startedMs = performance.now()
  let pongMs = 0
  const started = node.start()
  const asking: Promise<void>[] = []
  while (pongMs === 0 && performance.now() - startedMs < 60_000) {
    asking.push(
      node.api.ping(ip, 'disco').then(
        ({ Err }) => {
          if (Err === '') pongMs ||= performance.now()
        },
        () => undefined,
      ),
    )
    await pause(PING_EVERY_MS)
  }
  await started
  await Promise.all(asking)
  if (pongMs === 0) throw new Error(`${node.name}: no pong after its restart`)
  return (pongMs - startedMs) / 1000
}

export async function benchConnect({ pairs }: BenchOptions): Promise<void> {
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    const anchor = await lab.join('tailscaled', 'anchor')
    const { v4 } = await anchor.ips()
    let count = 0
    const fresh = async (kind: NodeKind): Promise<Sample> => {
      const node = await lab.add(kind, `f${count++}-${kind}`)
      const value = await loginSeconds(lab, node)
      await node.api.logout()
      await node.stop()
      return { value }
    }
    print(await compare({ name: 'connect-fresh', better: 'lower', unit: 's', pairs, ours: () => fresh('bowline'), peer: () => fresh('tailscaled') }))

    const [ours, peer] = [await lab.join('bowline', 'ours'), await lab.join('tailscaled', 'peer')]
    await Promise.all([ours.waitUsable(anchor), peer.waitUsable(anchor)])
    const again = async (node: LabNode): Promise<Sample> => {
      await node.stop()
      // The peer's view of the old session must not help: the server sees the node leave first.
      await pause(1000)
      return { value: await restartSeconds(node, v4) }
    }
    print(await compare({ name: 'connect-restart', better: 'lower', unit: 's', pairs, ours: () => again(ours), peer: () => again(peer) }))
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}
