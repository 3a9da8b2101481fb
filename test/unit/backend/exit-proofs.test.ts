import { describe, expect, test } from 'vitest'
import { settle } from '../../sim/clock.ts'
import { decodeStunRequest, encodeStunResponse } from '../../../main/engine/core/stun/stun.ts'
import { isDecodeError } from '../../../main/engine/base/errors.ts'
import type { ExitProof } from '../../../main/localapi/exit-nodes.ts'
import { makeRig, NOT_WHOLE, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }

/** One with an exit node in use, in a network with these relays. */
async function withExit(nodes: readonly object[]): Promise<Rig> {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  const first = recorded('02-initial-one-peer.json')
  const [peer] = first.Peers!
  rig.signIn({
    ...first,
    DERPMap: { Regions: { 1: { RegionID: 1, RegionCode: 'r', RegionName: 'R', Nodes: nodes.map((node, i) => ({ Name: `r${i + 1}`, RegionID: 1, HostName: 'relay', ...node })) } } },
    Peers: [{ ...peer!, Online: true, AllowedIPs: [...peer!.AllowedIPs!, '0.0.0.0/0', '::/0'] }],
  })
  rig.backend.editPrefs({ ExitNodeID: '2', ExitNodeIDSet: true })
  await settle()
  return rig
}

/** The world beyond the exit node: relays that see us at `seen`, by the address that they are asked at. */
function relays(rig: Rig, seen: Readonly<Record<string, string>>): void {
  rig.dataplane.outside = (ip, port, bytes) => {
    const txId = decodeStunRequest(bytes)
    const from = seen[`${ip} ${port}`]
    if (isDecodeError(txId) || from === undefined) return Promise.reject(new Error('no answer'))
    return Promise.resolve(encodeStunResponse(txId, { ip: from, port: 7 }))
  }
}

async function proofs(rig: Rig): Promise<Partial<Record<ExitProof['What'], ExitProof>>> {
  rig.clock.advance(1000)
  await settle()
  await settle()
  const { Proofs } = await rig.backend.exitNodes.next(undefined).page
  return Object.fromEntries(Proofs.map((proof) => [proof.What, proof]))
}

describe('the proofs of an exit node', () => {
  test('are what relays of the network see through it, in each family, by itself a moment after it was chosen', async () => {
    const rig = await withExit([{ IPv4: '192.0.2.10', IPv6: '2001:db8::10', STUNPort: 3479 }, { IPv4: '192.0.2.11' }])
    relays(rig, { '192.0.2.11 3478': '198.51.100.4', '2001:db8::10 3479': '2001:db8:5::4' })
    expect(await proofs(rig)).toMatchObject({
      ipv4: { Ok: true, Value: '198.51.100.4, seen by the relay r2', At: new Date(rig.clock.wallMs()).toISOString() },
      ipv6: { Ok: true, Value: '2001:db8:5::4, seen by the relay r1' },
      leak: { Value: expect.stringContaining('no connection was asked of the proxies') as unknown },
    })
  })

  test('have no verdict where nobody can be asked, or nobody answers', async () => {
    const rig = await withExit([{ IPv4: '192.0.2.10', IPv6: 'none' }, { IPv4: '127.0.0.1' }, { IPv4: '192.0.2.12', STUNPort: -1 }])
    const found = await proofs(rig)
    expect(found.ipv4).toMatchObject({ Value: 'not known: no relay answered by IPv4 through it' })
    expect(found.ipv6).toMatchObject({ Value: 'not checked: no relay of the network has an IPv6 address to ask' })
    for (const proof of Object.values(found)) expect(proof).not.toHaveProperty('Ok')
  })

  test('say that nothing goes past it while routes and firewall keep every program in, and claim nothing otherwise', async () => {
    const rig = await withExit([])
    const on = { ...NOT_WHOLE, Mode: 'whole', State: 'on', Internet: 'exit', Firewall: 'nftables' } as const
    rig.machine = on
    expect((await proofs(rig)).leak).toMatchObject({ Ok: true, Value: 'every program of this computer: routes and firewall (nftables) keep it in' })
    const { page: first } = rig.backend.exitNodes.next(undefined)
    rig.clock.advance(5000)
    expect((await rig.backend.exitNodes.next(undefined).page).Version).toBe((await first).Version)
    const waiting = rig.backend.exitNodes.next((await first).Version)
    rig.machine = { ...on, State: 'holding' }
    rig.backend.sendNotify({ Machine: rig.machine })
    rig.clock.advance(1000)
    expect((await waiting.page).Proofs.find(({ What }) => What === 'leak')).not.toHaveProperty('Ok')
    rig.machine = { ...on, Bypass: ['192.168.1.0/24'], Problems: [{ Code: 'names-rewritten', Text: 'Names.' }] }
    expect((await proofs(rig)).leak).toMatchObject({ Ok: true, Value: expect.stringContaining('go past it, as allowed: 192.168.1.0/24') as unknown })
    for (const worse of [{ Firewall: 'none' }, { Firewall: 'off' }, { State: 'starting' }, { State: 'holding' }, { Internet: 'direct' }, { Problems: [{ Code: 'firewall-flushed', Text: 'Flushed.' }] }] as const) {
      rig.machine = { ...on, ...worse }
      const { leak } = await proofs(rig)
      expect(leak?.Value).toMatch(/^not known: /)
      expect(leak).not.toHaveProperty('Ok')
    }
    rig.machine = { ...on, State: 'failed' }
    expect((await proofs(rig)).leak?.Value).toContain('no connection was asked of the proxies')
  })

  test('take no answer that is not to their own question', async () => {
    const rig = await withExit([{ IPv4: '192.0.2.10' }])
    rig.dataplane.outside = () => Promise.resolve(encodeStunResponse(new Uint8Array(12).fill(9), { ip: '6.6.6.6', port: 6 }))
    expect((await proofs(rig)).ipv4).not.toHaveProperty('Ok')
    rig.dataplane.outside = () => Promise.resolve(new Uint8Array(3))
    rig.backend.exitNodes.act({ Do: 'check' })
    expect((await proofs(rig)).ipv4).not.toHaveProperty('Ok')
  })

  test('count what went through it, what stayed on the local network, and forget both with it', async () => {
    const rig = await withExit([])
    rig.backend.facts.onSystem({ interfaces: [{ name: 'wlan0', ip: '192.168.1.5', prefix: 24, internal: false }] })
    rig.backend.editPrefs({ ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true })
    for (const host of ['198.51.100.7', '2001:db8::7', '192.168.1.9', '100.64.0.2', '127.0.0.1']) rig.backend.facts.dataplane.onProxyRequest({ id: 1, via: 'socks5', host, port: 80 })
    expect((await proofs(rig)).leak).toMatchObject({ Ok: true, Value: expect.stringMatching(/^2 connections of the proxies through it, none past it, 1 to the local network; programs that/) as unknown })
    rig.backend.exitNodes.act({ Do: 'clear' })
    await settle()
    expect(await proofs(rig)).toEqual({})
  })
})
