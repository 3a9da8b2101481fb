/**
 * What the parts are given as maps and prefs change.
 */
import { expect, test } from 'vitest'
import { makeRig, recorded } from './rig.ts'

test('any UDP port is used while the server asks for it, and the usual one after', () => {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  rig.signIn()
  const self = recorded('02-initial-one-peer.json').Node!
  rig.map({ Node: { ...self, CapMap: { ...self.CapMap, 'randomize-client-port': null } } })
  rig.map({ Node: { ...self, CapMap: { ...self.CapMap, 'randomize-client-port': null }, HomeDERP: 7 } })
  expect(rig.ports).toEqual([true])
  rig.map({ Node: self })
  expect(rig.ports).toEqual([true, false])
})

test('the PeerAPI is served at a port that control is told of, until nothing may flow', () => {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  expect(rig.control.wants?.hostinfo.Services).toBeUndefined()
  rig.signIn()
  expect(rig.dataplane.peerApiPort).toBe(58436)
  expect(rig.control.wants?.hostinfo.Services).toEqual([{ Proto: 'peerapi4', Port: 58436 }, { Proto: 'peerapi6', Port: 58436 }, { Proto: 'peerapi-dns-proxy', Port: 1 }])
  rig.backend.editPrefs({ WantRunning: false, WantRunningSet: true })
  expect(rig.dataplane.peerApiPort).toBe(0)
})

test('the router is asked in the ways that the server leaves', () => {
  const rig = makeRig()
  rig.backend.start()
  rig.backend.startWith({ UpdatePrefs: { ControlURL: 'https://headscale.example', WantRunning: true }, AuthKey: 'key-1' })
  rig.signIn()
  const self = recorded('02-initial-one-peer.json').Node!
  expect(rig.portMapping).toEqual([])
  rig.map({ Node: { ...self, CapMap: { ...self.CapMap, 'debug-disable-upnp': null } } })
  rig.map({ Node: { ...self, CapMap: { ...self.CapMap, 'debug-disable-upnp': null, 'only-tcp-443': null } } })
  rig.map({ Node: self })
  expect(rig.portMapping).toEqual(['no-upnp', 'off', 'all'])
})
