/**
 * The demo tailnet for tests of the window: real engines, real sign-in page, a gate that holds direct traffic back.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startEngine } from '../../main/engine/daemon.ts'
import { DemoNetwork, PEERS, type DemoEngine, type PeerName } from '../sim/demo/demo-network.ts'

export interface DemoLab {
  readonly network: DemoNetwork
  readonly folder: string
  /** The socket of the person's engine, signed out at first. */
  readonly socketPath: string
  /** The engine of another device. */
  peer(name: PeerName): DemoEngine
  /** Ends the person's engine. */
  stopEngine(): Promise<void>
  /** Starts it again with the state it had. */
  startEngine(): Promise<void>
  /** Signs the person's engine in with an auth key. */
  signIn(login: string): Promise<void>
  /** The last lines that the engines logged, for a failed test. */
  lines(): string
  stop(): Promise<void>
}

/** In the lab's folder: a device policy of the person's engine, once somebody writes it. */
export const POLICY_FILE = 'policy.json'

/** Starts the network with its four peers, and one engine that is signed out. */
export async function startDemoLab(): Promise<DemoLab> {
  const folder = mkdtempSync(join(tmpdir(), 'bowline-e2e-'))
  const lines: string[] = []
  const network = new DemoNetwork({
    folder,
    startEngine: (options) => startEngine(options.stateDir === join(folder, 'you') ? { ...options, policyPath: join(folder, POLICY_FILE) } : options),
    log: (name, line) => {
      lines.push(`${name}: ${line}`)
      if (lines.length > 60) lines.shift()
    },
  })
  await network.start()
  const peers = new Map<PeerName, DemoEngine>()
  for (const name of PEERS) peers.set(name, await network.startPeer(name))
  let engine = await network.startEngine('you', true)
  await engine.api.call('editPrefs', { body: { Hostname: 'my-computer', HostnameSet: true } })
  return {
    network, folder, socketPath: engine.socketPath,
    peer: (name) => peers.get(name)!,
    stopEngine: () => engine.stop(),
    startEngine: async () => {
      engine = await network.startEngine('you', true)
    },
    signIn: async (login) => {
      const fields = { ControlURL: network.control.url, WantRunning: true, Hostname: 'my-computer' }
      await engine.api.call('start', { body: { AuthKey: network.control.createAuthKey({ login }), UpdatePrefs: fields } })
    },
    lines: () => lines.join('\n'),
    stop: async () => {
      await network.stop()
      rmSync(folder, { recursive: true, force: true, maxRetries: 3 })
    },
  }
}
