/**
 * `login`: how long a person waits who signs in. `login-link`: the administrator's approval is given → Running, for a daemon
 * that waits with its link; then the change of account (switch.ts). Seconds; the approval counts from when the server's command has ended.
 */
import { Lab } from '../interop/lab/lab.ts'
import type { NodeKind } from '../interop/lab/node.ts'
import { requirePeers } from '../interop/lab/peers.ts'
import { waitFor, within } from '../support/wait.ts'
import type { BenchOptions } from './options.ts'
import { compare, print, type Sample } from './row.ts'
import { benchSwitch } from './switch.ts'

/** Brings a node to its link, approves that and resolves with the seconds from there to State = Running on the bus. */
async function linkSeconds(lab: Lab, kind: NodeKind, name: string): Promise<Sample> {
  const node = await lab.add(kind, name)
  const prefs = await node.api.prefs()
  let tell = (atMs: number): void => void atMs
  const running = new Promise<number>((resolve) => (tell = resolve))
  const watch = node.api.watch(2, (notify) => {
    if (notify.State === 6) tell(performance.now())
  })
  await node.api.start({ UpdatePrefs: { ...prefs, ControlURL: lab.headscale.url, Hostname: name, WantRunning: true, LoggedOut: false } })
  await node.api.call('POST', 'login-interactive')
  const link = await waitFor(`a link of ${name}`, async () => (await node.api.status()).AuthURL || undefined, { withinMs: 30_000 })
  await lab.headscale.approve(link)
  const approvedMs = performance.now()
  const runningMs = await within(`${name} to be Running`, 60_000, running)
  watch.stop()
  await node.api.logout()
  await node.stop()
  return { value: (runningMs - approvedMs) / 1000 }
}

async function benchLink({ pairs }: BenchOptions): Promise<void> {
  const lab = new Lab(requirePeers())
  try {
    await lab.start()
    let count = 0
    const one = (kind: NodeKind): Promise<Sample> => linkSeconds(lab, kind, `l${count++}-${kind}`)
    print(await compare({ name: 'login-link', better: 'lower', unit: 's', pairs, ours: () => one('bowline'), peer: () => one('tailscaled') }))
  } catch (error) {
    console.error(lab.logs())
    throw error
  } finally {
    await lab.stop()
  }
}

export async function benchLogin(options: BenchOptions): Promise<void> {
  await benchLink(options)
  await benchSwitch(options)
}
