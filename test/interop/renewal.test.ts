/**
 * Renewing a sign-in under traffic, on real Headscale and with a real peer: a transfer and a ping that run meanwhile go on.
 */
import { expect, test } from 'vitest'
import { pause, waitFor } from '../support/wait.ts'
import type { Lab } from './lab/lab.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

/** How often a ping goes out. */
const PING_EVERY_MS = 50
const TRANSFER_BYTES = 400_000_000

/** Pings through the tunnel until it is stopped, and tells how many were sent and which were not answered. */
function pings(from: LabNode, ip: string): { stop(): Promise<{ sent: number; lost: string[]; slowestMs: number }> } {
  let running = true
  let slowestMs = 0
  const lost: string[] = []
  const asked: Promise<void>[] = []
  const startedMs = performance.now()
  const loop = (async () => {
    while (running) {
      const sentMs = performance.now()
      asked.push(from.api.ping(ip, 'ICMP').then(
        ({ Err }) => {
          if (Err === '') slowestMs = Math.max(slowestMs, performance.now() - sentMs)
          else lost.push(`after ${Math.round(sentMs - startedMs)} ms: ${Err}`)
        },
        (error: unknown) => void lost.push(String(error)),
      ))
      await pause(PING_EVERY_MS)
    }
  })()
  return {
    async stop() {
      running = false
      await loop
      await Promise.all(asked)
      return { sent: asked.length, lost, slowestMs }
    },
  }
}

/** Renews the sign-in of a running node by a link that the administrator approves; resolves when the new key is in force. */
async function renew(lab: Lab, node: LabNode): Promise<void> {
  const before = (await node.api.status()).Self.PublicKey
  await node.api.call('POST', 'login-interactive')
  const link = await waitFor('a link', async () => (await node.api.status()).AuthURL || undefined, { withinMs: 20_000 })
  await lab.headscale.approve(link)
  await waitFor('the new key', async () => {
    const { BackendState, Self } = await node.api.status()
    return BackendState === 'Running' && Self.PublicKey !== before
  }, { withinMs: 30_000 })
}

/** Resolves when pings through the tunnel are answered at once: both ends have agreed on one session. */
async function warm(from: LabNode, ip: string): Promise<void> {
  let inARow = 0
  await waitFor(`steady answers to ${from.name}`, async () => {
    inARow = (await from.api.ping(ip, 'ICMP')).Err === '' ? inARow + 1 : 0
    return inARow >= 5
  }, { withinMs: 60_000 })
}

const RELAYED = { TS_DEBUG_ALWAYS_USE_DERP: 'true' }

for (const [kind, way] of [['tailscaled', 'direct'], ['bowline', 'direct'], ['tailscaled', 'relayed'], ['bowline', 'relayed']] as const) {
  let ours: LabNode
  let peer: LabNode
  labSuite(`a renewal under ${way} traffic with ${kind === 'tailscaled' ? 'a real peer' : 'one of our own'}`, { relays: 'derper' }, async (lab) => {
    const options = way === 'relayed' ? { env: RELAYED } : {}
    ;[ours, peer] = await Promise.all([lab.join('bowline', 'ours', options), lab.join(kind, 'peer', options)])
    await Promise.all([way === 'direct' ? ours.waitDirect(peer) : ours.waitUsable(peer), peer.waitUsable(ours)])
  }, (lab) => {
    test('no byte is lost, and at most the ping of the moment when the server told the peer before us', async () => {
      const [mine, theirs] = [await ours.ips(), await peer.ips()]
      await Promise.all([warm(ours, theirs.v4), warm(peer, mine.v4)])
      // At full speed a relay drops what it cannot queue at any time, and a stock peer that sends what waits for a handshake.
      const transfer = way === 'direct' ? lab().transfer('put', ours.via(), theirs.v4, TRANSFER_BYTES) : pause(5000)
      const [out, back] = [pings(ours, theirs.v4), pings(peer, mine.v4)]
      await pause(500)
      await renew(lab(), ours)
      const moved = await transfer
      const [sent, received] = await Promise.all([out.stop(), back.stop()])
      expect(sent.lost.length, sent.lost.join()).toBeLessThanOrEqual(1)
      expect(received.lost.length, received.lost.join()).toBeLessThanOrEqual(1)
      if (moved) expect(moved.sha256).toBe(moved.expected)
      expect(sent.sent).toBeGreaterThan(20)
    }, 120_000)
  })
}
