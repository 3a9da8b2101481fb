/**
 * Hostile input for the whole backend: saved files of any rubbish, settings from other programs, maps and messages from
 * control. Whatever comes, it refuses with a code and a sentence, keeps what it had, and works afterwards.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { EngineError, isDecodeError } from '../../main/engine/base/errors.ts'
import { parseIp } from '../../main/engine/base/ip.ts'
import type { Login } from '../../main/engine/backend/ports.ts'
import { Control } from '../../main/engine/control/control.ts'
import { Http2Connection } from '../../main/engine/io/http2.ts'
import { applyMapResponse } from '../../main/engine/core/netmap/apply.ts'
import type { NetMap } from '../../main/engine/core/netmap/types.ts'
import { checkMapResponse } from '../../main/engine/core/tailcfg/check-map.ts'
import { MemoryStore } from '../../main/engine/io/memory-store.ts'
import { makeRig, NETMAP_BITS, recorded, type Rig } from '../unit/backend/rig.ts'
import type { Chance } from './chance.ts'
import { fuzz } from './fuzz.ts'

const FOLDER = new URL('../vectors/mapresponse/', import.meta.url)
const MAPS: readonly unknown[] = readdirSync(FOLDER)
  .filter((name) => name.endsWith('.json'))
  .map((name) => JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')) as unknown)
const FIRST = recorded('02-initial-one-peer.json')

/** Remembers every file by name, so that a later engine can be given damaged ones. */
class Files extends MemoryStore {
  readonly names = new Set<string>()

  override save(name: string, text: string): void {
    this.names.add(name)
    super.save(name, text)
  }

  override saveLater(name: string, text: () => string): void {
    this.names.add(name)
    super.saveLater(name, text)
  }

  text(name: string): string {
    return this.load(name, (text) => text)?.value ?? ''
  }
}

/** A backend whose control client refuses an impossible server as the real one does, and reaches none. */
function rigWith(store: Files): Rig {
  const rig = makeRig({ store })
  const begin = rig.control.begin.bind(rig.control)
  const never = new Promise<never>(() => {})
  rig.control.begin = (login: Login) => {
    const control = new Control({ env: rig.env, dial: () => never, http: () => never, http2: (stream, host) => new Http2Connection(stream, host) })
    control.set(rig.control.wants!)
    control.begin(login)
    control.stop()
    begin(login)
  }
  return rig
}

/** Everything that can be asked of it is answered. */
function ask(rig: Rig): void {
  const { views } = rig.backend
  const answers = [
    views.status(true), views.prefs(), views.health(), views.netMap(), views.pathViews.all(), views.metrics(), views.dnsConfig(), views.derpMap(), views.engineStatus(), rig.backend.profiles.list(), rig.backend.profiles.current(),
    views.selfNode(),
  ]
  expect(JSON.stringify(answers).length).toBeGreaterThan(100)
  for (const peer of Object.values(views.status(true).Peer ?? {})) for (const ip of peer.TailscaleIPs ?? []) views.whoIs(ip, '', undefined)
}

/** A person signs in after all that, and it works. */
function stillWorks(rig: Rig): void {
  rig.backend.resetAuth()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://good.example', WantRunning: true }, AuthKey: 'k' })
  rig.signIn(FIRST)
  expect(rig.backend.views.status(true).BackendState).toBe('Running')
  expect(rig.dataplane.config?.peers).toHaveLength(1)
}

function goodFiles(): Map<string, string> {
  const store = new Files()
  const rig = rigWith(store)
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://good.example', WantRunning: true, Hostname: 'box', AdvertiseRoutes: ['10.0.0.0/8'] }, AuthKey: 'k' })
  rig.signIn(FIRST)
  return new Map([...store.names].map((name) => [name, store.text(name)]))
}

const GOOD_FILES = goodFiles()

function damagedFile(chance: Chance, text: string): string {
  switch (chance.int(0, 5)) {
    case 0:
      return Buffer.from(chance.damage(Buffer.from(text))).toString('utf8')
    case 1:
      return JSON.stringify(chance.json())
    case 2:
      return chance.text()
    default:
      try {
        return JSON.stringify(chance.damageJson(JSON.parse(text)))
      } catch {
        return `${text}${chance.text()}`
      }
  }
}

fuzz('an engine starts with saved files of any rubbish, and can be signed in', (chance) => {
  const store = new Files()
  for (const [name, text] of GOOD_FILES) store.save(name, chance.is(0.3) ? text : damagedFile(chance, text))
  const rig = rigWith(store)
  try {
    rig.backend.start()
  } catch (error) {
    // Of a later version: left as it is.
    return expect(error).toMatchObject({ code: 'bad-state-file' })
  }
  rig.watch(NETMAP_BITS)
  ask(rig)
  rig.clock.advance(5000)
  if (chance.is(0.1)) stillWorks(rig)
  rig.backend.stop()
}, { share: 0.15, growthMb: 40 })

test('the files that are damaged are all that the engine keeps', () => {
  expect([...GOOD_FILES.keys()]).toEqual(expect.arrayContaining(['state', expect.stringMatching(/^netmap/)]))
})

const MASK: Record<string, unknown> = {
  ControlURL: 'https://good.example', ControlURLSet: true, RouteAllSet: true, RouteAll: true, ExitNodeIP: '100.64.0.2', ExitNodeIPSet: true, ExitNodeID: '', CorpDNSSet: false, Hostname: 'box', HostnameSet: true,
  AdvertiseRoutes: ['10.0.0.0/8', '192.168.0.0/16'], AdvertiseRoutesSet: true, AdvertiseTags: ['tag:a'], AdvertiseTagsSet: true, ShieldsUp: false, ShieldsUpSet: true, OperatorUser: 'alice', OperatorUserSet: true,
  NetfilterMode: 2, NetfilterModeSet: true, AutoUpdate: { Check: true, Apply: null }, AutoUpdateSet: { CheckSet: true }, AppConnector: { Advertise: false }, AppConnectorSet: true, DriveShares: null, DriveSharesSet: true,
  RelayServerPort: 1, RelayServerPortSet: true, ProfileName: 'x', ProfileNameSet: true, WantRunning: true, WantRunningSet: true, NoStatefulFiltering: true, NoStatefulFilteringSet: true,
}

/** Settings as they must always be, whoever asked for what. */
function expectSanePrefs(rig: Rig): void {
  const prefs = rig.backend.views.prefs()
  for (const route of prefs.AdvertiseRoutes ?? []) expect(parseIp(route.split('/')[0]!)).toBeDefined()
  expect(prefs.Hostname).toMatch(/^[A-Za-z0-9._ -]{0,63}$/)
  if (prefs.ControlURL !== '') expect(new URL(prefs.ControlURL).protocol).toMatch(/^https?:$/)
  if (prefs.ExitNodeIP !== '') expect(parseIp(prefs.ExitNodeIP)).toBeDefined()
}

fuzz('settings of any rubbish are taken whole or refused with a sentence and nothing changed', (chance) => {
  const rig = rigWith(new Files())
  rig.backend.start()
  const signedIn = chance.is(0.1)
  if (signedIn) stillWorks(rig)
  const mask: unknown = JSON.parse(JSON.stringify(chance.is(0.1) ? chance.json() : chance.damageJson(MASK)))
  const before = JSON.stringify([rig.backend.views.prefs(), rig.backend.views.status(false).HaveNodeKey])
  const how = chance.int(0, 2)
  try {
    if (how === 0) rig.backend.editPrefs(mask)
    else if (how === 1) rig.backend.startWith({ UpdatePrefs: mask as object, ...(chance.is(0.3) ? { AuthKey: chance.text() } : {}) })
    else rig.backend.checkPrefs(mask)
  } catch (error) {
    if (!(error instanceof EngineError)) throw error
    expect((error as EngineError).message.length).toBeLessThan(1000)
    expect((error as EngineError).message).toMatch(/\w+ \w+/)
    expect(JSON.stringify([rig.backend.views.prefs(), rig.backend.views.status(false).HaveNodeKey])).toBe(before)
  }
  expectSanePrefs(rig)
  ask(rig)
  if (chance.is(0.1)) stillWorks(rig)
  rig.backend.stop()
}, { share: 0.15, growthMb: 40 })

fuzz('maps and messages of any rubbish leave every view answering', (chance) => {
  const rig = rigWith(new Files())
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://good.example', WantRunning: true, ExitNodeIP: '100.64.0.2' }, AuthKey: 'k' })
  rig.signIn(FIRST)
  rig.watch(NETMAP_BITS)
  let netMap: NetMap | undefined
  for (const raw of [chance.damageJson(FIRST), chance.damageJson(chance.pick(MAPS)), chance.damageJson(chance.pick(MAPS))]) {
    const message = checkMapResponse(JSON.parse(JSON.stringify(raw)))
    const delta = isDecodeError(message) ? message : applyMapResponse(netMap, message, rig.clock.wallMs())
    if (isDecodeError(delta)) continue
    netMap = delta.netMap
    rig.backend.facts.control.onNetMap(delta)
    rig.clock.advance(chance.pick([0, 1000, 100_000]))
    ask(rig)
  }
  rig.backend.facts.dataplane.onProxyRequest({ id: 1, via: 'socks5', host: chance.text(), port: 80 })
  if (chance.is(0.1)) stillWorks(rig)
  rig.backend.stop()
}, { share: 0.15, growthMb: 40 })
