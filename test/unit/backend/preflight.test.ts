/**
 * Looks at servers before joining, over a world made by hand: what is found by whom, what a link may do, and that nothing grows.
 */
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Preflights } from '../../../main/engine/backend/preflight.ts'
import type { PreflightWorld, ServerWays } from '../../../main/engine/backend/preflight-ports.ts'
import { serverOrigin } from '../../../main/engine/backend/preflight-target.ts'
import { newModel } from '../../../main/engine/backend/model.ts'
import type { Model } from '../../../main/engine/backend/model.ts'
import { freshState } from '../../../main/engine/backend/saved-state.ts'
import { EngineError } from '../../../main/engine/base/errors.ts'
import { PrivateKey } from '../../../main/engine/base/keys.ts'
import { silentLog } from '../../../main/engine/base/log.ts'
import { makeLink } from '../../../main/engine/core/join/link.ts'
import type { JoinContent } from '../../../main/engine/core/join/link-types.ts'
import { MemoryStore } from '../../../main/engine/io/memory-store.ts'
import type { PreflightPage } from '../../../main/localapi/preflight.ts'
import type { MaskedPrefs } from '../../../main/localapi/types.ts'
import { HandClock, seededRandom } from '../../sim/clock.ts'

const NOW = Date.UTC(2026, 10, 23, 14)
const PIN = 'ab'.repeat(32)
const NAMED = { subject: 'Home Root', issuer: 'Home Root', fingerprint: 'AA:BB', fromMs: 0, toMs: NOW, isAuthority: true }

interface Rig {
  readonly clock: HandClock
  readonly model: Model
  readonly preflights: Preflights
  readonly masks: MaskedPrefs[]
  readonly trusted: string[]
  readonly asked: string[]
  readonly store: MemoryStore
  readonly look: (target: string) => Promise<PreflightPage>
}

/** `untrusted`: the server's certificate is of an authority that nobody here knows. */
function rig(over: { untrusted?: boolean; world?: Partial<PreflightWorld>; ways?: Partial<ServerWays>; store?: MemoryStore; editPrefs?: (mask: MaskedPrefs) => void } = {}): Rig {
  const clock = new HandClock(NOW)
  const random = seededRandom(3)
  const model = newModel(freshState(random, 'linux', NOW))
  const [masks, trusted, asked]: [MaskedPrefs[], string[], string[]] = [[], [], []]
  const ways = (pems: readonly string[]): ServerWays => ({
    proxyOf: () => Promise.resolve({ used: undefined, isSet: false }),
    connect: () => Promise.resolve({ stream: new PassThrough(), address: '192.0.2.7' }),
    certificate: () => (over.untrusted === true && pems.length === 0 ? Promise.reject(new EngineError('cert-unknown-issuer', 'nobody knows it. Add it')) : Promise.resolve({ issuer: 'Home Root', keys: [PIN], fingerprints: ['AA:BB'] })),
    shown: () => [{ pem: 'THE PEM', key: PIN }],
    trusting: (more) => ways(more),
    fetch: ({ url }) => Promise.resolve({ status: 200, body: new TextEncoder().encode(url.endsWith('/version') ? '{"version":"v0.29.2"}' : '{"status":"pass"}') }),
    ...over.ways,
  })
  const world: PreflightWorld = {
    waysTo: (url) => {
      asked.push(url)
      return ways([])
    },
    resolve: () => Promise.resolve(['192.0.2.7']),
    serverKey: () => Promise.resolve({ serverMs: NOW - 400 }),
    portal: () => Promise.resolve(undefined),
    stun: () => Promise.resolve(undefined),
    failureOf: (error) => ({ code: (error as EngineError).code, message: (error as EngineError).message }),
    trust: {
      list: () => ({ certificates: [], shown: [NAMED] }),
      add: (pem) => {
        trusted.push(pem)
        return [NAMED]
      },
    },
    ...over.world,
  }
  const store = over.store ?? new MemoryStore()
  const preflights = new Preflights({ env: { clock, random, log: silentLog, journal: { add: () => {} } }, world, model, store, editPrefs: over.editPrefs ?? ((mask) => void masks.push(mask)) })
  const look = async (target: string): Promise<PreflightPage> => {
    let page = preflights.begin({ Target: target })
    while (page.State === 'running') page = await preflights.next(page.Run, page.Version).page
    return page
  }
  return { clock, model, preflights, masks, trusted, asked, store, look }
}

const linkOf = (over: Partial<JoinContent> = {}, seed = 1): string => {
  const made = makeLink({ server: 'https://hs.example', org: 'Fjord', contact: '', signIn: '', pins: [], settings: {}, untilMs: NOW + 86_400_000, ...over }, new Uint8Array(32).fill(seed), NOW)
  return made.kind === 'made' ? made.text : ''
}
const saw = (page: PreflightPage): Record<string, string> => Object.fromEntries(page.Steps.map(({ Step, Code }) => [Step, Code]))

describe('a look at a server', () => {
  it('finds every step good and asks nobody but that server', async () => {
    const { look, asked } = rig()
    const page = await look('hs.example')
    expect(saw(page)).toEqual({
      name: 'name-found', connection: 'connection-open', certificate: 'certificate-good', server: 'server-headscale', clock: 'clock-agrees', proxy: 'proxy-none', 'sign-in-page': 'page-none',
      udp: 'udp-silent', 'other-vpn': 'vpn-none', 'key-store': 'keys-file', rights: 'rights-none',
    })
    expect(asked).toEqual(['https://hs.example'])
  })

  it('says nothing of UDP where the server has no relay, or another port than the usual', async () => {
    expect(saw(await rig().look('hs.example:8443'))['udp']).toBe('udp-unknown')
    const ways: Partial<ServerWays> = { fetch: ({ url }) => Promise.resolve({ status: url.endsWith('/derp/probe') ? 404 : 200, body: new TextEncoder().encode('{}') }) }
    expect(saw(await rig({ ways }).look('hs.example'))).toMatchObject({ udp: 'udp-unknown', server: 'server-answers' })
    expect(saw(await rig({ world: { stun: () => Promise.resolve('203.0.113.9:4000') } }).look('hs.example'))['udp']).toBe('udp-open')
  })

  it('stops at the first step that fails and tells the rest as not looked at', async () => {
    const page = await rig({ world: { resolve: () => Promise.reject(new EngineError('dns-no-such-name', 'DNS knows no hs.example. Check how the name is spelled')) } }).look('hs.example')
    expect(saw(page)).toMatchObject({ name: 'dns-no-such-name', connection: 'not-asked', certificate: 'not-asked', server: 'not-asked', 'sign-in-page': 'page-unknown' })
    expect(page.Steps[0]).toMatchObject({ State: 'bad', Needed: true, Text: 'DNS knows no hs.example', Fix: { Kind: 'check-address', Text: 'Check how the name is spelled' } })
  })

  it('takes the sign-in page of the network, and a wrong clock, for what is wrong', async () => {
    const held = rig({ untrusted: true, world: { serverKey: () => Promise.resolve({ failure: { code: 'captive-portal', message: 'sign in first. Open a page' } }) } })
    expect(saw(await held.look('hs.example'))).toMatchObject({ 'sign-in-page': 'captive-portal', server: 'captive-portal' })
    const early = rig({ untrusted: true, world: { serverKey: () => Promise.resolve({ serverMs: NOW + 7_200_000, failure: { code: 'clock-wrong', message: 'the clock is 2 hours behind. Set it' } }) } })
    expect(saw(await early.look('hs.example'))).toMatchObject({ certificate: 'clock-wrong', clock: 'clock-differs' })
  })

  it('knows other VPNs, and where keys lie', async () => {
    const { model, look } = rig()
    model.system = { interfaces: [{ name: 'wg0', ip: '10.9.0.2', internal: false }], defaultRoutes: [{ interface: 'wg0' }] }
    model.isSealed = true
    expect(saw(await look('hs.example'))).toMatchObject({ 'other-vpn': 'vpn-carries', 'key-store': 'keys-sealed' })
  })

  it('keeps six at most and lets go of the oldest, whoever reads it', async () => {
    const { preflights } = rig({ world: { resolve: () => new Promise(() => {}) } })
    const first = preflights.begin({ Target: 'hs.example' })
    const { Version } = await preflights.next(first.Run, undefined).page
    const reader = preflights.next(first.Run, Version).page
    for (let i = 0; i < 6; i++) preflights.begin({ Target: 'hs.example' })
    await reader
    expect(() => preflights.next(first.Run, 1)).toThrow(/is over/)
  })

  it.each([[undefined], [{}], [{ Target: 7 }], [{ Target: 'x', Quick: 'yes' }], ['hs.example']])('refuses %j', (body) => {
    expect(() => rig().preflights.begin(body)).toThrow(/wants a JSON object/)
  })

  it.each(['', 'a b', 'javascript:alert(1)', 'file:///etc', 'https://user:pw@hs.example', 'x'.repeat(9000)])('finds no address in %.40j', async (text) => {
    expect(await rig().look(text)).toMatchObject({ State: 'done', Fault: { Code: 'no-address' }, Steps: [] })
  })

  it.each([['HS.example/register/x', 'https://hs.example'], ['localhost:8080', 'http://localhost:8080'], ['https://hs.example/windows?a#b', 'https://hs.example']])('reads %s as %s', (text, origin) => {
    expect(serverOrigin(text)).toBe(origin)
  })
})

describe('joining by a link', () => {
  it('trusts what the link names and the server shows, sets what it asks for, and remembers its key', async () => {
    const { look, preflights, masks, trusted, store } = rig({ untrusted: true })
    const page = await look(linkOf({ pins: [PIN], settings: { routes: true, names: false, shields: true, exitNode: 'auto' } }))
    expect(saw(page)).toMatchObject({ certificate: 'certificate-pinned', server: 'server-headscale' })
    expect(page.Link?.SignedBy.Known).toBe('new')
    expect([masks, trusted]).toEqual([[], []])
    expect(preflights.join({ Run: page.Run })).toEqual({ Server: 'https://hs.example', Trusted: ['AA:BB'] })
    expect(trusted).toEqual(['THE PEM'])
    expect(masks).toEqual([expect.objectContaining({ ControlURL: 'https://hs.example', RouteAll: true, CorpDNS: false, ShieldsUp: true, AutoExitNode: 'any' })])
    const later = rig({ store })
    expect((await later.look(linkOf())).Link?.SignedBy).toMatchObject({ Known: 'known', Since: new Date(NOW).toISOString() })
    expect((await later.look(linkOf({}, 2))).Link?.SignedBy.Known).toBe('other-key')
    expect((await later.look(linkOf({ server: 'https://other.example' }))).Link?.SignedBy.Known).toBe('new')
  })

  it('changes nothing when the server shows another certificate, when somebody is signed in, or without a link', async () => {
    const { look, preflights, model, masks, trusted } = rig()
    const strange = await look(linkOf({ pins: ['cd'.repeat(32)] }))
    expect(saw(strange)['certificate']).toBe('certificate-not-pinned')
    expect(() => preflights.join({ Run: strange.Run })).toThrow(/does not show the certificate/)
    const plain = await look('hs.example')
    expect(() => preflights.join({ Run: plain.Run })).toThrow(/not of a join link/)
    for (const body of [undefined, {}, { Run: 7 }, { Run: 'p0-0' }]) expect(() => preflights.join(body)).toThrow(/is over/)
    const good = await look(linkOf())
    model.saved = { ...model.saved, nodeKey: PrivateKey.fromRandom(new Uint8Array(32).fill(5)) }
    expect(() => preflights.join({ Run: good.Run })).toThrow(/is signed in/)
    expect([masks, trusted]).toEqual([[], []])
  })

  it('trusts nothing and remembers nobody where the device policy refuses the server', async () => {
    const refuse = (): never => {
      throw new EngineError('managed-by-policy', 'the device policy names another server')
    }
    const { preflights, look, trusted } = rig({ untrusted: true, editPrefs: refuse })
    const page = await look(linkOf({ pins: [PIN] }))
    expect(() => preflights.join({ Run: page.Run })).toThrow(expect.objectContaining({ code: 'managed-by-policy' }))
    expect(trusted).toEqual([])
    expect((await look(linkOf({ pins: [PIN] }))).Link?.SignedBy.Known).toBe('new')
  })

  it('is too late once the link is no longer good', async () => {
    const { look, preflights, clock } = rig()
    const page = await look(linkOf())
    clock.advance(2 * 86_400_000)
    expect(() => preflights.join({ Run: page.Run })).toThrow(/no longer good/)
    expect((await look(linkOf())).Fault?.Code).toBe('link-expired')
  })
})
