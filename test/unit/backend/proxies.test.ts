import { createContext, runInContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { makeRig, recorded } from './rig.ts'
import type { Rig } from './rig.ts'

const UP = { ControlURL: 'http://127.0.0.1:18080', CorpDNS: true, WantRunning: true }
const DEFAULT = { socks5: undefined, http: undefined, isDefault: true }

function running(rig: Rig): Rig {
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: UP, AuthKey: 'k' })
  rig.signIn()
  return rig
}

/** What a browser with the newest PAC file does with a host. */
function find(rig: Rig, host: string): string {
  const context = createContext({})
  runInContext(rig.dataplane.pacs.at(-1)!, context)
  return runInContext(`FindProxyForURL("", ${JSON.stringify(host)})`, context) as string
}

describe('the proxies that nobody named', () => {
  test('are one listener of this computer alone, at a port that is kept', () => {
    const rig = makeRig()
    rig.dataplane.taken.add(1055)
    rig.backend.proxies.open(DEFAULT)
    expect(rig.backend.proxies.page()).toMatchObject({ Mode: 'apps', Socks5: '127.0.0.1:1056', Http: '127.0.0.1:1056', PacUrl: 'http://127.0.0.1:1056/proxy.pac' })
    const next = makeRig({ store: rig.store })
    next.backend.proxies.open(DEFAULT)
    expect(next.backend.proxies.page().Http).toBe('127.0.0.1:1056')
  })

  test('step around a program that has their port, say so, and are back when it is gone', () => {
    const rig = makeRig()
    rig.backend.proxies.open(DEFAULT)
    const next = makeRig({ store: rig.store })
    next.dataplane.taken.add(1055)
    next.backend.proxies.open(DEFAULT)
    expect(next.backend.proxies.page()).toMatchObject({ Http: '127.0.0.1:1056', Why: expect.stringContaining('Port 1055') })
    const last = makeRig({ store: rig.store })
    last.backend.proxies.open(DEFAULT)
    expect(last.backend.proxies.page()).toMatchObject({ Http: '127.0.0.1:1055' })
    expect(last.backend.proxies.page().Why).toBeUndefined()
  })

  test('never keep the engine from starting', () => {
    const rig = makeRig()
    rig.dataplane.listenProxy = () => {
      throw Object.assign(new Error('no'), { code: 'x' })
    }
    expect(() => rig.backend.proxies.open(DEFAULT)).toThrow('no')
    const full = makeRig()
    for (const port of [0, 1055, 1056, 1057, 1058, 1059]) full.dataplane.taken.add(port)
    full.backend.proxies.open(DEFAULT)
    expect(full.backend.proxies.page().Http).toBeUndefined()
    expect(full.backend.proxies.page().Why).toContain('No port')
  })
})

describe('named proxies', () => {
  test('are where they were asked for, and there is no PAC file without an HTTP proxy', () => {
    const rig = makeRig()
    rig.backend.proxies.open({ socks5: { ip: '127.0.0.1', port: 2000 }, http: undefined, isDefault: false })
    expect(rig.backend.proxies.page()).toMatchObject({ Socks5: '127.0.0.1:2000' })
    expect(rig.backend.proxies.page().PacUrl).toBeUndefined()
    expect(rig.dataplane.pacs).toEqual([])
  })

  test('that cannot be had end the start', () => {
    const rig = makeRig()
    rig.dataplane.taken.add(2000)
    expect(() => rig.backend.proxies.open({ socks5: { ip: '127.0.0.1', port: 2000 }, http: undefined, isDefault: false })).toThrow(expect.objectContaining({ code: 'address-in-use' }))
  })
})

describe('the PAC file', () => {
  test('follows the network, its routes and the exit node, and is not told again when nothing changed', () => {
    const rig = makeRig()
    rig.backend.proxies.open(DEFAULT)
    running(rig)
    const proxies = 'PROXY 127.0.0.1:1055; SOCKS5 127.0.0.1:1055'
    expect(find(rig, 'n2.lab.internal')).toBe(proxies)
    expect(find(rig, '100.64.0.9')).toBe(proxies)
    expect(find(rig, '10.55.0.9')).toBe('DIRECT')
    rig.map(recorded('12-peer-routes-approved.json'))
    rig.backend.editPrefs({ RouteAll: true, RouteAllSet: true })
    expect(find(rig, '10.55.0.9')).toBe(proxies)
    expect(find(rig, 'example.org')).toBe('DIRECT')
    const told = rig.dataplane.pacs.length
    rig.backend.editPrefs({ ShieldsUp: true, ShieldsUpSet: true })
    expect(rig.dataplane.pacs).toHaveLength(told)
    const { forgotten } = rig.dataplane
    rig.backend.editPrefs({ ExitNodeIP: '100.64.0.2', ExitNodeIPSet: true })
    expect(find(rig, 'example.org')).toBe(proxies)
    expect(rig.dataplane.forgotten).toBe(forgotten + 1)
  })

  test('keeps what was decided of the local network while an exit node is chosen, until this computer leaves that network', () => {
    const rig = running(makeRig())
    rig.backend.editPrefs({ ExitNodeID: '99', ExitNodeIDSet: true, ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true })
    const on = (...ips: string[]): number => {
      rig.backend.facts.onSystem({ interfaces: ips.map((ip, i) => ({ name: `eth${i}`, ip, prefix: 24, internal: false })) })
      return rig.dataplane.forgotten
    }
    const before = on('192.168.1.5')
    expect(on('192.168.1.6', '172.17.0.1')).toBe(before)
    expect(on('10.9.0.5', '172.17.0.1')).toBe(before + 1)
    rig.backend.editPrefs({ ExitNodeID: '', ExitNodeIDSet: true })
    const direct = rig.dataplane.forgotten
    expect(on('192.168.7.5')).toBe(direct)
  })

  test('keeps what was decided until the way out is another one', () => {
    const rig = makeRig()
    rig.backend.proxies.open(DEFAULT)
    running(rig)
    const before = rig.dataplane.forgotten
    rig.backend.editPrefs({ ExitNodeAllowLANAccess: true, ExitNodeAllowLANAccessSet: true })
    expect(rig.dataplane.forgotten).toBe(before + 1)
    rig.backend.editPrefs({ Hostname: 'x', HostnameSet: true })
    expect(rig.dataplane.forgotten).toBe(before + 1)
  })
})
