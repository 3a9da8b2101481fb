/**
 * Exit nodes in the real world: what the world sees of a client, and what leaves its host beside the tunnel. The client is
 * ours in userspace mode, the exit nodes are tailscaleds.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { LabNode } from '../interop/lab/node.ts'
import type { ExitProof } from '../../main/localapi/exit-nodes.ts'
import { waitFor } from '../support/wait.ts'
import { EgressLab, MIRROR, PORT, WEB_PORT, type Guarded, type Place } from './egress-lab.ts'
import type { Attempt, Outcome } from './visitor.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
const lab = new EgressLab()
let client: Guarded
let home: Place
let printer: Place
const exits: { node: LabNode; place: Place }[] = []

beforeAll(async () => {
  await lab.start()
  home = await lab.place({ 'home-only.example': [MIRROR.v4] })
  for (const name of ['exit-a', 'exit-b']) {
    const place = await lab.place({ 'exit-only.example': [MIRROR.v4] })
    exits.push({ place, node: await lab.exitNode('tailscaled', name, place) })
  }
  client = await lab.guarded('client', home)
  printer = await lab.beside(home)
  lab.startMirror('printer', printer.site.prefix)
  for (const { node } of exits) await client.node.waitUsable(node)
}, 120_000)
afterAll(() => lab.stop(), 120_000)
beforeEach(() => choose(undefined))
afterEach(({ task }) => {
  if (task.result?.state === 'fail') console.log(lab.logs())
})

/** Every way out, to the mirror by address in both families. */
const BY_ADDRESS: readonly Attempt[] = [
  { how: 'tcp', host: MIRROR.v4, port: PORT },
  { how: 'tcp', host: MIRROR.v6, port: PORT },
  { how: 'udp', host: MIRROR.v4, port: PORT },
  { how: 'udp', host: MIRROR.v6, port: PORT },
  { how: 'connect', host: MIRROR.v4, port: PORT },
  { how: 'http', host: MIRROR.v4, port: WEB_PORT },
  { how: 'http', host: MIRROR.v6, port: WEB_PORT },
]

/** By name too: whoever is asked for the name may leak it. */
const ALL: readonly Attempt[] = [...BY_ADDRESS, { how: 'tcp', host: MIRROR.name, port: PORT }, { how: 'udp', host: MIRROR.name, port: PORT }, { how: 'connect', host: MIRROR.name, port: PORT }, { how: 'http', host: MIRROR.name, port: WEB_PORT }]

async function choose(node: LabNode | undefined, prefs: Record<string, unknown> = {}): Promise<void> {
  const id = node === undefined ? '' : (await client.node.peer(node.name))?.ID
  await client.node.api.patchPrefs({ ExitNodeIDSet: true, ExitNodeID: id, ExitNodeAllowLANAccessSet: true, ExitNodeAllowLANAccess: false, ...prefs })
}

const worldSees = ({ v6, site }: Place, { host }: Attempt): string => (host.includes(':') ? v6 : site.address)

/** Waits until the world sees the client as if it were at a place. */
async function waitSeenAt(place: Place): Promise<void> {
  await waitFor(`the world to see ${place.site.address}`, async () => {
    const [one] = await lab.visit(client.node, BY_ADDRESS.slice(0, 1))
    if (one?.saw !== place.site.address) throw new Error(JSON.stringify(one))
    return true
  }, PATIENT)
}

interface ExitNodesPage {
  readonly Egress: { readonly Kind: string; readonly Name?: string; readonly Why?: string }
}

const egressOf = async (node: LabNode): Promise<ExitNodesPage['Egress']> => (JSON.parse((await node.api.call('GET', 'bowline/exit-nodes')).text) as ExitNodesPage).Egress

/** Waits until the client says that nothing goes out, and why. */
function waitBlocked(why: RegExp): Promise<boolean> {
  return waitFor(`to be blocked: ${why.source}`, async () => {
    const egress = await egressOf(client.node)
    if (egress.Kind !== 'blocked' || !why.test(egress.Why ?? '')) throw new Error(JSON.stringify(egress))
    return true
  }, PATIENT)
}

/** What attempts came to while something was done: nothing but the tunnel's own left the host meanwhile. */
async function withoutALeak(act: () => Promise<unknown>, attempts: readonly Attempt[] = ALL): Promise<Outcome[]> {
  const mark = await client.recorder.mark()
  const asked = home.resolver.questions.length
  const visitor = lab.keepVisiting(client.node, attempts)
  try {
    await act()
  } finally {
    await visitor.stop()
  }
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
  expect(home.resolver.questions.slice(asked)).toEqual([])
  return visitor.outcomes
}

/** Nothing came through, and where a proxy can say why, it said so. */
function expectRefused(outcomes: readonly Outcome[], why: RegExp): void {
  expect(outcomes.filter(({ saw }) => saw !== undefined)).toEqual([])
  const said = outcomes.filter(({ how }) => how === 'http').map(({ failed }) => failed)
  expect(said.length).toBeGreaterThan(0)
  expect(said.filter((text) => !why.test(text ?? ''))).toEqual([])
}

test('without an exit node the world sees the client itself, and the record shows it', async () => {
  const mark = await client.recorder.mark()
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(home, outcome) })
  const left = lab.strays(await client.recorder.since(mark))
  for (const to of [`${MIRROR.v4} port ${PORT}`, `${MIRROR.v6} port ${PORT}`]) expect(left.filter((line) => line.endsWith(to)).map((line) => line.split(' ')[0])).toEqual(expect.arrayContaining(['tcp', 'udp']))
})

test('through an exit node the world sees the exit node, in both families, and nothing leaves beside the tunnel', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const mark = await client.recorder.mark()
  const seen = lab.visits.length
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(place, outcome) })
  expect(new Set(lab.visits.slice(seen).map(({ from }) => from))).toEqual(new Set([place.site.address, place.v6]))
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
})

test('nothing leaves while an exit node is being chosen', async () => {
  const { node, place } = exits[0]!
  const mark = await client.recorder.mark()
  const asked = home.resolver.questions.length
  await choose(node)
  const visitor = lab.keepVisiting(client.node, ALL)
  await waitSeenAt(place)
  await visitor.stop()
  expect(lab.strays(await client.recorder.since(mark))).toEqual([])
  expect(home.resolver.questions.slice(asked)).toEqual([])
})

test.each(['term', 'kill'] as const)('nothing leaves while the engine stops (%s) and starts again', async (how) => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const outcomes = await withoutALeak(async () => {
    await client.node.stop(how)
    await client.node.start()
    await waitSeenAt(place)
  })
  expect(new Set(outcomes.map(({ saw }) => saw).filter(Boolean))).toEqual(new Set([place.site.address, place.v6]))
})

test('nothing leaves while the engine starts without its server', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await client.node.stop()
  await lab.nat.headscale.stop()
  try {
    await withoutALeak(async () => {
      await client.node.start()
      await waitSeenAt(place)
    })
  } finally {
    await lab.nat.headscale.resume()
  }
})

test('nothing leaves while one exit node is exchanged for another', async () => {
  await choose(exits[0]!.node)
  await waitSeenAt(exits[0]!.place)
  const outcomes = await withoutALeak(async () => {
    for (const { node, place } of exits.toReversed()) {
      await choose(node)
      await waitSeenAt(place)
    }
  })
  const known = exits.flatMap(({ place }) => [place.site.address, place.v6])
  expect(outcomes.filter(({ saw }) => saw !== undefined && !known.includes(saw))).toEqual([])
})

test('an exit node that dies blocks what goes out, says so, and carries again when it is back', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await withoutALeak(async () => {
    await node.stop('kill')
    await waitBlocked(/exit-a/)
    expectRefused(await lab.visit(client.node, ALL), /exit-a/)
    await node.start()
    await waitSeenAt(place)
  })
})

test('an exit node without IPv6 takes no IPv6 out, and nobody else does', async () => {
  const node = await lab.nat.join('tailscaled', 'exit-4', 'easy')
  await lab.offer(node, ['0.0.0.0/0', '::/0'])
  await client.node.waitUsable(node)
  await choose(node)
  await withoutALeak(async () => {
    await waitFor('IPv4 to be carried', async () => (await lab.visit(client.node, BY_ADDRESS.slice(0, 1)))[0]?.saw !== undefined, PATIENT)
    const outcomes = await lab.visit(client.node, BY_ADDRESS)
    expect(outcomes.filter(({ host, saw }) => host.includes(':') !== (saw === undefined))).toEqual([])
  })
})

test('an approval that is withdrawn on the server blocks what goes out', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const { id } = await lab.nat.headscale.node(node.name)
  await withoutALeak(async () => {
    await lab.nat.headscale.approveRoutes(id, [])
    await waitBlocked(/not approved/)
    expectRefused(await lab.visit(client.node, ALL), /not approved/)
    await lab.nat.headscale.approveRoutes(id, ['0.0.0.0/0', '::/0'])
    await waitSeenAt(place)
  })
})

test.each([
  ['an address that no device has', { ExitNodeIDSet: true, ExitNodeID: '', ExitNodeIPSet: true, ExitNodeIP: '100.64.0.99' }, /100\.64\.0\.99/],
  ['a device that is not in the network', { ExitNodeIDSet: true, ExitNodeID: 'nGone' }, /not in this network/],
  ['a device that is no exit node', { ExitNodeIDSet: true, ExitNodeID: 'own' }, /exit node/],
])('%s as exit node lets nothing out, over a start too', async (_, prefs, why) => {
  const own = (await client.node.api.status()).Self.ID
  const wanted = { ...prefs, ...(prefs.ExitNodeID === 'own' ? { ExitNodeID: own } : {}) }
  const reply = await client.node.api.call('PATCH', 'prefs', wanted)
  if (reply.status >= 300) return expect(reply.text).toMatch(why)
  await withoutALeak(async () => {
    await waitBlocked(why)
    expectRefused(await lab.visit(client.node, ALL), why)
    await client.node.stop()
    await client.node.start()
    expectRefused(await lab.visit(client.node, ALL), /./)
    await waitBlocked(why)
  })
})

const PRINTING = (): readonly Attempt[] => [
  { how: 'tcp', host: printer.v4, port: PORT },
  { how: 'tcp', host: printer.v6, port: PORT },
  { how: 'udp', host: printer.v4, port: PORT },
  { how: 'connect', host: printer.v6, port: PORT },
  { how: 'http', host: printer.v4, port: WEB_PORT },
]

test('the printer beside is out of reach with an exit node, unless local access is allowed; the rest goes out by the exit node all the same', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  await withoutALeak(async () => expectRefused(await lab.visit(client.node, PRINTING()), /local network/), PRINTING())
  await choose(node, { ExitNodeAllowLANAccess: true })
  const mark = await client.recorder.mark()
  for (const outcome of await lab.visit(client.node, PRINTING())) expect(outcome).toMatchObject({ saw: outcome.host.includes(':') ? home.v6 : home.v4 })
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(place, outcome) })
  const left = lab.strays(await client.recorder.since(mark))
  expect(left.filter((line) => !line.includes(`→ ${printer.v4} `) && !line.includes(`→ ${printer.v6} `))).toEqual([])
})

test('names are asked of the exit node, and the resolver at home hears nothing', async () => {
  const { node, place } = exits[0]!
  await choose(node)
  await waitSeenAt(place)
  const asked = place.resolver.questions.length
  const names: readonly Attempt[] = [...ALL.filter(({ host }) => host === MIRROR.name), { how: 'tcp', host: 'exit-only.example', port: PORT }, { how: 'http', host: 'exit-only.example', port: WEB_PORT }]
  const outcomes = await withoutALeak(async () => {
    for (const outcome of await lab.visit(client.node, names)) expect([place.site.address, place.v6]).toContain(outcome.saw)
    const [unknown] = await lab.visit(client.node, [{ how: 'http', host: 'home-only.example', port: WEB_PORT }])
    expect(unknown?.saw).toBeUndefined()
  }, names)
  expect(outcomes.length).toBeGreaterThan(0)
  expect(new Set(place.resolver.questions.slice(asked).map(({ name }) => name))).toEqual(new Set([MIRROR.name, 'exit-only.example', 'home-only.example']))
})

test('the proofs of an exit node say where the world sees us, and count what went there', async () => {
  const { node, place } = exits[1]!
  await choose(node)
  await waitSeenAt(place)
  const proofs = await waitFor('proofs in both families', async () => {
    await client.node.api.call('POST', 'bowline/exit-nodes', { Do: 'check' })
    const { Proofs } = JSON.parse((await client.node.api.call('GET', 'bowline/exit-nodes')).text) as { readonly Proofs: readonly ExitProof[] }
    if (Proofs.filter(({ Ok }) => Ok === true).length < 3) throw new Error(JSON.stringify(Proofs))
    return Proofs
  }, PATIENT)
  const value = (what: string): string => proofs.find(({ What }) => What === what)?.Value ?? ''
  expect(value('ipv4')).toContain(place.site.address)
  expect(value('ipv6')).toContain(place.v6)
  expect(value('leak')).toMatch(/^[1-9]\d* connections of the proxies through it, none past it/)
})
