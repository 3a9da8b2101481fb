/**
 * bowline/path over a real socket: who is found by what, what the page says, and how long an answer is held back.
 */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { MachineEvidence } from '../../../main/engine/core/path/reason/evidence.ts'
import { pathTicket } from '../../../main/localapi/path-ticket.ts'
import type { PathPage } from '../../../main/localapi/types.ts'
import { serve } from './rig.ts'
import type { ServerRig } from './rig.ts'

let api: ServerRig

beforeEach(async () => {
  api = await serve()
})
afterEach(() => api.stop())

const key = (): string => api.rig.magicsock.config!.peers[0]!.key

/** The peer is relayed, and one address of it is silent. */
function relayed(more: Partial<MachineEvidence> = {}): void {
  const path = { kind: 'relay', region: 999 } as const
  const silent = { addr: { ip: '203.0.113.7', port: 41641 }, sources: ['map'], lastPingAgoMs: 800, lastPongAgoMs: undefined, pingedUsAgoMs: undefined, latencyMs: undefined, unanswered: 9, isBest: false, carries: 'unknown' as const }
  const evidence = { path, noDirect: undefined, latencyMs: undefined, candidates: [silent], answered: 0, misses: 0, isActive: true, lostWhy: undefined, isGone: false, ...more }
  api.rig.magicsock.pathViews.set(key() as never, { peer: key() as never, path, latencyMs: undefined, sinceMs: Date.UTC(2026, 10, 22, 21, 40), evidence })
}

const ask = async (peer: string, more = ''): Promise<PathPage> => (await api.call('GET', `bowline/path?peer=${encodeURIComponent(peer)}${more}`)).json() as PathPage

describe('the path of one device', () => {
  test('is found by node key, address, short and full name, and by no other', async () => {
    api.join()
    relayed()
    const { peer, name } = await ask(key())
    const full = Object.values(api.rig.backend.views.status(true).Peer!)[0]!.DNSName
    for (const text of [name, name.toUpperCase(), full, '100.64.0.2']) expect((await ask(text)).peer).toBe(peer)
    expect((await api.call('GET', 'bowline/path')).status).toBe(400)
    for (const text of ['nobody', '100.64.0.99', '100.64.0.1', 'nodekey:00']) expect((await api.call('GET', `bowline/path?peer=${text}`)).status).toBe(404)
  })

  test('comes with its reason, the same as in the list of paths', async () => {
    api.join()
    relayed()
    const page = await ask('100.64.0.2')
    expect(page).toMatchObject({
      kind: 'relay', region: 999, regionCode: 'lab', since: '2026-11-22T21:40:00.000Z', at: '2026-11-22T21:50:00.000Z',
      why: 'relayed: no reply from its only address; unknown why: this network was not measured yet',
      reason: { rule: 'unknown', confidence: 'unknown' },
      candidates: [{ addr: '203.0.113.7:41641', place: 'ipv4', sources: ['map'], inUse: false, lastPingAgoMs: 800, unanswered: 9 }],
      own: { version: expect.any(String) }, sides: expect.any(Array), ownAddresses: [],
    })
    expect(page.reason.sentence).toBe(page.why)
    const { paths } = (await api.call('GET', 'bowline/paths')).json() as { paths: { why: string }[] }
    expect(paths[0]!.why).toBe(page.why)
  })

  test('says what is not known of a device that has no path, and of all while this one is not connected', async () => {
    api.join()
    expect((await ask('100.64.0.2')).why).toBe('no path: it has neither a relay nor a key for direct paths, so it cannot be reached')
    api.rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
    expect((await ask('100.64.0.2')).why).toBe('unknown: this device is not connected')
  })

  test('shows what the journal has of this path and of the whole network, and what was refused', async () => {
    api.join()
    relayed()
    api.journal.add({ part: 'path', kind: 'path', peer: key(), from: { kind: 'direct' }, to: { kind: 'relay' }, why: 'relayed: the direct path stopped answering' })
    api.journal.add({ part: 'path', kind: 'path', peer: 'nodekey:another', why: 'not ours' })
    api.journal.add({ part: 'path', kind: 'candidate-refused', peer: key(), addr: { ip: '224.0.0.1', port: 5 }, why: 'not a place where a peer can be: multicast' })
    api.journal.add({ part: 'path', kind: 'probe-round', peer: key(), pinged: 3 })
    api.journal.add({ part: 'netmon', kind: 'network-change', why: 'the default route is another' })
    const page = await ask(key())
    expect(page.events.map((event) => event.why)).toEqual(['relayed: the direct path stopped answering', 'the default route is another'])
    expect(page.refused).toEqual([{ addr: '224.0.0.1:5', why: 'not a place where a peer can be: multicast' }])
    expect(page.version).toBe(6)
  })

  test('is held back until there is news of this path, or for half a minute', async () => {
    api.join()
    relayed()
    const { version } = await ask(key())
    let answered = false
    const next = ask(key(), `&after=${version}`).then((page) => {
      answered = true
      return page
    })
    await ask(key())
    api.journal.add({ part: 'path', kind: 'probe-round', peer: 'nodekey:another' })
    api.rig.clock.advance(10_000)
    await ask(key())
    expect(answered).toBe(false)
    api.journal.add({ part: 'path', kind: 'probe-round', peer: key() })
    api.rig.clock.advance(1_000)
    const page = await next
    expect(page.version).toBe(3)
    const silent = ask(key(), `&after=${page.version}`)
    await ask(key())
    api.rig.clock.advance(30_000)
    expect((await silent).version).toBe(page.version)
  })

  test('as a ticket has no name and no address, unless they are asked for', async () => {
    api.join()
    relayed()
    api.journal.add({ part: 'path', kind: 'path', peer: key(), from: { kind: 'direct' }, to: { kind: 'relay' }, why: 'relayed: the direct path stopped answering' })
    const page = await ask(key())
    const ticket = pathTicket(page, ['sides', 'changes', 'versions'])
    expect(ticket).toContain(`Verdict: ${page.why}`)
    expect(ticket).toMatch(/Rule: unknown, confidence unknown[^]*Change: \S+ direct to relay, because: relayed: the direct path stopped answering[^]*Time: 2026/)
    for (const secret of [page.name, page.ip, '203.0.113.7']) {
      expect(ticket).not.toMatch(new RegExp(`\\b${secret.replaceAll('.', '\\.')}\\b`))
      expect(pathTicket(page, ['names'])).toContain(secret)
    }
  })
})
