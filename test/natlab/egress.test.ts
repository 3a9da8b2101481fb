/**
 * Exit nodes in the real world: what the world sees of a client, and what leaves its host beside the tunnel. The client is
 * ours in userspace mode, the exit nodes are tailscaleds.
 */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import type { LabNode } from '../interop/lab/node.ts'
import { waitFor } from '../support/wait.ts'
import { EgressLab, MIRROR, PORT, strays, WEB_PORT, type Guarded, type Place } from './egress-lab.ts'
import type { Attempt } from './visitor.ts'

const PATIENT = { withinMs: 60_000, everyMs: 200 }
const lab = new EgressLab()
let client: Guarded
let home: Place
const exits: { node: LabNode; place: Place }[] = []

beforeAll(async () => {
  await lab.start()
  home = await lab.place({ 'home-only.example': [MIRROR.v4] })
  for (const name of ['exit-a', 'exit-b']) {
    const place = await lab.place({ 'exit-only.example': [MIRROR.v4] })
    exits.push({ place, node: await lab.exitNode('tailscaled', name, place) })
  }
  client = await lab.guarded('client', home)
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

test('without an exit node the world sees the client itself, and the record shows it', async () => {
  const mark = await client.recorder.mark()
  for (const outcome of await lab.visit(client.node, BY_ADDRESS)) expect(outcome).toMatchObject({ saw: worldSees(home, outcome) })
  const left = strays(await client.recorder.since(mark))
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
  expect(strays(await client.recorder.since(mark))).toEqual([])
})
