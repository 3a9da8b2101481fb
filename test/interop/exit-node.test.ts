/**
 * Exit nodes that are real tailscaleds, chosen with the official command and with ours: the same settings as in a real daemon,
 * traffic that arrives at the chosen one and nowhere else, and what becomes of it when that one dies.
 *
 * Nobody answers at the addresses beyond: an exit node writes down whose packets it let through and where to.
 */
import { expect, test } from 'vitest'
import { dialVia, ProxyRefusal } from '../support/proxy-client.ts'
import { runOk } from '../support/child.ts'
import { waitFor } from '../support/wait.ts'
import type { ExitNodesPage } from '../../main/localapi/exit-nodes.ts'
import type { LabNode } from './lab/node.ts'
import { labSuite } from './lab/suite.ts'

const BEYOND = { v4: '198.51.100.7', v6: '2001:db8::7' } as const
const PATIENT = { withinMs: 45_000, everyMs: 100 }
/** It writes down every connection that it is asked for. */
const LOUD = { args: ['--verbose=1'], env: { TS_DEBUG_NETSTACK: 'true' } }
const NODE_FIELDS = ['ExitNodeID', 'ExitNodeIP', 'AutoExitNode', 'InternalExitNodePrior', 'ExitNodeAllowLANAccess'] as const

let ours: LabNode
let stock: LabNode
let exitA: LabNode
let exitB: LabNode
let port = 20_000

async function page(): Promise<ExitNodesPage> {
  return JSON.parse((await ours.bowline('exit-node', '--json')).stdout) as ExitNodesPage
}

async function waitEgress(kind: ExitNodesPage['Egress']['Kind'], name?: string): Promise<ExitNodesPage['Egress']> {
  return waitFor(`the way out to be ${kind} ${name ?? ''}`, async () => {
    const { Egress } = await page()
    if (Egress.Kind !== kind || (name !== undefined && 'Name' in Egress && Egress.Name !== name)) throw new Error(JSON.stringify(Egress))
    return Egress
  }, PATIENT)
}

/** Tries to reach an address beyond until an exit node has written down that it was asked for it. */
async function seenBy(exit: LabNode, kind: 'socks5' | 'http', host: string): Promise<void> {
  const tried: string[] = []
  await waitFor(`${exit.name} to be asked for ${host}`, async () => {
    tried.push(`${host.includes(':') ? `[${host}]` : host}:${port}`)
    const socket = await dialVia(ours.via(kind), host, port++, 1000).catch((error: unknown) => error as Error)
    if (!(socket instanceof Error)) socket.destroy()
    if (tried.some((place) => exit.log.includes(place))) return true
    throw socket instanceof Error ? socket : new Error('it is open, and the exit node knows nothing of it')
  }, PATIENT)
}

/** How often an exit node was asked for anything beyond. */
const seen = (exit: LabNode): number => (exit.log.match(/(198\.51\.100\.7|\[2001:db8::7\]):/g) ?? []).length

async function prefsOf(node: LabNode): Promise<unknown> {
  const prefs = await node.api.prefs()
  return Object.fromEntries(NODE_FIELDS.map((field) => [field, prefs[field] ?? '']))
}

labSuite('exit nodes', {}, async (lab) => {
  ;[ours, stock, exitA, exitB] = await Promise.all([
    lab.join('bowline', 'ours'), lab.join('tailscaled', 'stock'), lab.join('tailscaled', 'exit-a', LOUD), lab.join('tailscaled', 'exit-b', LOUD),
  ])
  for (const exit of [exitA, exitB]) {
    await exit.tailscale('set', '--advertise-exit-node')
    await lab.headscale.approveRoutes((await lab.headscale.node(exit.name)).id, ['0.0.0.0/0', '::/0'])
  }
  for (const node of [ours, stock]) {
    for (const exit of [exitA, exitB]) {
      await node.waitUsable(exit)
      await waitFor(`${node.name} to see that ${exit.name} is an exit node`, async () => (await node.peer(exit.name))?.ExitNodeOption === true, PATIENT)
    }
  }
}, () => {
  test('the official command makes of every wish what it makes of it in a real daemon', async () => {
    const { v4 } = await exitB.ips()
    for (const words of [
      ['set', '--exit-node=exit-a'], ['set', '--exit-node=exit-b.lab.internal', '--exit-node-allow-lan-access'], ['set', `--exit-node=${v4}`, '--exit-node-allow-lan-access=false'],
      ['set', '--exit-node='], ['set', '--exit-node=exit-a'],
      ['set', '--exit-node=nobody'], ['set', '--exit-node=100.64.0.77'], ['set', '--exit-node=stock'], ['set', '--advertise-exit-node'],
      ['exit-node', 'list'], ['exit-node', 'suggest'],
    ]) {
      const [mine, real] = await Promise.all([ours.tailscale(...words), stock.tailscale(...words)])
      const said = ({ code, stdout, stderr }: typeof mine): unknown => ({ code, stdout: stdout.replaceAll(/ +/g, ' '), stderr: stderr.replace(/^Warning: client version .*\n/, '') })
      // Each is its own exit node for itself.
      if (words[1] !== '--exit-node=stock') expect(said(mine), words.join(' ')).toEqual(said(real))
      expect(await prefsOf(ours), words.join(' ')).toEqual(await prefsOf(stock))
    }
    const [mine, real] = [await ours.api.status(), await stock.api.status()] as unknown as Record<string, unknown>[]
    expect(mine!['ExitNodeStatus']).toEqual(real!['ExitNodeStatus'])
    expect((await ours.peer('exit-a'))?.ExitNode).toBe(true)
  })

  test.each(['socks5', 'http'] as const)('traffic through our %s proxy arrives at the chosen exit node, in both families, and at no other', async (kind) => {
    expect((await ours.bowline('exit-node', 'use', 'exit-a')).code).toBe(0)
    const before = seen(exitB)
    await seenBy(exitA, kind, BEYOND.v4)
    await seenBy(exitA, kind, BEYOND.v6)
    expect(seen(exitB)).toBe(before)
    expect((await ours.bowline('exit-node', 'use', 'exit-b')).code).toBe(0)
    await seenBy(exitB, kind, BEYOND.v4)
  })

  test('list and suggest measure both, without a word of the server', async () => {
    const { Nodes } = JSON.parse((await ours.bowline('exit-node', 'list', '--json')).stdout) as ExitNodesPage
    expect(Nodes.map(({ Name }) => Name).toSorted()).toEqual(['exit-a', 'exit-b'])
    for (const { LatencyMs, Unavailable } of Nodes) expect({ LatencyMs, Unavailable }).toEqual({ LatencyMs: expect.any(Number) as unknown, Unavailable: undefined })
    expect((await ours.bowline('exit-node', 'suggest')).stdout).toMatch(/^exit-[ab]: the nearest of 2: /)
  })

  test('one that dies is blocked with its name, nothing goes anywhere else, and it is used again when it is back', async () => {
    expect((await ours.bowline('exit-node', 'use', 'exit-a', '--if-it-fails=block')).code).toBe(0)
    await seenBy(exitA, 'socks5', BEYOND.v4)
    const before = seen(exitB)
    await exitA.stop('kill')
    await dialVia(ours.via(), BEYOND.v4, port++, 1000).catch(() => undefined)
    expect(await waitEgress('blocked', 'exit-a')).toMatchObject({ Why: expect.stringMatching(/^blocked because the exit node exit-a (does not answer|is offline)$/) as unknown })
    await expect(dialVia(ours.via(), BEYOND.v4, port++)).rejects.toBeInstanceOf(ProxyRefusal)
    await expect(dialVia(ours.via(), 'outside.example', 80)).rejects.toBeInstanceOf(ProxyRefusal)
    expect(await runOk('curl', ['-sS', '--proxy', `http://127.0.0.1:${ours.httpPort}`, `http://${BEYOND.v4}/`])).toContain('the exit node exit-a')
    expect((await ours.bowline('status')).stdout).toContain('Traffic to the internet is blocked because the exit node exit-a')
    expect(seen(exitB)).toBe(before)
    await exitA.start()
    await waitEgress('exit', 'exit-a')
    await seenBy(exitA, 'socks5', BEYOND.v4)
  })

  test('an automatic choice goes over to the other one when its own dies, and says why', async () => {
    expect((await ours.tailscale('set', '--exit-node=auto:any')).code).toBe(0)
    const first = await waitEgress('exit') as { Name: string }
    const [dead, alive] = first.Name === 'exit-a' ? [exitA, exitB] : [exitB, exitA]
    await seenBy(dead, 'socks5', BEYOND.v4)
    await dead.stop('kill')
    await dialVia(ours.via(), BEYOND.v4, port++, 1000).catch(() => undefined)
    expect(await waitEgress('exit', alive.name)).toMatchObject({ Why: expect.stringMatching(new RegExp(`^${dead.name} (does not answer|is offline): the only one that answers: `)) as unknown })
    await seenBy(alive, 'socks5', BEYOND.v4)
    expect(await ours.api.prefs()).toMatchObject({ AutoExitNode: 'any', ExitNodeID: (await ours.peer(alive.name))?.ID })
  })
})
