/**
 * How long after a server's message a node shows its effect. The message's time is the time at which Headscale wrote it
 * down; the effect's time is when the node's LocalAPI (or traffic) shows it. Both are wall clock on one machine.
 */
import { waitFor } from '../../support/wait.ts'
import type { SentMessage } from './headscale.ts'
import type { Lab } from './lab.ts'
import type { LabNode } from './node.ts'
import type { Status } from './local-api.ts'

/** Resolves with the time of the first message to `node` after `sinceMs` that `matches`, as wall clock ms. */
export async function messageTime(lab: Lab, node: LabNode, sinceMs: number, matches: (text: string, body: SentMessage['body']) => boolean): Promise<number> {
  const { id } = await lab.headscale.node(node.name)
  return waitFor(
    `a matching message from Headscale to ${node.name}`,
    () => lab.headscale.sentTo(id, sinceMs).find((message) => matches(JSON.stringify(message.body), message.body))?.atMs,
    { withinMs: 15_000, everyMs: 50 },
  )
}

/**
 * Makes a change and measures how long after the matching message the node's status shows it, in ms (negative when the
 * file's time is later than what it describes). `matches` sees the message as JSON text.
 */
export async function delayUntilSeen(
  lab: Lab,
  node: LabNode,
  change: () => Promise<unknown>,
  matches: (text: string, body: SentMessage['body']) => boolean,
  isSeen: (status: Status) => boolean,
): Promise<number> {
  const { id } = await lab.headscale.node(node.name)
  const sinceMs = Date.now()
  const seen = waitFor(
    `${node.name} to show the change`,
    async () => (isSeen(await node.api.status()) ? Date.now() : undefined),
    { withinMs: 30_000, everyMs: 10 },
  )
  // The failure of the change itself is the better message.
  seen.catch(() => undefined)
  await change()
  const seenMs = await seen
  const message = lab.headscale.sentTo(id, sinceMs - 10).find(({ body }) => matches(JSON.stringify(body), body))
  if (message === undefined) throw new Error(`no message to ${node.name} matches what it shows`)
  return seenMs - message.atMs
}

/** Whether a message gives that peer that home relay. */
export function givesHome(body: SentMessage['body'], peerId: number, region: number): boolean {
  const whole = [body['Peers'], body['PeersChanged']].flatMap((list) => (list ?? []) as { ID: number; HomeDERP?: number }[])
  const patches = (body['PeersChangedPatch'] ?? []) as { NodeID: number; DERPRegion?: number }[]
  return whole.some((peer) => peer.ID === peerId && peer.HomeDERP === region) || patches.some((patch) => patch.NodeID === peerId && patch.DERPRegion === region)
}

/** The peer with that first label in a status. */
export function peerIn(status: Status, name: string): NonNullable<Status['Peer']>[string] | undefined {
  return Object.values(status.Peer ?? {}).find((peer) => peer.DNSName.split('.')[0] === name)
}
