/**
 * How long two nodes take to find the direct path between them, and the ways to see it that all tests of paths share.
 */
import type { LabNode } from '../interop/lab/node.ts'
import { pause, waitFor } from '../support/wait.ts'

/** Gap between packets of the traffic that makes a node look for a path. */
const TRAFFIC_EVERY_MS = 250

/** Resolves when both have the other in their map, with a relay. What an unknown peer says is dropped. */
export async function waitKnowEachOther(one: LabNode, other: LabNode): Promise<void> {
  for (const [from, to] of [[one, other], [other, one]] as const) {
    await waitFor(`${from.name} to know ${to.name}`, async () => ((await from.peer(to.name))?.Relay ?? '') !== '', { withinMs: 60_000, everyMs: 100 })
  }
}

/**
 * Milliseconds from the first packet until `from` uses a direct path to `to`; undefined when it does not within `giveUpMs`.
 * Nobody must have sent anything yet.
 */
export async function timeToDirect(from: LabNode, to: LabNode, giveUpMs: number): Promise<number | undefined> {
  const { v4 } = await to.ips()
  await waitKnowEachOther(from, to)
  const startedMs = performance.now()
  // Real packets through the tunnel make the node look for a path; a ping with nothing behind it is not the same.
  const send = (): void => void from.api.ping(v4, 'TSMP').catch(() => undefined)
  const traffic = setInterval(send, TRAFFIC_EVERY_MS)
  send()
  try {
    for (;;) {
      const isDirect = ((await from.peer(to.name))?.CurAddr ?? '') !== ''
      const tookMs = performance.now() - startedMs
      if (isDirect) return tookMs
      if (tookMs >= giveUpMs) return undefined
      // A look costs both programs work: often at first, seldom once it is late anyway.
      await pause(tookMs < 500 ? 10 : tookMs < 2000 ? 40 : 100)
    }
  } finally {
    clearInterval(traffic)
  }
}

/** Waits until a node has learnt its address on the internet, as nodes that meet have in general. */
export async function waitKnowsItself(node: LabNode, address: string): Promise<void> {
  await waitFor(
    `${node.name} to know its outer address ${address}`,
    async () => (await node.api.status()).Self.Addrs?.some((addr) => addr.startsWith(`${address}:`) || addr.startsWith(`[${address}]:`)),
    { withinMs: 60_000, everyMs: 100 },
  )
}

/** Milliseconds until the first answer to a packet sent from now on, with a packet every few ms; undefined without any in time. */
export async function timeToAnswer(from: LabNode, ip: string, giveUpMs: number, everyMs = 25): Promise<number | undefined> {
  const startedMs = performance.now()
  let answeredMs: number | undefined
  while (answeredMs === undefined && performance.now() - startedMs < giveUpMs) {
    const noteAnswer = ({ Err }: { Err: string }): void => {
      if (Err === '') answeredMs ??= performance.now() - startedMs
    }
    from.api.ping(ip, 'TSMP').then(noteAnswer, () => undefined)
    await pause(everyMs)
  }
  return answeredMs
}
