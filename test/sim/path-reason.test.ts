/**
 * The reason for a path, end to end: path machines between NATs of every kind, judged with what those NATs would make both
 * netchecks report, against what is so; and whole engines on the simulated servers, asked over their local API.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { PathEvidence } from '../../main/engine/core/path/reason/evidence.ts'
import { explainPath } from '../../main/engine/core/path/reason/explain.ts'
import type { PathPage } from '../../main/localapi/types.ts'
import { NatSim } from '../unit/core/path/nat-sim.ts'
import type { NatKind, SimNode } from '../unit/core/path/nat-sim.ts'
import { waitFor } from '../support/wait.ts'
import { seededRandom } from './clock.ts'
import { hasAddon, Lab } from './engine-lab.ts'
import type { Engine } from './engine-lab.ts'

const KINDS: readonly NatKind[] = ['none', 'firewall', 'cone', 'restricted', 'easy', 'hard', 'no-udp']
const STRICT: readonly NatKind[] = ['firewall', 'easy']

/** What is so, seen from the side that is behind `mine`. */
function truth(mine: NatKind, theirs: NatKind): string {
  if (mine === 'no-udp') return 'own-no-udp'
  if (theirs === 'no-udp') return 'peer-no-udp'
  if (mine === 'hard' && theirs === 'hard') return 'hard-both'
  if ((mine === 'hard' && STRICT.includes(theirs)) || (theirs === 'hard' && STRICT.includes(mine))) return 'hard-one'
  return 'direct'
}

/** The machine's own evidence with what both netchecks would say behind these NATs. */
function evidenceOf(net: NatSim, node: SimNode, other: SimNode): PathEvidence {
  const works = node.nat !== 'no-udp'
  return {
    machine: node.path.evidence(net.nowMs),
    peer: { online: true, heardSince: true, netInfo: { WorkingUDP: other.nat !== 'no-udp', MappingVariesByDestIP: other.nat === 'hard' }, endpoints: other.endpoints(net.nowMs) },
    own: {
      report: { udp: works, ipv4: works, ipv6: false, ipv4CanSend: true, ipv6CanSend: false, osHasIpv6: false, mappingVariesByDestIp: node.nat === 'hard', captivePortal: false, upnp: false, pmp: false, pcp: false, globalV4: undefined },
      networks: [], relay: { isInMap: true, isConnected: true },
    },
  }
}

describe('between NATs of every kind', () => {
  test.each(KINDS.flatMap((a) => KINDS.map((b): [NatKind, NatKind] => [a, b])))('from %s to %s the reason is what is so, on both sides', (a, b) => {
    const net = new NatSim({ a, b, random: seededRandom(1) })
    net.traffic(net.a)
    net.traffic(net.b)
    net.run(60_000)
    expect(explainPath(evidenceOf(net, net.a, net.b)).rule).toBe(truth(a, b))
    expect(explainPath(evidenceOf(net, net.b, net.a)).rule).toBe(truth(b, a))
  })

  test('a direct path that breaks is named as the cause until there is another', () => {
    const net = new NatSim({ a: 'easy', b: 'easy', random: seededRandom(2) })
    net.traffic(net.a)
    net.runUntil(() => net.bothDirect(), 5000)
    net.blocked = 'all'
    net.run(30_000)
    expect(explainPath(evidenceOf(net, net.a, net.b)).sentence).toBe('relayed: the direct path stopped answering; no reply from its only address, though both networks keep one port for all destinations')
    net.blocked = 'none'
    net.run(30_000)
    expect(explainPath(evidenceOf(net, net.a, net.b)).rule).toBe('direct')
  })

  test('a side that hears pings and gets no reply says that it is one-way', () => {
    const net = new NatSim({ a: 'none', b: 'none', random: seededRandom(3) })
    net.blocked = 'a'
    net.traffic(net.a)
    net.traffic(net.b)
    net.run(20_000)
    expect(explainPath(evidenceOf(net, net.a, net.b)).rule).toBe('one-way')
  })
})

const suite = hasAddon ? describe : describe.skip
const PATIENCE_MS = 30_000
const WHOLE_TEST_MS = 120_000

suite(`of whole engines${hasAddon ? '' : ' (the native add-on is not built: npm run build:native)'}`, { timeout: WHOLE_TEST_MS }, () => {
  let lab: Lab

  beforeEach(async (context) => {
    lab = new Lab()
    context.onTestFailed(() => console.error(lab.log.join('\n')))
    await lab.start()
  })

  afterEach(() => lab.stop())

  const saysOf = (engine: Engine, peer: string, wanted: RegExp): Promise<PathPage> => waitFor(`${engine.name} to say ${String(wanted)}`, async () => {
    const page = await engine.api.call('path', { query: { peer } })
    if (!wanted.test(page.why)) throw new Error(page.why)
    return page
  }, { withinMs: PATIENCE_MS })

  test('direct, not tried, and gone are each said as they are', async () => {
    const [ada] = await lab.pair()
    const mia = lab.engine('mia')
    await mia.start()
    await mia.join()
    const direct = await waitFor('a direct path', async () => {
      await ada.page('web')
      const page = await ada.api.call('path', { query: { peer: 'web' } })
      return page.reason.rule === 'direct' && page
    }, { withinMs: PATIENCE_MS })
    expect(direct.why).toMatch(/^direct: answered in [\d.]+ m?s on this machine$/)
    await saysOf(ada, 'mia', /^not tried: no traffic yet/)
    await mia.stop()
    await saysOf(ada, 'mia', /^not tried: it is offline, as the server says$/)
  })

  test('switched off, the engine says so itself, and the list says the same as the page', async () => {
    const [ada] = await lab.pair({ TS_DEBUG_NEVER_DIRECT_UDP: 'true' })
    const { why, peer } = await saysOf(ada, 'web', /^relayed: direct paths are switched off here$/)
    expect((await ada.api.call('paths')).paths.find((row) => row.peer === peer)!.why).toBe(why)
  })

  test('of a device that answers no direct ping, what is missing to say why is named', async () => {
    const [ada, web] = [lab.engine('ada'), lab.engine('web')]
    await ada.start()
    await web.start({ TS_DEBUG_NEVER_DIRECT_UDP: 'true' })
    for (const engine of [ada, web]) await engine.join()
    await waitFor('the first page', async () => (await ada.page('web')) === 'hello', { withinMs: PATIENCE_MS })
    const page = await saysOf(ada, 'web', /^relayed: no reply from its only address; unknown why: neither network showed how it gives out ports$/)
    expect(page).toMatchObject({ reason: { rule: 'unknown', confidence: 'unknown', steps: [{ who: 'an admin' }] } })
    expect(page.candidates[0]!.unanswered).toBeGreaterThan(3)
  })
})
